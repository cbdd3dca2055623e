-- oldest: 15
-- When a set of permissions was found unused: the last event at that time, 0 for one in use, -1 once its names are gone. sets_changes
-- counts how often this changed for any of them: a program that gives numbers of sets to rows looks at the sets again then. A program
-- that does not know of it may work beside this one: no set goes while such a node lives.
ALTER TABLE permission_sets ADD COLUMN unused_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE installation ADD COLUMN sets_changes BIGINT NOT NULL DEFAULT 0;
