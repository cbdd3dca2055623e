-- oldest: 15
-- The least revision that a follower of the node has applied; the highest number where it has none, and for a node of an older release,
-- which takes no followers.
ALTER TABLE nodes ADD COLUMN below BIGINT NOT NULL DEFAULT 9223372036854775807;
