-- Links that let somebody in once, sessions of phones, and that somebody who may administer always stays.
-- Instants are microseconds since 1970-01-01 UTC.

CREATE TABLE entry_link (
    token   BLOB PRIMARY KEY,             -- SHA-256 of what the link holds
    purpose TEXT NOT NULL CHECK (purpose IN ('phone', 'password')),
    account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    made_by TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX entry_link_account ON entry_link (account, purpose);  -- a newer one voids the one before

ALTER TABLE sessions ADD COLUMN phone INTEGER NOT NULL DEFAULT 0;        -- 1: a guard's phone: lasts longer

-- The history is looked through by who, what, to whom and when.
CREATE INDEX audit_who ON audit (who);
CREATE INDEX audit_action ON audit (action);
CREATE INDEX audit_subject ON audit (subject);
CREATE INDEX audit_at ON audit (at);

-- An account without a password counts only for one that has none itself: nobody could come back through it.
CREATE TRIGGER an_administrator_is_never_turned_away BEFORE UPDATE OF role, disabled ON accounts
WHEN OLD.role = 'admin' AND OLD.disabled = 0 AND (NEW.role <> 'admin' OR NEW.disabled <> 0) AND NOT EXISTS (
    SELECT 1 FROM accounts WHERE role = 'admin' AND disabled = 0 AND name <> OLD.name
    AND (password IS NOT NULL OR OLD.password IS NULL)
)
BEGIN
    SELECT RAISE(ABORT, 'the last administrator stays');
END;

CREATE TRIGGER an_administrator_is_never_removed BEFORE DELETE ON accounts
WHEN OLD.role = 'admin' AND OLD.disabled = 0 AND NOT EXISTS (
    SELECT 1 FROM accounts WHERE role = 'admin' AND disabled = 0 AND name <> OLD.name
    AND (password IS NOT NULL OR OLD.password IS NULL)
)
BEGIN
    SELECT RAISE(ABORT, 'the last administrator stays');
END;
