-- The quotas of a workspace's plan; 0 is none.
ALTER TABLE workspaces ADD COLUMN max_keys INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN max_members INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN max_roles INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN max_events_per_day INTEGER NOT NULL DEFAULT 0;
