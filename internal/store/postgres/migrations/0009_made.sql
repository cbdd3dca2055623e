-- oldest: 1
-- When the current value of a key was made, from which the longest lifetime of its workspace counts; 0 where it was made with the key.
ALTER TABLE api_keys ADD COLUMN value_ms BIGINT NOT NULL DEFAULT 0;
UPDATE api_keys SET value_ms = rotated.at FROM (
  SELECT t.target, max(e.created_ms) AS at FROM events e JOIN event_targets t ON t.seq = e.seq WHERE e.type = 'api_key.rotated' GROUP BY t.target
) AS rotated WHERE rotated.target = api_keys.id;

-- A key that was kept when its creator left is an ordinary one again where the creator has come back.
UPDATE api_keys SET is_orphan = 0 WHERE is_orphan = 1 AND EXISTS (
  SELECT 1 FROM members m WHERE m.workspace_id = api_keys.workspace_id AND m.user_id = api_keys.user_id AND m.left_ms = 0);
