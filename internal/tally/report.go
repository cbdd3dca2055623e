package tally

import (
	"context"
	"fmt"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/refusal"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/usage"
)

// Report holds the uses that another process has counted.
type Report struct {
	Uses     []usage.Entry
	Earlier  []EarlierUse
	Refusals [][]refusal.Record // those of one key together
}

// EarlierUse is the last use of an earlier value of a key, which is known by the end of its overlap. Both are Unix
// milliseconds.
type EarlierUse struct {
	Key       usage.ID
	Until, At int64
}

// Take writes a report, once: one that comes again under its number does nothing. It waits for no Flush.
func (t *Tally) Take(ctx context.Context, b store.FollowerBatch, r *Report) error {
	scratch := Tally{keep: t.keep, rows: make(map[row]usage.Counts)}
	err := t.db.Count(ctx, func(c *store.Counting) error {
		_, err := c.Once(b, func() ([]byte, error) {
			if err := scratch.write(c, r.Uses); err != nil {
				return nil, err
			}
			for _, e := range r.Earlier {
				if err := c.UseEarlier(id.Key(id.Format(e.Key)), instant(e.Until), instant(e.At), ""); err != nil {
					return nil, err
				}
			}
			for _, records := range r.Refusals {
				if err := c.AddRefusals(id.Key(id.Format(records[0].Key)), t.inWords(records)); err != nil {
					return nil, err
				}
			}
			return []byte{}, nil
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("take down what a follower counted: %w", err)
	}
	return nil
}
