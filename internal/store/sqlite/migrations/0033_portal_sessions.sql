-- Portal sessions: a member acts through one in a page of the platform. terms is JSON: capabilities, ceiling, origins and what the page
-- shows. Only a digest of the client secret is kept. thumbprint names the key that exchanged it, '' before. since_ms is when the membership
-- began, and role_id the role that the member had. ended_ms is 0 while the session goes on.
CREATE TABLE portal_sessions (
  id             TEXT    PRIMARY KEY,
  workspace_id   TEXT    NOT NULL,
  user_id        TEXT    NOT NULL,
  role_id        TEXT    NOT NULL,
  since_ms       INTEGER NOT NULL,
  service_key_id TEXT    NOT NULL,
  maker_id       TEXT    NOT NULL,
  session_id     TEXT    NOT NULL,
  bounds         TEXT    NOT NULL,
  terms          TEXT    NOT NULL,
  digest         BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
  thumbprint     TEXT    NOT NULL,
  created_ms     INTEGER NOT NULL,
  expires_ms     INTEGER NOT NULL,
  ended_ms       INTEGER NOT NULL
) STRICT;
CREATE INDEX portal_sessions_member  ON portal_sessions (workspace_id, user_id, id);
CREATE INDEX portal_sessions_key     ON portal_sessions (service_key_id);
CREATE INDEX portal_sessions_expires ON portal_sessions (expires_ms);

-- Proofs of possession (RFC 9449) that were presented, so that none is good twice.
CREATE TABLE portal_proofs (
  digest     BLOB    PRIMARY KEY CHECK (length(digest) = 32),
  expires_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX portal_proofs_expires ON portal_proofs (expires_ms);
