-- Times are Unix milliseconds, 0 for none. Booleans are 0 and 1. Ids are UUIDs as text, but users, whose ids are the platform's.

-- What there is one of. head_seq and head_hash say where the log ends, so that a log cut short is seen.
CREATE TABLE installation (
  one          INTEGER PRIMARY KEY CHECK (one = 1),
  secret       BLOB    NOT NULL,
  head_seq     INTEGER NOT NULL,
  head_hash    BLOB    NOT NULL,
  time_mark_ms INTEGER NOT NULL
) STRICT;

-- A deleted workspace keeps its row until everything in it is purged.
CREATE TABLE workspaces (
  id                 TEXT    PRIMARY KEY,
  name               TEXT    NOT NULL,
  is_active          INTEGER NOT NULL,
  owner_id           TEXT    NOT NULL,
  permission_mode    TEXT    NOT NULL,
  default_per_minute INTEGER NOT NULL,
  default_per_day    INTEGER NOT NULL,
  max_lifetime_ms    INTEGER NOT NULL,
  require_expiry     INTEGER NOT NULL,
  created_ms         INTEGER NOT NULL,
  updated_ms         INTEGER NOT NULL,
  deleted_ms         INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX workspaces_deleted ON workspaces (id) WHERE deleted_ms <> 0;

-- Each set of permissions once: names in catalogue order with a space between. Rows are never changed or removed.
CREATE TABLE permission_sets (
  id    INTEGER PRIMARY KEY,
  names TEXT    NOT NULL UNIQUE
) STRICT;

-- A system role holds what the catalogue says, not a set of its own.
CREATE TABLE roles (
  id           TEXT    PRIMARY KEY,
  workspace_id TEXT    NOT NULL REFERENCES workspaces (id),
  name         TEXT    NOT NULL,
  name_folded  TEXT    NOT NULL,
  description  TEXT    NOT NULL,
  system       TEXT    NOT NULL,
  set_id       INTEGER REFERENCES permission_sets (id),
  member_count INTEGER NOT NULL DEFAULT 0,
  created_ms   INTEGER NOT NULL,
  updated_ms   INTEGER NOT NULL,
  UNIQUE (workspace_id, name_folded)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX roles_page ON roles (workspace_id, id);

-- One who has left keeps a row without a role, for the sake of the keys they made.
CREATE TABLE members (
  workspace_id TEXT    NOT NULL REFERENCES workspaces (id),
  user_id      TEXT    NOT NULL,
  email        TEXT    NOT NULL,
  display_name TEXT    NOT NULL,
  role_id      TEXT    REFERENCES roles (id),
  key_count    INTEGER NOT NULL,
  created_ms   INTEGER NOT NULL,
  updated_ms   INTEGER NOT NULL,
  left_ms      INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (workspace_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_role ON members (role_id, created_ms, user_id);

CREATE TABLE api_keys (
  id           TEXT    PRIMARY KEY,
  workspace_id TEXT    NOT NULL REFERENCES workspaces (id),
  user_id      TEXT    NOT NULL,
  name         TEXT    NOT NULL,
  environment  TEXT    NOT NULL,
  is_active    INTEGER NOT NULL,
  is_revoked   INTEGER NOT NULL,
  is_orphan    INTEGER NOT NULL,
  set_id       INTEGER NOT NULL REFERENCES permission_sets (id),
  per_minute   INTEGER NOT NULL,
  per_day      INTEGER NOT NULL,
  allowed_ips  TEXT    NOT NULL,
  description  TEXT    NOT NULL,
  metadata     TEXT    NOT NULL,
  created_ms   INTEGER NOT NULL,
  updated_ms   INTEGER NOT NULL,
  last_used_ms INTEGER NOT NULL,
  expires_ms   INTEGER NOT NULL,
  masked       TEXT    NOT NULL,
  pepper       TEXT    NOT NULL,
  digest       BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
  has_previous INTEGER NOT NULL
) STRICT;
CREATE INDEX api_keys_page   ON api_keys (workspace_id, id);
CREATE INDEX api_keys_user   ON api_keys (workspace_id, user_id, id);
CREATE INDEX api_keys_off    ON api_keys (workspace_id, id) WHERE is_active = 0;
CREATE INDEX api_keys_pepper ON api_keys (pepper);

-- Earlier values of a key that work until their overlap ends; a key with has_previous = 0 has none.
CREATE TABLE key_values (
  digest   BLOB    PRIMARY KEY CHECK (length(digest) = 32),
  key_id   TEXT    NOT NULL REFERENCES api_keys (id),
  position INTEGER NOT NULL,
  pepper   TEXT    NOT NULL,
  masked   TEXT    NOT NULL,
  until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX key_values_key   ON key_values (key_id, position);
CREATE INDEX key_values_until ON key_values (until_ms);

CREATE TABLE service_keys (
  id         TEXT    PRIMARY KEY,
  name       TEXT    NOT NULL,
  scopes     TEXT    NOT NULL,
  from_env   INTEGER NOT NULL,
  masked     TEXT    NOT NULL,
  pepper     TEXT    NOT NULL,
  digest     BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
  actor        TEXT    NOT NULL,
  idem_key     TEXT    NOT NULL,
  request_hash BLOB    NOT NULL CHECK (length(request_hash) = 32),
  key_id       TEXT    NOT NULL,
  created_ms   INTEGER NOT NULL,
  PRIMARY KEY (actor, idem_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (created_ms);

-- The log. workspace_id is '' for the installation's own events. hash covers the row and the hash before it.
CREATE TABLE events (
  seq          INTEGER PRIMARY KEY,
  id           TEXT    NOT NULL,
  workspace_id TEXT    NOT NULL,
  type         TEXT    NOT NULL,
  description  TEXT    NOT NULL,
  actor_id     TEXT    NOT NULL,
  actor_email  TEXT    NOT NULL,
  created_ms   INTEGER NOT NULL,
  metadata     TEXT    NOT NULL,
  hash         BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX events_workspace ON events (workspace_id, seq);

-- Which types occur where, so that nobody scans the log for it.
CREATE TABLE event_types (
  workspace_id TEXT NOT NULL,
  type         TEXT NOT NULL,
  PRIMARY KEY (workspace_id, type)
) STRICT, WITHOUT ROWID;
