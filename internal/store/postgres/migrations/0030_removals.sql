-- oldest: 30
-- A removal of a member that can be undone, and the keys as they were before it. state is '' while it can be, else the reason why
-- not: 'restored', 'returned' (the user became a member in another way) or 'narrowed' (the heir lost permissions meanwhile). A key's
-- state is 0 while the key is as the removal left it, 1 when it was changed since, and 2 when it was deleted. A program that does not
-- know this would change a key without noting it, and the undoing would bring back a right that was taken; so none works beside this one.
CREATE TABLE removals (
  id                  TEXT COLLATE "C" PRIMARY KEY,
  workspace_id        TEXT COLLATE "C" NOT NULL,
  user_id             TEXT COLLATE "C" NOT NULL,
  role_id             TEXT COLLATE "C" NOT NULL,
  role_permissions    TEXT COLLATE "C" NOT NULL,
  permission_mode     TEXT COLLATE "C" NOT NULL,
  removed_by          TEXT COLLATE "C" NOT NULL,
  removed_ms          BIGINT           NOT NULL,
  until_ms            BIGINT           NOT NULL,
  state               TEXT COLLATE "C" NOT NULL
);
CREATE INDEX removals_user ON removals (workspace_id, user_id);
CREATE INDEX removals_until ON removals (until_ms);
CREATE TABLE removal_keys (
  removal_id          TEXT COLLATE "C" NOT NULL,
  key_id              TEXT COLLATE "C" NOT NULL,
  is_active           BIGINT           NOT NULL,
  disabled_by         TEXT COLLATE "C" NOT NULL,
  disabled_ms         BIGINT           NOT NULL,
  disabled_by_right   BIGINT           NOT NULL,
  state               BIGINT           NOT NULL,
  PRIMARY KEY (removal_id, key_id)
);
CREATE INDEX removal_keys_key ON removal_keys (key_id);
