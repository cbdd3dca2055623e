-- Who disabled a key, when, and whether by right of api-keys:manage-others; who switched a workspace off, when, and whether that was a
-- service key. Where it is not known who, it counts as by the greater right.
ALTER TABLE api_keys ADD COLUMN disabled_by TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN disabled_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN disabled_by_right INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN off_by TEXT NOT NULL DEFAULT '';
ALTER TABLE workspaces ADD COLUMN off_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN off_by_operator INTEGER NOT NULL DEFAULT 0;
