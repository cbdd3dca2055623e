-- oldest: 15
-- The quotas of a workspace's plan; 0 is none.
ALTER TABLE workspaces ADD COLUMN max_keys BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN max_members BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN max_roles BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN max_events_per_day BIGINT NOT NULL DEFAULT 0;
