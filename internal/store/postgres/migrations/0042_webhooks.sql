-- oldest: 15
-- Webhooks: URLs to which signed notices are sent. workspace_id is '' for one of the whole installation. kinds are the chosen ones with
-- blanks between them. secret and previous are sealed under the pepper, or plain where pepper is 'none'; previous signs too until
-- previous_ms. seq is the event of the log up to which notices are queued, looked_ms and looked_id the time and the key up to which those
-- are that come from the clock, next the number of the next delivery. deleted_ms is 0 while it is there.
CREATE TABLE webhooks (
  id           TEXT COLLATE "C" PRIMARY KEY,
  workspace_id TEXT COLLATE "C" NOT NULL,
  url          TEXT COLLATE "C" NOT NULL,
  description  TEXT COLLATE "C" NOT NULL,
  kinds        TEXT COLLATE "C" NOT NULL,
  is_active    BIGINT NOT NULL,
  reason       TEXT COLLATE "C" NOT NULL,
  secret       BYTEA    NOT NULL,
  previous     BYTEA    NOT NULL,
  previous_ms  BIGINT NOT NULL,
  pepper       TEXT COLLATE "C" NOT NULL,
  created_by   TEXT COLLATE "C" NOT NULL,
  created_ms   BIGINT NOT NULL,
  updated_ms   BIGINT NOT NULL,
  deleted_ms   BIGINT NOT NULL,
  seq          BIGINT NOT NULL,
  looked_ms    BIGINT NOT NULL,
  looked_id    TEXT COLLATE "C" NOT NULL,
  next         BIGINT NOT NULL,
  failing_ms   BIGINT NOT NULL,
  delivered_ms BIGINT NOT NULL
);
CREATE INDEX webhooks_workspace ON webhooks (workspace_id, id);
CREATE INDEX webhooks_pepper    ON webhooks (pepper);

-- Notices on their way to a webhook, and those that have ended, for a while. state is 0 while it waits, 1 delivered, 2 failed. object
-- is the id of what the notice is about.
CREATE TABLE webhook_deliveries (
  id           TEXT COLLATE "C" PRIMARY KEY,
  webhook_id   TEXT COLLATE "C" NOT NULL,
  number       BIGINT NOT NULL,
  event_id     TEXT COLLATE "C" NOT NULL,
  kind         TEXT COLLATE "C" NOT NULL,
  workspace_id TEXT COLLATE "C" NOT NULL,
  object       TEXT COLLATE "C" NOT NULL,
  body         TEXT COLLATE "C" NOT NULL,
  state        BIGINT NOT NULL,
  is_replay    BIGINT NOT NULL,
  attempts     BIGINT NOT NULL,
  status       BIGINT NOT NULL,
  error        TEXT COLLATE "C" NOT NULL,
  created_ms   BIGINT NOT NULL,
  first_ms     BIGINT NOT NULL,
  last_ms      BIGINT NOT NULL,
  next_ms      BIGINT NOT NULL,
  ended_ms     BIGINT NOT NULL
);
CREATE INDEX webhook_deliveries_number ON webhook_deliveries (webhook_id, number);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (webhook_id, object, number) WHERE state = 0;
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_ms) WHERE state > 0;

-- How near to a limit of its plan a webhook was told that a workspace is: level in percent, of the limit and period that mark names.
CREATE TABLE webhook_levels (
  webhook_id   TEXT COLLATE "C" NOT NULL,
  workspace_id TEXT COLLATE "C" NOT NULL,
  quota        TEXT COLLATE "C" NOT NULL,
  mark         TEXT COLLATE "C" NOT NULL,
  level        BIGINT NOT NULL,
  PRIMARY KEY (webhook_id, workspace_id, quota)
);

-- The node that sends the notices, until its lease ends.
CREATE TABLE webhook_lease (
  one      BIGINT PRIMARY KEY CHECK (one = 1),
  node     TEXT COLLATE "C" NOT NULL,
  until_ms BIGINT NOT NULL
);
INSERT INTO webhook_lease VALUES (1, '', 0);
