-- A preview counts a member's keys by kind, from the index alone.
DROP INDEX api_keys_user;
CREATE INDEX api_keys_user ON api_keys (workspace_id, user_id, id, set_id, is_active, is_revoked, is_orphan, period);
