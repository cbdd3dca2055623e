package store

import (
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/id"
)

// IdempotencyLife is how long a request can be replayed.
const IdempotencyLife = 24 * time.Hour

// Replay is what is kept of a request that carried an idempotency key: what it asked, as a hash, and which key it made.
type Replay struct {
	RequestHash [32]byte
	Key         id.Key
	CreatedAt   time.Time
}

// Idempotent reads what the actor asked under the idempotency key; ErrNotFound says nothing, or too long ago.
func (v *View) Idempotent(actor, key string) (Replay, error) {
	return one(v, func(r Rows) (p Replay, err error) {
		var hash []byte
		var created int64
		err = r.Scan(&hash, &p.Key, &created)
		copy(p.RequestHash[:], hash)
		p.CreatedAt = fromMillis(created)
		return p, err
	}, `SELECT request_hash, key_id, created_ms FROM idempotency WHERE actor = ? AND idem_key = ? AND created_ms > ?`,
		actor, key, v.staleReplay())
}

// staleReplay is the time, in milliseconds, at or before which a replay is forgotten.
func (v *View) staleReplay() int64 { return millis(v.now.Add(-IdempotencyLife)) }

// PutIdempotent keeps a replay. ErrDuplicate says that there is one already.
func (tx *Tx) PutIdempotent(actor, key string, hash [32]byte, k id.Key) error {
	_, err := tx.q.Exec(tx.ctx, `DELETE FROM idempotency WHERE actor = ? AND idem_key = ? AND created_ms <= ?`, actor, key, tx.staleReplay())
	if err == nil {
		err = tx.execBeside(`INSERT INTO idempotency (actor, idem_key, request_hash, key_id, created_ms) VALUES (?, ?, ?, ?, ?)`,
			actor, key, hash[:], k, millis(tx.now))
	}
	if err != nil {
		return fmt.Errorf("put idempotency key: %w", err)
	}
	return nil
}
