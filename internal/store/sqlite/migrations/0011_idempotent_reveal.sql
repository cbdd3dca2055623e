-- The answer to a request with an Idempotency-Key, sealed, while the value may be told again. idem_key holds a hash from here on.
ALTER TABLE idempotency ADD COLUMN sealed BLOB;
ALTER TABLE idempotency ADD COLUMN sealed_until_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX idempotency_sealed ON idempotency (key_id) WHERE sealed IS NOT NULL;
