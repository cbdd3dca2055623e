package store

import (
	"errors"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
)

// FollowerBatch names a batch of a follower. Numbers of a kind rise from one batch to the next.
type FollowerBatch struct {
	Key         id.ServiceKey
	Incarnation string
	Kind        string
	Number      int64
}

var (
	// ErrOldBatch says that a batch comes again after a later one: its answer is forgotten.
	ErrOldBatch = errors.New("a later batch of this follower was taken before")
	// ErrTooManyFollowers says that no more followers may send batches.
	ErrTooManyFollowers = errors.New("as many followers as may have sent batches lately")
)

const (
	mostBatchRows = 40_000
	batchesKept   = 48 * time.Hour
)

// Once does a batch that was not taken yet, and keeps its answer in the same transaction. A batch that comes again does
// nothing and gets the first answer.
func (c *Counting) Once(b FollowerBatch, do func() (answer []byte, err error)) (answer []byte, err error) {
	type row struct {
		number int64
		answer []byte
	}
	last, err := one(c.View, func(r Rows) (w row, err error) {
		err = r.Scan(&w.number, &w.answer)
		return w, err
	}, `SELECT number, answer FROM follower_batches WHERE service_key_id = ? AND incarnation = ? AND kind = ?`,
		b.Key, b.Incarnation, b.Kind)
	switch {
	case errors.Is(err, ErrNotFound):
		if err := c.roomForFollower(); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case last.number == b.Number:
		return last.answer, nil
	case last.number > b.Number:
		return nil, ErrOldBatch
	}
	if answer, err = do(); err != nil {
		return nil, err
	}
	_, err = c.exec(`INSERT INTO follower_batches (service_key_id, incarnation, kind, number, answer, seen_ms)
		VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (service_key_id, incarnation, kind)
		DO UPDATE SET number = excluded.number, answer = excluded.answer, seen_ms = excluded.seen_ms`,
		b.Key, b.Incarnation, b.Kind, b.Number, answer, millis(c.now))
	return answer, err
}

func (c *Counting) roomForFollower() error {
	n, err := one(c.View, scanInt, `SELECT count(*) FROM follower_batches`)
	if err == nil && n >= mostBatchRows {
		err = ErrTooManyFollowers
	}
	return err
}

// ReserveFor is Reserve for a follower. It gives back no more than the follower holds of that day.
func (c *Counting) ReserveFor(b *FollowerBatch, claim *ratelimit.Claim) error {
	type row struct{ day, held int64 }
	has, err := one(c.View, func(r Rows) (w row, err error) {
		err = r.Scan(&w.day, &w.held)
		return w, err
	}, `SELECT day, held FROM follower_days WHERE service_key_id = ? AND incarnation = ? AND account = ?`,
		b.Key, b.Incarnation, claim.ID[:])
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if has.day != claim.Day {
		has = row{day: claim.Day}
	}
	claim.Give = max(0, min(claim.Give, has.held))
	if err := c.Reserve(claim); err != nil {
		return err
	}
	held := has.held - claim.Give + claim.Granted
	if held == has.held {
		return nil
	}
	_, err = c.exec(`INSERT INTO follower_days (service_key_id, incarnation, account, day, held) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (service_key_id, incarnation, account) DO UPDATE SET day = excluded.day, held = excluded.held`,
		b.Key, b.Incarnation, claim.ID[:], claim.Day, held)
	return err
}

// followers removes rows about batches and days of long ago.
func (p *purger) followers() {
	p.remove(`DELETE FROM follower_batches WHERE (service_key_id, incarnation, kind) IN
		(SELECT service_key_id, incarnation, kind FROM follower_batches WHERE seen_ms <= ? LIMIT ?)`,
		millis(p.now.Add(-batchesKept)))
	p.remove(`DELETE FROM follower_days WHERE (service_key_id, incarnation, account) IN
		(SELECT service_key_id, incarnation, account FROM follower_days WHERE day < ? LIMIT ?)`, p.pastDay())
}
