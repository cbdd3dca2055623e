-- What a service key is confined to, and a session or a one-time link that one made: JSON, and nothing where it is not confined.
ALTER TABLE service_keys ADD COLUMN bounds TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN bounds TEXT NOT NULL DEFAULT '';
ALTER TABLE sign_in_links ADD COLUMN bounds TEXT NOT NULL DEFAULT '';
