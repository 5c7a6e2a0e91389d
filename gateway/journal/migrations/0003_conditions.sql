-- What a lamp, circuit, camera, zone or checkpoint was, and from when on: what figures over a period are computed from.
-- Appended, never changed. The condition of a subject at an instant t is that of the row with the highest `seq` among its rows
-- with since <= t: a later row overrides earlier ones from its `since` on.

CREATE TABLE condition (
    seq    INTEGER PRIMARY KEY,
    found  INTEGER NOT NULL,        -- when it was judged; rises with seq
    since  INTEGER NOT NULL,        -- from when on by the evidence; never after `found`
    kind   TEXT NOT NULL,           -- lamp, seat, duty, circuit, camera, zone, gateway, walk (gateway/figures/README.md)
    id     TEXT NOT NULL,
    state  TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX condition_subject ON condition (kind, id, found);

CREATE INDEX condition_time ON condition (kind, found);

CREATE INDEX condition_walk ON condition (since) WHERE kind = 'walk';

CREATE TRIGGER condition_is_never_changed BEFORE UPDATE ON condition
BEGIN
    SELECT RAISE(ABORT, 'the history of conditions is append-only');
END;
