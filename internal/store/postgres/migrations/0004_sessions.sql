-- oldest: 1
-- People who are signed in. A session acts as a member, or as a service key where service_key_id is not ''; workspace_id is then the
-- one that is looked at, '' for none. Only digests of tokens are kept.
CREATE TABLE sessions (
  id                  TEXT COLLATE "C" PRIMARY KEY,
  service_key_id      TEXT COLLATE "C" NOT NULL,
  workspace_id        TEXT COLLATE "C" NOT NULL,
  user_id             TEXT COLLATE "C" NOT NULL,
  method              TEXT COLLATE "C" NOT NULL,
  address             TEXT COLLATE "C" NOT NULL,
  user_agent          TEXT COLLATE "C" NOT NULL,
  digest              BYTEA            NOT NULL UNIQUE CHECK (length(digest) = 32),
  started_ms          BIGINT           NOT NULL,
  seen_ms             BIGINT           NOT NULL,
  expires_ms          BIGINT           NOT NULL
);
CREATE INDEX sessions_user      ON sessions (user_id, id);
CREATE INDEX sessions_workspace ON sessions (workspace_id, id);
CREATE INDEX sessions_seen      ON sessions (seen_ms);
CREATE INDEX sessions_expires   ON sessions (expires_ms);

-- One-time links that nobody has followed yet.
CREATE TABLE sign_in_links (
  digest              BYTEA            PRIMARY KEY CHECK (length(digest) = 32),
  service_key_id      TEXT COLLATE "C" NOT NULL,
  workspace_id        TEXT COLLATE "C" NOT NULL,
  user_id             TEXT COLLATE "C" NOT NULL,
  expires_ms          BIGINT           NOT NULL
);
CREATE INDEX sign_in_links_member  ON sign_in_links (workspace_id, user_id);
CREATE INDEX sign_in_links_expires ON sign_in_links (expires_ms);

-- In which workspaces a person is.
CREATE INDEX members_user ON members (user_id, workspace_id);
