-- Webhooks: URLs to which signed notices are sent. workspace_id is '' for one of the whole installation. kinds are the chosen ones with
-- blanks between them. secret and previous are sealed under the pepper, or plain where pepper is 'none'; previous signs too until
-- previous_ms. seq is the event of the log up to which notices are queued, looked_ms and looked_id the time and the key up to which those
-- are that come from the clock, next the number of the next delivery. deleted_ms is 0 while it is there.
CREATE TABLE webhooks (
  id           TEXT    PRIMARY KEY,
  workspace_id TEXT    NOT NULL,
  url          TEXT    NOT NULL,
  description  TEXT    NOT NULL,
  kinds        TEXT    NOT NULL,
  is_active    INTEGER NOT NULL,
  reason       TEXT    NOT NULL,
  secret       BLOB    NOT NULL,
  previous     BLOB    NOT NULL,
  previous_ms  INTEGER NOT NULL,
  pepper       TEXT    NOT NULL,
  created_by   TEXT    NOT NULL,
  created_ms   INTEGER NOT NULL,
  updated_ms   INTEGER NOT NULL,
  deleted_ms   INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  looked_ms    INTEGER NOT NULL,
  looked_id    TEXT    NOT NULL,
  next         INTEGER NOT NULL,
  failing_ms   INTEGER NOT NULL,
  delivered_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX webhooks_workspace ON webhooks (workspace_id, id);
CREATE INDEX webhooks_pepper    ON webhooks (pepper);

-- Notices on their way to a webhook, and those that have ended, for a while. state is 0 while it waits, 1 delivered, 2 failed. object
-- is the id of what the notice is about.
CREATE TABLE webhook_deliveries (
  id           TEXT    PRIMARY KEY,
  webhook_id   TEXT    NOT NULL,
  number       INTEGER NOT NULL,
  event_id     TEXT    NOT NULL,
  kind         TEXT    NOT NULL,
  workspace_id TEXT    NOT NULL,
  object       TEXT    NOT NULL,
  body         TEXT    NOT NULL,
  state        INTEGER NOT NULL,
  is_replay    INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  status       INTEGER NOT NULL,
  error        TEXT    NOT NULL,
  created_ms   INTEGER NOT NULL,
  first_ms     INTEGER NOT NULL,
  last_ms      INTEGER NOT NULL,
  next_ms      INTEGER NOT NULL,
  ended_ms     INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_deliveries_number ON webhook_deliveries (webhook_id, number);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (webhook_id, object, number) WHERE state = 0;
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_ms) WHERE state > 0;

-- How near to a limit of its plan a webhook was told that a workspace is: level in percent, of the limit and period that mark names.
CREATE TABLE webhook_levels (
  webhook_id   TEXT    NOT NULL,
  workspace_id TEXT    NOT NULL,
  quota        TEXT    NOT NULL,
  mark         TEXT    NOT NULL,
  level        INTEGER NOT NULL,
  PRIMARY KEY (webhook_id, workspace_id, quota)
) STRICT, WITHOUT ROWID;

-- The node that sends the notices, until its lease ends.
CREATE TABLE webhook_lease (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  node     TEXT    NOT NULL,
  until_ms INTEGER NOT NULL
) STRICT;
INSERT INTO webhook_lease VALUES (1, '', 0);
