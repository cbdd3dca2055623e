-- oldest: 15
-- When the last backup that is known of was made, and its size; 0 is none. On SQLite a file beside the database says it.
ALTER TABLE installation ADD COLUMN backup_ms    BIGINT NOT NULL DEFAULT 0;
ALTER TABLE installation ADD COLUMN backup_bytes BIGINT NOT NULL DEFAULT 0;

-- Since when the use of permissions is counted; 0 is from the beginning on.
ALTER TABLE installation ADD COLUMN permissions_since_ms BIGINT NOT NULL DEFAULT 0;
UPDATE installation SET permissions_since_ms = CAST(EXTRACT(EPOCH FROM now()) AS BIGINT) * 1000;

-- The last day on which each permission of a key was demanded of it with success: "calls:read=20781 calls:write=20779", in days since
-- 1970.
CREATE TABLE permission_uses (
  key_id TEXT COLLATE "C" PRIMARY KEY,
  days   TEXT COLLATE "C" NOT NULL
);

-- How often permissions were demanded of the keys of a workspace on a day.
CREATE TABLE permission_counts (
  workspace_id TEXT COLLATE "C" NOT NULL,
  day_ms       BIGINT           NOT NULL,
  permission   TEXT COLLATE "C" NOT NULL,
  verified     BIGINT           NOT NULL,
  refused      BIGINT           NOT NULL,
  PRIMARY KEY (workspace_id, day_ms, permission)
);
CREATE INDEX permission_counts_day ON permission_counts (day_ms);
