-- People who are signed in. A session acts as a member, or as a service key where service_key_id is not ''; workspace_id is then the
-- one that is looked at, '' for none. Only digests of tokens are kept.
CREATE TABLE sessions (
  id             TEXT    PRIMARY KEY,
  service_key_id TEXT    NOT NULL,
  workspace_id   TEXT    NOT NULL,
  user_id        TEXT    NOT NULL,
  method         TEXT    NOT NULL,
  address        TEXT    NOT NULL,
  user_agent     TEXT    NOT NULL,
  digest         BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
  started_ms     INTEGER NOT NULL,
  seen_ms        INTEGER NOT NULL,
  expires_ms     INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_user      ON sessions (user_id, id);
CREATE INDEX sessions_workspace ON sessions (workspace_id, id);
CREATE INDEX sessions_seen      ON sessions (seen_ms);
CREATE INDEX sessions_expires   ON sessions (expires_ms);

-- One-time links that nobody has followed yet.
CREATE TABLE sign_in_links (
  digest         BLOB    PRIMARY KEY CHECK (length(digest) = 32),
  service_key_id TEXT    NOT NULL,
  workspace_id   TEXT    NOT NULL,
  user_id        TEXT    NOT NULL,
  expires_ms     INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_in_links_member  ON sign_in_links (workspace_id, user_id);
CREATE INDEX sign_in_links_expires ON sign_in_links (expires_ms);

-- In which workspaces a person is.
CREATE INDEX members_user ON members (user_id, workspace_id);
