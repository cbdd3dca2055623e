-- oldest: 15
-- How many events there are of each type, so that a page of the log counts nothing; and ways along one type, and along one actor.
CREATE INDEX events_type  ON events (workspace_id, type, seq);
CREATE INDEX events_actor ON events (workspace_id, actor_id, seq);
ALTER TABLE event_types ADD COLUMN events BIGINT NOT NULL DEFAULT 0;
UPDATE event_types SET events = (SELECT count(*) FROM events e WHERE e.workspace_id = event_types.workspace_id AND e.type = event_types.type);
