-- oldest: 15
-- The number of the last batch that a follower sent, of each kind, with its answer: a batch that comes again gets that answer and does
-- nothing. seen_ms is when it came.
CREATE TABLE follower_batches (
  service_key_id TEXT COLLATE "C" NOT NULL,
  incarnation    TEXT COLLATE "C" NOT NULL,
  kind           TEXT COLLATE "C" NOT NULL,
  number         BIGINT           NOT NULL,
  answer         BYTEA            NOT NULL,
  seen_ms        BIGINT           NOT NULL,
  PRIMARY KEY (service_key_id, incarnation, kind)
);
CREATE INDEX follower_batches_seen ON follower_batches (seen_ms);

-- The part of a day's units that a follower holds: it never gives back more. account is a key, or a workspace that has a plan.
CREATE TABLE follower_days (
  service_key_id TEXT COLLATE "C" NOT NULL,
  incarnation    TEXT COLLATE "C" NOT NULL,
  account        BYTEA            NOT NULL CHECK (length(account) = 16),
  day            BIGINT           NOT NULL,
  held           BIGINT           NOT NULL,
  PRIMARY KEY (service_key_id, incarnation, account)
);
CREATE INDEX follower_days_day ON follower_days (day);
