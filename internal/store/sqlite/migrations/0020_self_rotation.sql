-- Whether a workspace forbids its keys to rotate themselves; 0 allows it.
ALTER TABLE workspaces ADD COLUMN no_self_rotation INTEGER NOT NULL DEFAULT 0;
