-- oldest: 15
-- Requests for keys: a key, or a new value of one, that a signed-in member has yet to confirm. No row holds a value. terms is JSON: all
-- that is asked for. asker is JSON: the credential that asked, by its digest; '' once the request has ended. ended_ms is 0 while it waits.
CREATE TABLE key_requests (
  id           TEXT COLLATE "C" PRIMARY KEY,
  workspace_id TEXT COLLATE "C" NOT NULL,
  key_id       TEXT COLLATE "C" NOT NULL,
  rotates      BIGINT           NOT NULL,
  user_id      TEXT COLLATE "C" NOT NULL,
  terms        TEXT COLLATE "C" NOT NULL,
  actor_id     TEXT COLLATE "C" NOT NULL,
  asker        TEXT COLLATE "C" NOT NULL,
  created_ms   BIGINT           NOT NULL,
  expires_ms   BIGINT           NOT NULL,
  ended_ms     BIGINT           NOT NULL,
  confirmed    BIGINT           NOT NULL
);
CREATE INDEX key_requests_workspace ON key_requests (workspace_id, expires_ms);
CREATE INDEX key_requests_expires   ON key_requests (expires_ms);
