-- oldest: 1
-- How keys stand: what expires, what is idle, whose creators have gone. Each list is a walk along one of these.
CREATE INDEX api_keys_expiry ON api_keys (workspace_id, expires_ms, id) WHERE is_active = 1 AND expires_ms > 0;
CREATE INDEX api_keys_idle   ON api_keys (workspace_id, last_used_ms, id, created_ms) WHERE is_active = 1;
CREATE INDEX api_keys_orphan ON api_keys (workspace_id, id) WHERE is_active = 1 AND is_orphan = 1;

-- Which events are about what, so that the life of one key is found without reading the log.
CREATE TABLE event_targets (
  target TEXT COLLATE "C" NOT NULL,
  seq    BIGINT           NOT NULL,
  PRIMARY KEY (target, seq)
);
INSERT INTO event_targets (target, seq)
  SELECT metadata::json ->> 'target', seq FROM events WHERE coalesce(metadata::json ->> 'target', '') <> '';
