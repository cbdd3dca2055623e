package store

import (
	"errors"

	"github.com/keyward/keyward/internal/ratelimit"
)

// Reserve does a claim on a key's day: see ratelimit.Claim. A row never stands above the claim's limit by it, and never
// goes back to an earlier day, unless a jump of the clock has begun the later one.
func (c *Counting) Reserve(claim *ratelimit.Claim) error {
	row, err := one(c.View, scanQuota, `SELECT day, reserved FROM day_quotas WHERE key_id = ?`, claim.ID[:])
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if claim.Day < row.day {
		return c.reservePast(claim, row)
	}
	if row.day > 0 && claim.Day > row.day && c.provisional(claim.Day) {
		if _, err := c.exec(keepPast, claim.ID[:], row.day, row.reserved); err != nil {
			return err
		}
	}
	if !claim.Grant(row.day, row.reserved) {
		return nil
	}
	_, err = c.exec(`INSERT INTO day_quotas (key_id, day, reserved) VALUES (?, ?, ?)
		ON CONFLICT (key_id) DO UPDATE SET day = excluded.day, reserved = excluded.reserved`, claim.ID[:], claim.Stands, claim.Reserved)
	return err
}

const keepPast = `INSERT INTO past_quotas (key_id, day, reserved) VALUES (?, ?, ?)
	ON CONFLICT (key_id, day) DO UPDATE SET reserved = excluded.reserved`

// reservePast does a claim on a day that a later one has followed. If the later one is today, that day is over. If it
// has not come yet, a wrong clock has begun it, and the stored row of the earlier day counts.
func (c *Counting) reservePast(claim *ratelimit.Claim, row quota) error {
	if millis(c.now) >= row.day*dayMillis-leeway.Milliseconds() {
		claim.Grant(row.day, row.reserved)
		return nil
	}
	past, err := one(
		c.View, scanQuota, `SELECT day, reserved FROM past_quotas WHERE key_id = ? AND day = ?`, claim.ID[:], claim.Day,
	)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if !claim.Grant(past.day, past.reserved) {
		return nil
	}
	_, err = c.exec(keepPast, claim.ID[:], claim.Day, claim.Reserved)
	return err
}

const dayMillis = 86_400_000

// provisional tells whether a day has begun only by a clock that may be wrong.
func (c *Counting) provisional(day int64) bool {
	return day*dayMillis > millis(c.Floor())+leeway.Milliseconds()
}

type quota struct{ day, reserved int64 }

func scanQuota(r Rows) (q quota, err error) {
	err = r.Scan(&q.day, &q.reserved)
	return q, err
}

// SaveWindows keeps a part of a node's windows per minute. Parts are numbered from 0.
func (c *Counting) SaveWindows(node string, part int, body []byte) error {
	_, err := c.exec(`INSERT INTO saved_windows (node, part, body) VALUES (?, ?, ?)
		ON CONFLICT (node, part) DO UPDATE SET body = excluded.body`, node, part, body)
	return err
}

// TakeWindows gives the parts that a node kept, none where it was not stopped in order, and removes them: they are good
// once. Where they cannot be removed it gives them beside the error.
func (c *Counting) TakeWindows(node string) (parts [][]byte, err error) {
	parts, err = all(c.View, scanBody, `SELECT body FROM saved_windows WHERE node = ? ORDER BY part`, node)
	if err == nil && len(parts) > 0 {
		_, err = c.exec(`DELETE FROM saved_windows WHERE node = ?`, node)
	}
	return parts, err
}

// DropWindows removes the parts, of any node, whose first sixteen bytes are old.
func (c *Counting) DropWindows(old func(head []byte) bool) error {
	parts, err := all(c.View, scanWindow, `SELECT node, part, substr(body, 1, 16) FROM saved_windows`)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if !old(p.head) {
			continue
		}
		if _, err := c.exec(`DELETE FROM saved_windows WHERE node = ? AND part = ?`, p.node, p.part); err != nil {
			return err
		}
	}
	return nil
}

// savedWindow is a part without its body.
type savedWindow struct {
	node string
	part int64
	head []byte
}

func scanWindow(r Rows) (w savedWindow, err error) {
	err = r.Scan(&w.node, &w.part, &w.head)
	return w, err
}

func scanBody(r Rows) (b []byte, err error) {
	err = r.Scan(&b)
	return b, err
}
