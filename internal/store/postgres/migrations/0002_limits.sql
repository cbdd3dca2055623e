-- oldest: 1
-- How much of its day each key's limit has been reserved for spending: never less than what was admitted. day counts from 1970, UTC.
CREATE TABLE day_quotas (
  key_id    BYTEA            PRIMARY KEY CHECK (length(key_id) = 16),
  day       BIGINT           NOT NULL,
  reserved  BIGINT           NOT NULL
);
CREATE INDEX day_quotas_day ON day_quotas (day);

-- The windows per minute of a node that was stopped in order, until it starts again.
CREATE TABLE saved_windows (
  node      TEXT COLLATE "C" NOT NULL,
  part      BIGINT           NOT NULL,
  body      BYTEA            NOT NULL,
  PRIMARY KEY (node, part)
);
