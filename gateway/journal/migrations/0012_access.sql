-- Whom an account belongs to and what it may see; keys for programs; what was enrolled at run time.
-- Instants are microseconds since 1970-01-01 UTC.

ALTER TABLE accounts ADD COLUMN person TEXT;     -- id of the person of the site whose account it is
ALTER TABLE accounts ADD COLUMN places TEXT;     -- JSON list of place ids: it sees these and what lies below; NULL: all
ALTER TABLE accounts ADD COLUMN pin TEXT;        -- argon2id of a short code for the guard's phone page; NULL: none

CREATE TABLE api_key (
    id      TEXT PRIMARY KEY,                    -- stands in histories, k- and six signs
    name    TEXT NOT NULL,                       -- what it is for
    secret  BLOB NOT NULL,                       -- SHA-256 of the secret part (32 random bytes: no slow hash is needed)
    role    TEXT NOT NULL,
    rights  TEXT,                                -- JSON list: only these rights of the role; NULL: all of them
    places  TEXT,                                -- as in accounts
    made_by TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    revoked INTEGER,
    seen    INTEGER
) STRICT;

-- People, tags and phones that were enrolled while the gateway ran, and withdrawn again: a history; the newest row of a subject counts.
CREATE TABLE enrolment (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    by      TEXT NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('person', 'tag', 'phone')),
    subject TEXT NOT NULL,                       -- person's id, tag in hexadecimal, phone's device id
    body    BLOB                                 -- JSON as in gateway.site.enrolments; NULL: withdrawn
) STRICT;

CREATE INDEX enrolment_subject ON enrolment (kind, subject, seq);

CREATE TRIGGER enrolment_is_never_changed BEFORE UPDATE ON enrolment
BEGIN
    SELECT RAISE(ABORT, 'the history of enrolments is append-only');
END;

CREATE TRIGGER enrolment_is_never_shortened BEFORE DELETE ON enrolment
BEGIN
    SELECT RAISE(ABORT, 'the history of enrolments is append-only');
END;
