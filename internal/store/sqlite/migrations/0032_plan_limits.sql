-- The limits that all keys of a workspace share, and what a single key may have at most; 0 is none.
ALTER TABLE workspaces ADD COLUMN plan_per_minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN plan_per_day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN ceiling_per_minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN ceiling_per_day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN ceiling_lifetime_ms INTEGER NOT NULL DEFAULT 0;
