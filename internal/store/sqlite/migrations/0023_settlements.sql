-- What becomes of the keys of a membership that ended, or began again, while their rows are not written yet. period counts the
-- memberships of a user in a workspace: a settlement covers the keys of its period and of earlier ones. done_ms is 0 while rows are left.
ALTER TABLE members ADD COLUMN period INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN period INTEGER NOT NULL DEFAULT 0;
CREATE TABLE settlements (
  id           TEXT    PRIMARY KEY,
  workspace_id TEXT    NOT NULL,
  user_id      TEXT    NOT NULL,
  period       INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  heir         TEXT    NOT NULL,
  ceiling      TEXT    NOT NULL,
  bound        TEXT    NOT NULL,
  decided_by   TEXT    NOT NULL,
  decided_ms   INTEGER NOT NULL,
  origin       TEXT    NOT NULL,
  after_id     TEXT    NOT NULL,
  worked_ms    INTEGER NOT NULL,
  done_ms      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX settlements_open ON settlements (workspace_id, user_id, period) WHERE done_ms = 0;
CREATE INDEX settlements_done ON settlements (done_ms) WHERE done_ms > 0;
CREATE INDEX api_keys_kept ON api_keys (workspace_id, user_id) WHERE is_orphan = 1;
