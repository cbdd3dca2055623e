-- Whether a key, as a caller, manages the keys of its own environment alone: a service key that is bound to that environment made or rotated it.
ALTER TABLE api_keys ADD COLUMN is_confined INTEGER NOT NULL DEFAULT 0;
