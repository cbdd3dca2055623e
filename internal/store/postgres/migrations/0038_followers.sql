-- oldest: 15
-- The followers of all nodes. A row is there once a follower has joined at a node; applied is -1, and state '', until that node has
-- reported it for the first time. workspace_ids is a JSON array, '' for a follower that is bound to no workspace.
CREATE TABLE followers (
  service_key_id TEXT COLLATE "C" NOT NULL,
  incarnation    TEXT COLLATE "C" NOT NULL,
  node_id        TEXT COLLATE "C" NOT NULL,
  name           TEXT COLLATE "C" NOT NULL,
  version        TEXT COLLATE "C" NOT NULL,
  limit_ms       BIGINT           NOT NULL,
  joined_ms      BIGINT           NOT NULL,
  workspace_ids  TEXT COLLATE "C" NOT NULL,
  applied        BIGINT           NOT NULL,
  below          BIGINT           NOT NULL,
  followers      BIGINT           NOT NULL,
  age_ms         BIGINT           NOT NULL,
  state          TEXT COLLATE "C" NOT NULL,
  seen_ms        BIGINT           NOT NULL,
  PRIMARY KEY (service_key_id, incarnation, node_id)
);

-- JSON: the least revision of the followers that are bound to no workspace, and that of the others by their workspaces; '' for a node of
-- an older release, of which below tells.
ALTER TABLE nodes ADD COLUMN lows TEXT COLLATE "C" NOT NULL DEFAULT '';
