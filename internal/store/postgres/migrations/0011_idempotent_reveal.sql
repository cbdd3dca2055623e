-- oldest: 1
-- The answer to a request with an Idempotency-Key, sealed, while the value may be told again. idem_key holds a hash from here on.
ALTER TABLE idempotency ADD COLUMN sealed BYTEA;
ALTER TABLE idempotency ADD COLUMN sealed_until_ms BIGINT NOT NULL DEFAULT 0;
CREATE INDEX idempotency_sealed ON idempotency (key_id) WHERE sealed IS NOT NULL;
