-- The message that a notice goes out with, written before it is sent; NULL: none yet, or its receiver surely has nothing of it. So a
-- message that may have arrived is repeated as it was, and what may have been read counts as told.
ALTER TABLE notice ADD COLUMN message TEXT;

CREATE INDEX notice_message ON notice (contact, message) WHERE message IS NOT NULL AND next_try IS NOT NULL;
