-- When the last backup that is known of was made, and its size; 0 is none. On SQLite a file beside the database says it.
ALTER TABLE installation ADD COLUMN backup_ms    INTEGER NOT NULL DEFAULT 0;
ALTER TABLE installation ADD COLUMN backup_bytes INTEGER NOT NULL DEFAULT 0;

-- Since when the use of permissions is counted; 0 is from the beginning on.
ALTER TABLE installation ADD COLUMN permissions_since_ms INTEGER NOT NULL DEFAULT 0;
UPDATE installation SET permissions_since_ms = CAST(unixepoch('now') AS INTEGER) * 1000;

-- The last day on which each permission of a key was demanded of it with success: "calls:read=20781 calls:write=20779", in days since
-- 1970.
CREATE TABLE permission_uses (
  key_id TEXT PRIMARY KEY,
  days   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How often permissions were demanded of the keys of a workspace on a day.
CREATE TABLE permission_counts (
  workspace_id TEXT    NOT NULL,
  day_ms       INTEGER NOT NULL,
  permission   TEXT    NOT NULL,
  verified     INTEGER NOT NULL,
  refused      INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, day_ms, permission)
) STRICT, WITHOUT ROWID;
CREATE INDEX permission_counts_day ON permission_counts (day_ms);
