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

// underWay is the first byte of the answer of a batch that is not done yet; what is done of it follows.
const underWay = 0

// Once does a batch that was not taken yet, and keeps its answer in the same transaction. A batch that comes again does
// nothing and gets the first answer.
func (c *Counting) Once(b FollowerBatch, do func() (answer []byte, err error)) (answer []byte, err error) {
	answer, _, err = c.OnceInParts(b, func([]byte) ([]byte, bool, error) {
		answer, err := do()
		return answer, true, err
	})
	return answer, err
}

// OnceInParts is Once for a batch that takes several transactions: each calls it until all is done. do is given what is
// done so far, nil at first, does another part, and returns what is done then; in the end that is the answer. A batch
// that comes again after a part goes on there.
func (c *Counting) OnceInParts(
	b FollowerBatch, do func(done []byte) (after []byte, all bool, err error),
) (answer []byte, all bool, err error) {
	type row struct {
		number int64
		answer []byte
	}
	last, err := one(c.View, func(r Rows) (w row, err error) {
		err = r.Scan(&w.number, &w.answer)
		return w, err
	}, `SELECT number, answer FROM follower_batches WHERE service_key_id = ? AND incarnation = ? AND kind = ?`,
		b.Key, b.Incarnation, b.Kind)
	var done []byte
	switch {
	case errors.Is(err, ErrNotFound):
		if err := c.roomForFollower(); err != nil {
			return nil, false, err
		}
	case err != nil:
		return nil, false, err
	case last.number > b.Number:
		return nil, false, ErrOldBatch
	case last.number == b.Number:
		if len(last.answer) == 0 || last.answer[0] != underWay {
			return last.answer, true, nil
		}
		done = last.answer[1:]
	}
	if answer, all, err = do(done); err != nil {
		return nil, false, err
	}
	kept := answer
	if !all {
		kept = append([]byte{underWay}, answer...)
	}
	_, err = c.exec(`INSERT INTO follower_batches (service_key_id, incarnation, kind, number, answer, seen_ms)
		VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (service_key_id, incarnation, kind)
		DO UPDATE SET number = excluded.number, answer = excluded.answer, seen_ms = excluded.seen_ms`,
		b.Key, b.Incarnation, b.Kind, b.Number, kept, millis(c.now))
	return answer, all, err
}

// Bounds of a part of a batch: so many items between two looks at whether others wait, and so many at most.
const (
	partStep = 32
	partMost = 256
)

// Part does items of a batch, from one on, until it is long enough, and returns where the next part begins.
func (c *Counting) Part(from, size int, do func(from, to int) error) (to int, err error) {
	end := min(size, from+partMost)
	for to = from; to < end; {
		next := min(end, to+partStep)
		if err := do(to, next); err != nil {
			return from, err
		}
		if to = next; c.tx.ShouldEnd() {
			break
		}
	}
	return to, nil
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
