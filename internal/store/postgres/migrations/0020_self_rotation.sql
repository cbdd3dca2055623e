-- oldest: 15
-- Whether a workspace forbids its keys to rotate themselves; 0 allows it.
ALTER TABLE workspaces ADD COLUMN no_self_rotation BIGINT NOT NULL DEFAULT 0;
