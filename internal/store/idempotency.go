package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/id"
)

// IdempotencyLife is how long a request can be replayed.
const IdempotencyLife = 24 * time.Hour

// Replay is the record of a request that carried an Idempotency-Key: a hash of the request, and the key that it made
// or rotated.
type Replay struct {
	RequestHash [32]byte
	Key         id.Key
	CreatedAt   time.Time
	// Sealed is the value that was answered, encrypted; nil once SealedUntil has passed or the value was replaced or
	// taken back.
	Sealed      []byte
	SealedUntil time.Time
}

// hashedName is stored instead of a client's Idempotency-Key. The blank in it makes it no Idempotency-Key itself.
func hashedName(scope, key string) string {
	sum := sha256.Sum256([]byte("keyward idempotency key\x00" + scope + "\x00" + key))
	return "sha256 " + hex.EncodeToString(sum[:])
}

// Idempotent reads the request that was made in the scope under the client's key; ErrNotFound says none, or too long
// ago. Requests from before schema 11 stand there by the key itself.
func (v *View) Idempotent(scope, key string) (Replay, error) {
	return one(v, func(r Rows) (p Replay, err error) {
		var hash []byte
		var created, until int64
		err = r.Scan(&hash, &p.Key, &created, &p.Sealed, &until)
		copy(p.RequestHash[:], hash)
		p.CreatedAt = fromMillis(created)
		if p.SealedUntil = fromMillis(until); !p.SealedUntil.After(v.now) {
			p.Sealed = nil
		}
		return p, err
	}, `SELECT request_hash, key_id, created_ms, sealed, sealed_until_ms FROM idempotency
		WHERE actor = ? AND idem_key IN (?, ?) AND created_ms > ?`, scope, hashedName(scope, key), key, v.staleReplay())
}

// staleReplay is the time, in milliseconds, at or before which a replay is forgotten.
func (v *View) staleReplay() int64 { return millis(v.now.Add(-IdempotencyLife)) }

// PutIdempotent keeps a request, as of now. ErrDuplicate says that there is one already.
func (tx *Tx) PutIdempotent(scope, key string, p Replay) error {
	name := hashedName(scope, key)
	_, err := tx.q.Exec(tx.ctx, `DELETE FROM idempotency WHERE actor = ? AND idem_key IN (?, ?) AND created_ms <= ?`,
		scope, name, key, tx.staleReplay())
	if err == nil {
		err = tx.execBeside(
			`INSERT INTO idempotency (actor, idem_key, request_hash, key_id, created_ms, sealed, sealed_until_ms)
			VALUES (?, ?, ?, ?, ?, ?, ?)`,
			scope,
			name,
			p.RequestHash[:],
			p.Key,
			millis(tx.now),
			blobOrNull(p.Sealed),
			millis(p.SealedUntil),
		)
	}
	if err != nil {
		return fmt.Errorf("put idempotency key: %w", err)
	}
	return nil
}

func blobOrNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// wipeSealed removes the sealed copies of a key's value, because it was replaced or taken back.
func (tx *Tx) wipeSealed(k id.Key) error {
	return tx.q.ExecDeferred(
		tx.ctx, `UPDATE idempotency SET sealed = NULL, sealed_until_ms = 0 WHERE key_id = ? AND sealed IS NOT NULL`, k,
	)
}

// wipeSealedOf removes those of all keys of a workspace, whose id is the first word of each scope.
func (tx *Tx) wipeSealedOf(ws id.Workspace) error {
	return tx.q.ExecDeferred(tx.ctx, `UPDATE idempotency SET sealed = NULL, sealed_until_ms = 0
		WHERE actor >= ? AND actor < ? AND sealed IS NOT NULL`, string(ws)+" ", string(ws)+"!")
}

// pastSealed removes sealed copies whose time has passed.
func (p *purger) pastSealed() {
	p.remove(`UPDATE idempotency SET sealed = NULL, sealed_until_ms = 0 WHERE (actor, idem_key) IN
		(SELECT actor, idem_key FROM idempotency WHERE sealed IS NOT NULL AND sealed_until_ms <= ? LIMIT ?)`, millis(p.now))
}
