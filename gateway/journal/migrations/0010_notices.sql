-- Why a notice waits (quiet, limit, asked), or why it was never sent (withdrawn, over, never_told); NULL: nothing holds it.
ALTER TABLE notice ADD COLUMN held TEXT;

-- What was said of one alert, and to one contact.
CREATE INDEX notice_alert ON notice (alert, contact, seq);

CREATE INDEX notice_contact ON notice (contact, seq);

CREATE INDEX notice_waiting ON notice (contact, next_try) WHERE next_try IS NOT NULL;

CREATE INDEX notice_attempt_at ON notice_attempt (at);
