-- How many events there are of each type on the last UTC day that had one, a number of days since 1970: a plan's maxEventsPerDay
-- reads it and not the log. The day of the upgrade counts from the upgrade on.
ALTER TABLE event_types ADD COLUMN day INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event_types ADD COLUMN day_events INTEGER NOT NULL DEFAULT 0;
