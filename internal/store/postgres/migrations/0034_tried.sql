-- oldest: 15
-- When each key was last asked about, whatever the outcome; and the orders in which all keys of a workspace are listed. A key that never
-- expires comes after those that do.
ALTER TABLE api_keys ADD COLUMN last_tried_ms BIGINT NOT NULL DEFAULT 0;
UPDATE api_keys SET last_tried_ms = last_used_ms WHERE last_used_ms > 0;
CREATE INDEX api_keys_by_expiry ON api_keys (workspace_id, (CASE WHEN expires_ms = 0 THEN 9223372036854775807 ELSE expires_ms END), id);
CREATE INDEX api_keys_by_use    ON api_keys (workspace_id, last_used_ms, id);
CREATE INDEX api_keys_by_try    ON api_keys (workspace_id, last_tried_ms, id);
