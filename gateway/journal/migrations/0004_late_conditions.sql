-- Conditions found after they began, by when they were found: what was found after a period but began in it or before.
CREATE INDEX condition_late ON condition (kind, found, since) WHERE since < found;
