-- The followers that have joined, with the workspaces that each is bound to: a JSON array, '' for none. The columns are those of a
-- database that several nodes share; here node_id is '', and nothing is reported.
CREATE TABLE followers_now (
  service_key_id TEXT    NOT NULL,
  incarnation    TEXT    NOT NULL,
  node_id        TEXT    NOT NULL,
  name           TEXT    NOT NULL,
  version        TEXT    NOT NULL,
  limit_ms       INTEGER NOT NULL,
  joined_ms      INTEGER NOT NULL,
  workspace_ids  TEXT    NOT NULL,
  applied        INTEGER NOT NULL,
  below          INTEGER NOT NULL,
  followers      INTEGER NOT NULL,
  age_ms         INTEGER NOT NULL,
  state          TEXT    NOT NULL,
  seen_ms        INTEGER NOT NULL,
  PRIMARY KEY (service_key_id, incarnation, node_id)
) STRICT, WITHOUT ROWID;
INSERT INTO followers_now
  SELECT service_key_id, incarnation, '', name, version, limit_ms, joined_ms, '', -1, 9223372036854775807, 0, 0, '', joined_ms FROM followers;
DROP TABLE followers;
ALTER TABLE followers_now RENAME TO followers;
