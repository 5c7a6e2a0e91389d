-- Guards' phones: which browser is which device, and whose. Instants are microseconds since 1970-01-01 UTC.

CREATE TABLE phone (
    device  TEXT PRIMARY KEY,                    -- as in `enrolment`: phone-, whose it is, and six signs
    account TEXT NOT NULL,                       -- who logged in when it was made; nobody else's records come from it
    person  TEXT NOT NULL,
    token   BLOB NOT NULL UNIQUE,                -- SHA-256 of what the browser's cookie holds
    made    INTEGER NOT NULL,
    begun   INTEGER                              -- when it first handed something in
) STRICT;

CREATE INDEX phone_account ON phone (account, made);
