-- Every row of visit_revision, alert_transition, entry, audit and checkpoint is a leaf of one hash tree (gateway/journal/README.md,
-- The chain). A leaf is written in the transaction that writes its row.

CREATE TABLE leaf (
    number INTEGER PRIMARY KEY,     -- place in the tree, from 0 on without a gap
    kind   INTEGER NOT NULL,        -- which table: KINDS in gateway/journal/chain.py
    seq    INTEGER NOT NULL,        -- of the row
    hash   BLOB NOT NULL            -- SHA-256(0x00 || the row's bytes)
) STRICT;

CREATE UNIQUE INDEX leaf_row ON leaf (kind, seq);

-- The tree's right edge: one row.
CREATE TABLE chain (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    size  INTEGER NOT NULL,         -- leaves
    peaks BLOB NOT NULL,            -- hashes of the complete subtrees, the largest first, 32 bytes each
    epoch TEXT                      -- of the journal, as the chain last told it; NULL: rows from before are not all taken in
) STRICT;

INSERT INTO chain VALUES (1, 0, x'', NULL);

CREATE TABLE checkpoint (
    seq    INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    size   INTEGER NOT NULL,        -- leaves
    root   BLOB NOT NULL,
    reason TEXT NOT NULL,           -- start, time, report, asked
    note   TEXT NOT NULL            -- the signed note
) STRICT;

CREATE TRIGGER visit_revision_is_never_changed BEFORE UPDATE ON visit_revision
BEGIN
    SELECT RAISE(ABORT, 'the history of verdicts is append-only');
END;

CREATE TRIGGER visit_revision_is_never_shortened BEFORE DELETE ON visit_revision
BEGIN
    SELECT RAISE(ABORT, 'the history of verdicts is append-only');
END;

CREATE TRIGGER alert_transition_is_never_changed BEFORE UPDATE ON alert_transition
BEGIN
    SELECT RAISE(ABORT, 'the history of alerts is append-only');
END;

CREATE TRIGGER alert_transition_is_never_shortened BEFORE DELETE ON alert_transition
BEGIN
    SELECT RAISE(ABORT, 'the history of alerts is append-only');
END;

CREATE TRIGGER checkpoint_is_never_changed BEFORE UPDATE ON checkpoint
BEGIN
    SELECT RAISE(ABORT, 'checkpoints are append-only');
END;

CREATE TRIGGER checkpoint_is_never_shortened BEFORE DELETE ON checkpoint
BEGIN
    SELECT RAISE(ABORT, 'checkpoints are append-only');
END;

CREATE TRIGGER leaf_is_never_changed BEFORE UPDATE ON leaf
BEGIN
    SELECT RAISE(ABORT, 'the chain is append-only');
END;

CREATE TRIGGER leaf_is_never_shortened BEFORE DELETE ON leaf
BEGIN
    SELECT RAISE(ABORT, 'the chain is append-only');
END;

-- What is typed at the log-in. `accounts.name` is what stands in histories and says nothing of the person; where `login` is NULL it is
-- typed at the log-in, too.
ALTER TABLE accounts ADD COLUMN login TEXT;

CREATE UNIQUE INDEX accounts_login ON accounts (login) WHERE login IS NOT NULL;
