-- Where the notices of a kind begin that a webhook chose after it was switched on: the kind, =, an event of the log, @, a time in
-- milliseconds; with blanks between them.
ALTER TABLE webhooks ADD COLUMN since TEXT NOT NULL DEFAULT '';
