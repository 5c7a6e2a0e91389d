-- What could not be read when it came, and was read again later. The row of the quarantine stays as it was.

-- The broker said that a message was old state that it had kept: an event in it is none, whenever it is read.
ALTER TABLE quarantine ADD COLUMN retained INTEGER NOT NULL DEFAULT 0;

CREATE INDEX quarantine_source ON quarantine (source, seq);

-- Rows of the log whose bytes had arrived (microseconds since 1970, UTC) before they could be read: `received` in the log is when they
-- were read, so that it never falls from row to row.
CREATE TABLE late (
    seq   INTEGER PRIMARY KEY,
    heard INTEGER NOT NULL
) STRICT;

-- Each time that somebody had a row of the quarantine read again.
CREATE TABLE read_again (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    at           INTEGER NOT NULL,
    by           TEXT NOT NULL,
    quarantine   INTEGER NOT NULL,
    outcome      TEXT NOT NULL,              -- read, repeated, unreadable
    observations INTEGER NOT NULL,           -- how many went into the log
    reason       TEXT NOT NULL               -- why it cannot be read, or what of it cannot
) STRICT;

CREATE INDEX read_again_quarantine ON read_again (quarantine, seq);

CREATE TRIGGER read_again_is_never_changed BEFORE UPDATE ON read_again
BEGIN
    SELECT RAISE(ABORT, 'the history of what was read again is append-only');
END;
