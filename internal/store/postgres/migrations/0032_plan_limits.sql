-- oldest: 15
-- The limits that all keys of a workspace share, and what a single key may have at most; 0 is none.
ALTER TABLE workspaces ADD COLUMN plan_per_minute BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN plan_per_day BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN ceiling_per_minute BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN ceiling_per_day BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workspaces ADD COLUMN ceiling_lifetime_ms BIGINT NOT NULL DEFAULT 0;
