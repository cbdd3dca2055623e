-- oldest: 1
-- Who disabled a key, when, and whether by right of api-keys:manage-others; who switched a workspace off, when, and whether that was a
-- service key. Where it is not known who, it counts as by the greater right.
ALTER TABLE api_keys ADD COLUMN disabled_by TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN disabled_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN disabled_by_right BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN off_by TEXT NOT NULL DEFAULT '';
ALTER TABLE workspaces ADD COLUMN off_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN off_by_operator BIGINT NOT NULL DEFAULT 0;
