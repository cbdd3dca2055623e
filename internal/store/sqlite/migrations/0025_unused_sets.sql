-- When a set of permissions was found unused: the last event at that time, 0 for one in use, -1 once its names are gone. sets_changes
-- counts how often this changed for any of them: a program that gives numbers of sets to rows looks at the sets again then.
ALTER TABLE permission_sets ADD COLUMN unused_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE installation ADD COLUMN sets_changes INTEGER NOT NULL DEFAULT 0;
