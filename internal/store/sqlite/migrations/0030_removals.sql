-- A removal of a member that can be undone, and the keys as they were before it. state is '' while it can be, else the reason why
-- not: 'restored', 'returned' (the user became a member in another way) or 'narrowed' (the heir lost permissions meanwhile). A key's
-- state is 0 while the key is as the removal left it, 1 when it was changed since, and 2 when it was deleted.
CREATE TABLE removals (
  id               TEXT    PRIMARY KEY,
  workspace_id     TEXT    NOT NULL,
  user_id          TEXT    NOT NULL,
  role_id          TEXT    NOT NULL,
  role_permissions TEXT    NOT NULL,
  permission_mode  TEXT    NOT NULL,
  removed_by       TEXT    NOT NULL,
  removed_ms       INTEGER NOT NULL,
  until_ms         INTEGER NOT NULL,
  state            TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX removals_user ON removals (workspace_id, user_id);
CREATE INDEX removals_until ON removals (until_ms);
CREATE TABLE removal_keys (
  removal_id        TEXT    NOT NULL,
  key_id            TEXT    NOT NULL,
  is_active         INTEGER NOT NULL,
  disabled_by       TEXT    NOT NULL,
  disabled_ms       INTEGER NOT NULL,
  disabled_by_right INTEGER NOT NULL,
  state             INTEGER NOT NULL,
  PRIMARY KEY (removal_id, key_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX removal_keys_key ON removal_keys (key_id);
