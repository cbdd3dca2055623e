-- Passkeys of members, the invitations by which members register their first one, the challenges of WebAuthn that were answered, and which
-- members have ever signed in. Only digests of invitations are kept. bounds are those under which the inviter called; since_ms is when the
-- membership began, so that what was given to a member ends with the membership.
CREATE TABLE passkeys (
  id           TEXT    PRIMARY KEY,
  workspace_id TEXT    NOT NULL,
  user_id      TEXT    NOT NULL,
  since_ms     INTEGER NOT NULL,
  name         TEXT    NOT NULL,
  credential   BLOB    NOT NULL UNIQUE,
  public_key   BLOB    NOT NULL,
  handle       BLOB    NOT NULL,
  counter      INTEGER NOT NULL,
  backup       INTEGER NOT NULL,
  bounds       TEXT    NOT NULL,
  created_ms   INTEGER NOT NULL,
  used_ms      INTEGER NOT NULL
) STRICT;
CREATE INDEX passkeys_member ON passkeys (workspace_id, user_id, id);

CREATE TABLE invitations (
  digest         BLOB    PRIMARY KEY CHECK (length(digest) = 32),
  workspace_id   TEXT    NOT NULL,
  user_id        TEXT    NOT NULL,
  since_ms       INTEGER NOT NULL,
  service_key_id TEXT    NOT NULL,
  api_key_id     TEXT    NOT NULL,
  inviter_id     TEXT    NOT NULL,
  bounds         TEXT    NOT NULL,
  expires_ms     INTEGER NOT NULL
) STRICT;
CREATE INDEX invitations_member  ON invitations (workspace_id, user_id);
CREATE INDEX invitations_expires ON invitations (expires_ms);

CREATE TABLE answered_challenges (
  digest     BLOB    PRIMARY KEY CHECK (length(digest) = 32),
  expires_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX answered_challenges_expires ON answered_challenges (expires_ms);

CREATE TABLE signed_in (
  workspace_id TEXT    NOT NULL,
  user_id      TEXT    NOT NULL,
  first_ms     INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, user_id)
) STRICT;

-- Before this version the log alone told who had signed in.
INSERT INTO signed_in (workspace_id, user_id, first_ms)
  SELECT workspace_id, actor_id, min(created_ms) FROM events WHERE type = 'session.started' AND workspace_id <> ''
  GROUP BY workspace_id, actor_id;
