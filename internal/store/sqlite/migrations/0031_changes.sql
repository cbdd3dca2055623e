-- The change log, which followers read: which objects the transaction that ends with the event "revision" has touched. It begins where
-- the log of events ended when this step was applied.
CREATE TABLE changes (
  revision     INTEGER NOT NULL,
  position     INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  workspace_id TEXT    NOT NULL,
  object_id    TEXT    NOT NULL,
  created_ms   INTEGER NOT NULL,
  PRIMARY KEY (revision, position)
) STRICT, WITHOUT ROWID;

-- The history of the database: a cursor of another epoch is of another one.
CREATE TABLE cluster (
  one       INTEGER PRIMARY KEY CHECK (one = 1),
  epoch     TEXT    NOT NULL,
  pruned_to INTEGER NOT NULL
) STRICT;
INSERT INTO cluster (one, epoch, pruned_to)
  VALUES (1, lower(hex(randomblob(16))), coalesce((SELECT head_seq FROM installation), 0));

-- The followers that have joined: after a start each counts as behind until it was heard, or has fenced itself.
CREATE TABLE followers (
  service_key_id TEXT    NOT NULL,
  incarnation    TEXT    NOT NULL,
  name           TEXT    NOT NULL,
  version        TEXT    NOT NULL,
  limit_ms       INTEGER NOT NULL,
  joined_ms      INTEGER NOT NULL,
  PRIMARY KEY (service_key_id, incarnation)
) STRICT, WITHOUT ROWID;
