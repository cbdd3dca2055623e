-- oldest: 15
-- Passkeys of members, the invitations by which members register their first one, the challenges of WebAuthn that were answered, and which
-- members have ever signed in. Only digests of invitations are kept. bounds are those under which the inviter called; since_ms is when the
-- membership began, so that what was given to a member ends with the membership.
CREATE TABLE passkeys (
  id           TEXT COLLATE "C" PRIMARY KEY,
  workspace_id TEXT COLLATE "C" NOT NULL,
  user_id      TEXT COLLATE "C" NOT NULL,
  since_ms     BIGINT           NOT NULL,
  name         TEXT COLLATE "C" NOT NULL,
  credential   BYTEA            NOT NULL UNIQUE,
  public_key   BYTEA            NOT NULL,
  handle       BYTEA            NOT NULL,
  counter      BIGINT           NOT NULL,
  backup       BIGINT           NOT NULL,
  bounds       TEXT COLLATE "C" NOT NULL,
  created_ms   BIGINT           NOT NULL,
  used_ms      BIGINT           NOT NULL
);
CREATE INDEX passkeys_member ON passkeys (workspace_id, user_id, id);

CREATE TABLE invitations (
  digest         BYTEA            PRIMARY KEY CHECK (length(digest) = 32),
  workspace_id   TEXT COLLATE "C" NOT NULL,
  user_id        TEXT COLLATE "C" NOT NULL,
  since_ms       BIGINT           NOT NULL,
  service_key_id TEXT COLLATE "C" NOT NULL,
  api_key_id     TEXT COLLATE "C" NOT NULL,
  inviter_id     TEXT COLLATE "C" NOT NULL,
  bounds         TEXT COLLATE "C" NOT NULL,
  expires_ms     BIGINT           NOT NULL
);
CREATE INDEX invitations_member  ON invitations (workspace_id, user_id);
CREATE INDEX invitations_expires ON invitations (expires_ms);

CREATE TABLE answered_challenges (
  digest     BYTEA            PRIMARY KEY CHECK (length(digest) = 32),
  expires_ms BIGINT           NOT NULL
);
CREATE INDEX answered_challenges_expires ON answered_challenges (expires_ms);

CREATE TABLE signed_in (
  workspace_id TEXT COLLATE "C" NOT NULL,
  user_id      TEXT COLLATE "C" NOT NULL,
  first_ms     BIGINT           NOT NULL,
  PRIMARY KEY (workspace_id, user_id)
);

-- Before this version the log alone told who had signed in.
INSERT INTO signed_in (workspace_id, user_id, first_ms)
  SELECT workspace_id, actor_id, min(created_ms) FROM events WHERE type = 'session.started' AND workspace_id <> ''
  GROUP BY workspace_id, actor_id;
