-- What happened to work orders, duty checks, silences and the like. Appended, never changed; the newest view of each item is in
-- `finding` (kind = book).

CREATE TABLE entry (
    seq    INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    book   TEXT NOT NULL,           -- silence, work_order, duty_check, score
    id     TEXT NOT NULL,
    state  TEXT NOT NULL,
    body   BLOB NOT NULL            -- who, what and why, and the item after it
) STRICT;

CREATE INDEX entry_item ON entry (book, id, seq);

CREATE INDEX entry_time ON entry (book, at);

CREATE TRIGGER entry_is_never_changed BEFORE UPDATE ON entry
BEGIN
    SELECT RAISE(ABORT, 'the history of work orders, checks and silences is append-only');
END;

CREATE TRIGGER entry_is_never_shortened BEFORE DELETE ON entry
BEGIN
    SELECT RAISE(ABORT, 'the history of work orders, checks and silences is append-only');
END;

-- What is known of persons (a reporter's name and telephone), held apart under a key that says nothing, so that it can be erased
-- while every row that names the key stays as it is.
CREATE TABLE personal (
    key    TEXT PRIMARY KEY,
    at     INTEGER NOT NULL,
    body   BLOB                     -- JSON; NULL: erased
) STRICT, WITHOUT ROWID;
