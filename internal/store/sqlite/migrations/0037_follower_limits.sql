-- The number of the last batch that a follower sent, of each kind, with its answer: a batch that comes again gets that answer and does
-- nothing. seen_ms is when it came.
CREATE TABLE follower_batches (
  service_key_id TEXT    NOT NULL,
  incarnation    TEXT    NOT NULL,
  kind           TEXT    NOT NULL,
  number         INTEGER NOT NULL,
  answer         BLOB    NOT NULL,
  seen_ms        INTEGER NOT NULL,
  PRIMARY KEY (service_key_id, incarnation, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX follower_batches_seen ON follower_batches (seen_ms);

-- The part of a day's units that a follower holds: it never gives back more. account is a key, or a workspace that has a plan.
CREATE TABLE follower_days (
  service_key_id TEXT    NOT NULL,
  incarnation    TEXT    NOT NULL,
  account        BLOB    NOT NULL CHECK (length(account) = 16),
  day            INTEGER NOT NULL,
  held           INTEGER NOT NULL,
  PRIMARY KEY (service_key_id, incarnation, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX follower_days_day ON follower_days (day);
