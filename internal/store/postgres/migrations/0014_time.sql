-- oldest: 7
-- Time that may be wrong: see docs/adr/0015. time_ahead_ms is the latest time that was told while a jump of the clock is provisional, 0 for
-- none, time_ran_ms how long was run with it, and time_resets how often the mark was moved back by command.
ALTER TABLE installation ADD COLUMN time_ahead_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE installation ADD COLUMN time_ran_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE installation ADD COLUMN time_resets BIGINT NOT NULL DEFAULT 0;

-- When the last event was written.
ALTER TABLE installation ADD COLUMN head_ms BIGINT NOT NULL DEFAULT 0;
UPDATE installation SET head_ms = coalesce((SELECT created_ms FROM events WHERE seq = head_seq), 0);

-- The events that are earlier than the one before them: times rise from each of them to the next.
CREATE TABLE event_turns (
  seq BIGINT PRIMARY KEY
);

-- Days of keys that a provisional jump of the clock has left behind, until the jump is over.
CREATE TABLE past_quotas (
  key_id   BYTEA   NOT NULL CHECK (length(key_id) = 16),
  day      BIGINT NOT NULL,
  reserved BIGINT NOT NULL,
  PRIMARY KEY (key_id, day)
);
CREATE INDEX past_quotas_day ON past_quotas (day);
