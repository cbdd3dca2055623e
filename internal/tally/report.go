package tally

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/refusal"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/usage"
)

// Report holds the uses that another process has counted. Where it comes again, its items stand in the same places: one
// that is passed over is empty.
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

// Take writes a report, once: a report that comes again under its number writes the missing items alone. A long report
// takes several transactions. It waits for no Flush.
func (t *Tally) Take(ctx context.Context, b store.FollowerBatch, r *Report) error {
	ctx = store.InTurnOf(ctx, string(b.Key))
	for all := false; !all; {
		err := t.db.Count(ctx, func(c *store.Counting) (err error) {
			_, all, err = c.OnceInParts(b, func(done []byte) ([]byte, bool, error) { return t.takePart(c, r, done) })
			return err
		})
		if err != nil {
			return fmt.Errorf("take down what a follower counted: %w", err)
		}
	}
	return nil
}

// takePart writes the items of a report after those that are done: its uses, the uses of earlier values, and its
// refusals by key.
func (t *Tally) takePart(c *store.Counting, r *Report, done []byte) (after []byte, all bool, err error) {
	from := 0
	if done != nil {
		if from, err = strconv.Atoi(string(done)); err != nil {
			return nil, false, fmt.Errorf("read how much is done: %w", err)
		}
	}
	size := len(r.Uses) + len(r.Earlier) + len(r.Refusals)
	to, err := c.Part(from, size, func(from, to int) error { return t.takeItems(c, r, from, to) })
	if err != nil || to >= size {
		return []byte{}, true, err
	}
	return []byte(strconv.Itoa(to)), false, nil
}

func (t *Tally) takeItems(c *store.Counting, r *Report, from, to int) error {
	scratch := Tally{keep: t.keep, rows: make(map[row]usage.Counts)}
	uses := slices.DeleteFunc(slices.Clone(within(r.Uses, from, to)), func(e usage.Entry) bool {
		return e.Key == (usage.ID{}) && e.Counts == (usage.Counts{})
	})
	if err := scratch.write(c, uses); err != nil {
		return err
	}
	from -= len(r.Uses)
	to -= len(r.Uses)
	for _, e := range within(r.Earlier, from, to) {
		if err := c.UseEarlier(id.Key(id.Format(e.Key)), instant(e.Until), instant(e.At), ""); err != nil {
			return err
		}
	}
	from -= len(r.Earlier)
	to -= len(r.Earlier)
	for _, records := range within(r.Refusals, from, to) {
		if len(records) == 0 {
			continue
		}
		if err := c.AddRefusals(id.Key(id.Format(records[0].Key)), t.inWords(records)); err != nil {
			return err
		}
	}
	return nil
}

// within is the part of a list from one place to another, as far as it reaches.
func within[T any](list []T, from, to int) []T {
	return list[min(max(from, 0), len(list)):min(max(to, 0), len(list))]
}
