-- The one durable store. Every row that may leave the site has a `seq` of one counter over all tables; with the site's id and
-- the journal's `epoch` (meta) it names the row for good.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY
) STRICT, WITHOUT ROWID;

-- What was heard, and what the gateway and its operators did (kinds restart, operator): the evidence, in the order of judgement.
CREATE TABLE log (
    seq      INTEGER PRIMARY KEY,
    received INTEGER NOT NULL,      -- microseconds since 1970, UTC; likewise all instants
    device   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       INTEGER NOT NULL,
    boot     TEXT,
    n        INTEGER,               -- the device's own sequence number
    body     BLOB NOT NULL,         -- the observation as JSON, unknown fields kept
    raw      BLOB                   -- the message it was decoded from, on the first observation of it, where that is not the body
) STRICT;

-- Looking up one device's rows. The leading term keeps the pages touched by new rows few, however many devices there are.
CREATE INDEX log_lookup ON log (seq >> 16, device, coalesce(n, at));

CREATE TABLE quarantine (
    seq      INTEGER PRIMARY KEY,
    received INTEGER NOT NULL,
    source   TEXT NOT NULL,
    topic    TEXT NOT NULL,
    payload  BLOB NOT NULL,
    reason   TEXT NOT NULL
) STRICT;

CREATE TABLE visit_revision (
    seq      INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    round    TEXT NOT NULL,
    position INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    verdict  TEXT NOT NULL,
    body     BLOB NOT NULL
) STRICT;

CREATE INDEX visit_revision_round ON visit_revision (round, position, revision);

CREATE TABLE alert_transition (
    seq   INTEGER PRIMARY KEY,
    at    INTEGER NOT NULL,
    alert TEXT NOT NULL,
    state TEXT NOT NULL,
    body  BLOB NOT NULL             -- the transition and the alert after it
) STRICT;

CREATE INDEX alert_transition_alert ON alert_transition (alert, seq);

-- Every change of a view (round, gap, lamp, circuit, camera, zone, device) and every tap: what live events are made of.
CREATE TABLE change (
    seq  INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE INDEX change_subject ON change (kind, id, seq);

-- The newest view of each subject, so that a page needs no scan. `start` orders rounds and gaps.
CREATE TABLE finding (
    kind  TEXT NOT NULL,
    id    TEXT NOT NULL,
    start INTEGER NOT NULL,
    seq   INTEGER NOT NULL,
    body  BLOB NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX finding_start ON finding (kind, start);

CREATE TABLE notice (
    seq      INTEGER PRIMARY KEY,
    key      TEXT NOT NULL UNIQUE,
    created  INTEGER NOT NULL,
    contact  TEXT NOT NULL,
    alert    TEXT NOT NULL,
    kind     TEXT NOT NULL,
    title    TEXT NOT NULL,
    body     TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try INTEGER                -- NULL: done (sent, or given up: see the last attempt)
) STRICT;

CREATE INDEX notice_due ON notice (next_try) WHERE next_try IS NOT NULL;

CREATE TABLE notice_attempt (
    id     INTEGER PRIMARY KEY,
    notice INTEGER NOT NULL REFERENCES notice (seq),
    at     INTEGER NOT NULL,
    ok     INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX notice_attempt_notice ON notice_attempt (notice);

-- How far each delivery has got in the log, and what a receiver refused for good.
CREATE TABLE cursor (
    name TEXT PRIMARY KEY,
    seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letter (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    writer TEXT NOT NULL,
    log    INTEGER NOT NULL,
    reason TEXT NOT NULL,
    body   BLOB NOT NULL,
    UNIQUE (writer, log, body)
) STRICT;

-- The state of rules and alerts after log row `seq`; the newest two are kept.
CREATE TABLE snapshot (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    format  TEXT NOT NULL,
    site    TEXT NOT NULL,
    state   BLOB NOT NULL
) STRICT;
