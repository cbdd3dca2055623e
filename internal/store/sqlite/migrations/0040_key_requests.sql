-- Requests for keys: a key, or a new value of one, that a signed-in member has yet to confirm. No row holds a value. terms is JSON: all
-- that is asked for. asker is JSON: the credential that asked, by its digest; '' once the request has ended. ended_ms is 0 while it waits.
CREATE TABLE key_requests (
  id           TEXT    PRIMARY KEY,
  workspace_id TEXT    NOT NULL,
  key_id       TEXT    NOT NULL,
  rotates      INTEGER NOT NULL,
  user_id      TEXT    NOT NULL,
  terms        TEXT    NOT NULL,
  actor_id     TEXT    NOT NULL,
  asker        TEXT    NOT NULL,
  created_ms   INTEGER NOT NULL,
  expires_ms   INTEGER NOT NULL,
  ended_ms     INTEGER NOT NULL,
  confirmed    INTEGER NOT NULL
) STRICT;
CREATE INDEX key_requests_workspace ON key_requests (workspace_id, expires_ms);
CREATE INDEX key_requests_expires   ON key_requests (expires_ms);
