-- Reports as they were made and sent: what people were told then, whatever late evidence has changed since.

CREATE TABLE report (
    id   TEXT NOT NULL,             -- of the period
    made INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,             -- JSON
    PRIMARY KEY (id, made)
) STRICT;

CREATE INDEX report_made ON report (made);

CREATE TRIGGER report_is_never_changed BEFORE UPDATE ON report
BEGIN
    SELECT RAISE(ABORT, 'reports that were made are append-only');
END;
