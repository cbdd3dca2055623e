-- oldest: 23
-- What becomes of the keys of a membership that ended, or began again, while their rows are not written yet. period counts the
-- memberships of a user in a workspace: a settlement covers the keys of its period and of earlier ones. done_ms is 0 while rows are left.
-- A program that does not know settlements would judge such keys by their rows, so none works beside this one.
ALTER TABLE members ADD COLUMN period BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN period BIGINT NOT NULL DEFAULT 0;
CREATE TABLE settlements (
  id                  TEXT COLLATE "C" PRIMARY KEY,
  workspace_id        TEXT COLLATE "C" NOT NULL,
  user_id             TEXT COLLATE "C" NOT NULL,
  period              BIGINT           NOT NULL,
  kind                TEXT COLLATE "C" NOT NULL,
  heir                TEXT COLLATE "C" NOT NULL,
  ceiling             TEXT COLLATE "C" NOT NULL,
  bound               TEXT COLLATE "C" NOT NULL,
  decided_by          TEXT COLLATE "C" NOT NULL,
  decided_ms          BIGINT           NOT NULL,
  origin              TEXT COLLATE "C" NOT NULL,
  after_id            TEXT COLLATE "C" NOT NULL,
  worked_ms           BIGINT           NOT NULL,
  done_ms             BIGINT           NOT NULL
);
CREATE INDEX settlements_open ON settlements (workspace_id, user_id, period) WHERE done_ms = 0;
CREATE INDEX settlements_done ON settlements (done_ms) WHERE done_ms > 0;
CREATE INDEX api_keys_kept ON api_keys (workspace_id, user_id) WHERE is_orphan = 1;
