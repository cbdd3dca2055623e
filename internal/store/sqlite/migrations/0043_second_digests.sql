-- Second digests, for followers that are bound to a workspace: HMAC-SHA-256 under a key that is derived from a pepper for the workspace.
-- The pepper's name, a colon, and base64url; '' for none. A service key has one for the first workspace that it is bound to.
ALTER TABLE api_keys     ADD COLUMN second_digest TEXT NOT NULL DEFAULT '';
ALTER TABLE key_values   ADD COLUMN second_digest TEXT NOT NULL DEFAULT '';
ALTER TABLE service_keys ADD COLUMN second_digest TEXT NOT NULL DEFAULT '';

-- About how many keys a follower has to ask, because the feed does not tell it their values.
ALTER TABLE followers ADD COLUMN keys_to_ask INTEGER NOT NULL DEFAULT 0;
