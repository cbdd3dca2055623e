-- How much of its day each key's limit has been reserved for spending: never less than what was admitted. day counts from 1970, UTC.
CREATE TABLE day_quotas (
  key_id   BLOB    PRIMARY KEY CHECK (length(key_id) = 16),
  day      INTEGER NOT NULL,
  reserved INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX day_quotas_day ON day_quotas (day);

-- The windows per minute of a node that was stopped in order, until it starts again.
CREATE TABLE saved_windows (
  node TEXT    NOT NULL,
  part INTEGER NOT NULL,
  body BLOB    NOT NULL,
  PRIMARY KEY (node, part)
) STRICT, WITHOUT ROWID;
