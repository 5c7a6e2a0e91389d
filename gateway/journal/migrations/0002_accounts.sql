-- Accounts of the console and API, their sessions, and the history of what they did.
-- Instants are microseconds since 1970-01-01 UTC.

CREATE TABLE accounts (
    name     TEXT PRIMARY KEY,
    role     TEXT NOT NULL CHECK (role IN ('viewer', 'guard', 'maintenance', 'operator', 'manager', 'admin')),
    password TEXT,                        -- argon2id in its standard text form; NULL: one-time links only
    disabled INTEGER NOT NULL DEFAULT 0,
    created  INTEGER NOT NULL,
    changed  INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    token   BLOB PRIMARY KEY,             -- SHA-256 of what the cookie holds
    account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    seen    INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_account ON sessions (account);

CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,                -- account, or the name that was tried
    address TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,                -- done, refused, failed
    detail  TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit history is append-only');
END;

CREATE TRIGGER audit_is_never_shortened BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit history is append-only');
END;
