package tally

import (
	"context"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/refusal"
	"github.com/keyward/keyward/internal/store"
)

// refusalsOfBatch is how many refusals share a transaction, those of the last key not counted.
const refusalsOfBatch = 100

// Refused keeps a refusal, to be written down with the next FlushRefusals. It waits for no database.
func (t *Tally) Refused(r refusal.Record) { t.refusals.Add(r) }

// FlushRefusals writes down what was refused until now. What an error leaves is kept, and written by the next one. It
// does not wait for a Flush, which takes long where very many keys are used.
func (t *Tally) FlushRefusals(ctx context.Context) error {
	t.refusing.Lock()
	defer t.refusing.Unlock()
	err := t.drainRefusals(ctx) // what an earlier one left
	if err == nil {
		t.refusals.Turn()
		err = t.drainRefusals(ctx)
	}
	if err != nil {
		t.failed.Add(1)
		return fmt.Errorf("write down the refusals: %w", err)
	}
	return nil
}

func (t *Tally) drainRefusals(ctx context.Context) error {
	for batch := t.refusals.Take(refusalsOfBatch); len(batch) > 0; batch = t.refusals.Take(refusalsOfBatch) {
		if err := t.moveRefusals(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tally) moveRefusals(ctx context.Context, batch [][]refusal.Record) error {
	t.settling.Lock()
	defer t.settling.Unlock()
	err := t.db.Count(ctx, func(c *store.Counting) error {
		for _, records := range batch {
			if err := c.AddRefusals(id.Key(id.Format(records[0].Key)), t.inWords(records)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	t.refusals.Settle(batch)
	return nil
}

// inWords is how refusals are kept.
func (t *Tally) inWords(records []refusal.Record) []store.Refusal {
	out := make([]store.Refusal, len(records))
	for i := range records {
		r := &records[i]
		out[i] = store.Refusal{
			Key:       id.Key(id.Format(r.Key)),
			Workspace: r.Workspace,
			At:        time.UnixMilli(r.At).UTC(),
			Seq:       r.Seq,
			Code: string(
				r.Code,
			),
			Why:      r.Why(t.names),
			All:      t.names(r.Demand.All),
			Any:      t.names(r.Demand.Any),
			Previous: r.Earlier,
		}
		if r.IP.IsValid() {
			out[i].IP = r.IP.String()
		}
	}
	return out
}

// RefusalsOf are those of a key that are not written down yet.
func (t *Tally) RefusalsOf(key [16]byte) []store.Refusal { return t.inWords(t.refusals.Of(key)) }

// RefusalsIn are those of a workspace, or of all where it is "". It looks at every key that has some.
func (t *Tally) RefusalsIn(ws id.Workspace) []store.Refusal { return t.inWords(t.refusals.In(ws)) }
