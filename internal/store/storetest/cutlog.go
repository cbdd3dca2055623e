package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/store"
)

// countersAgree compares the log's counters and targets with its rows.
func (f *fixture) countersAgree() {
	f.Helper()
	f.view(func(v *store.View) error {
		types, err := v.LogTypes("", true)
		if err != nil {
			return err
		}
		for _, kind := range types {
			counted, err := v.LogCounter("", true, string(kind))
			if err != nil {
				return err
			}
			rows, err := v.LogCount(store.LogFilter{All: true, Type: string(kind)})
			if err != nil {
				return err
			}
			f.same("events of "+string(kind), rows, counted)
			f.same("some", true, rows > 0)
		}
		return nil
	})
}

func testCutLog(t *testing.T, f *fixture) {
	ctx := context.Background()
	var spent time.Duration
	// a machine on which the least that can be removed takes too long
	slow := func() time.Duration { spent += time.Minute; return spent }
	f.aLog()
	for range 250 { // more than one batch
		f.record(audit.Event{Workspace: f.ws, Type: audit.APIKeyUpdated, Target: "a key", Metadata: `{"target":"a key"}`})
	}
	_, err := f.db.NextCut(ctx, f.now().Add(time.Hour))
	f.same("of the present day nothing is cut", true, errors.Is(err, store.ErrNoCut))
	f.pass(48 * time.Hour)
	f.record(audit.Event{Workspace: f.ws, Type: audit.APIKeyUpdated, Target: "a key", Metadata: `{"target":"a key"}`})
	f.record(audit.Event{Workspace: f.ws, Type: audit.MemberRemoved, ActorID: "ann"})
	end := f.db.Stats().LogHead
	cut, err := f.db.NextCut(ctx, f.now().Add(-time.Hour))
	f.must(err)
	f.same("the range", [2]int64{1, end - 2}, [2]int64{cut.From, cut.To})

	more, err := f.db.DropArchived(ctx, slow)
	f.must(err)
	f.same("without an archive nothing is dropped", false, more)
	f.same("whole", end, f.verified())
	for _, wrong := range []audit.Cut{
		{From: 2, To: cut.To, Last: cut.Last}, {From: 1, To: cut.To - 1, Last: cut.Last}, {From: 1, To: end, Last: cut.Last},
	} {
		err := f.update(func(tx *store.Tx) error { return tx.Cut(wrong, f.event()) })
		f.same("another range is refused", true, errors.Is(err, store.ErrNoCut))
	}
	cut.SHA256 = audit.Hex([32]byte{1})
	f.mustUpdate(func(tx *store.Tx) error { return tx.Cut(cut, f.event()) })
	f.same("before the rows go", f.db.Stats().LogHead-cut.To, f.verified())
	more, err = f.db.DropArchived(ctx, slow)
	f.must(err)
	f.same("a chunk is not all", true, more)
	f.view(func(v *store.View) error {
		left, err := v.LogCount(store.LogFilter{All: true, UpTo: cut.To})
		f.same("events that wait to be removed", cut.To-20, left)
		return err
	})
	f.same("between two batches", f.db.Stats().LogHead-cut.To, f.verified())
	f.countersAgree()
	more, err = f.db.DropArchived(ctx, func() time.Duration { return 0 }) // all in no time
	f.must(err)
	f.same("nothing is left", false, more)
	f.same("after the rows have gone", f.db.Stats().LogHead-cut.To, f.verified())
	f.countersAgree()
	f.view(func(v *store.View) error {
		left, err := v.Logs(store.LogFilter{All: true, Target: "a key"})
		f.same("events of a target", 1, len(left))
		return err
	})
	last, err := f.db.LastCut(ctx)
	f.must(err)
	f.same("the last cut", cut, last)
	f.record(audit.Event{Workspace: f.ws, Type: audit.MemberAdded}) // and the log goes on
	f.same("later", f.db.Stats().LogHead-cut.To, f.verified())
	f.restart(catalogue)
	f.same("after a restart", f.db.Stats().LogHead-cut.To, f.verified())

	f.sql(`DELETE FROM events WHERE seq = (SELECT min(seq) FROM events)`)
	_, err = f.db.VerifyLog(ctx)
	f.same("a silent cut is seen", true, errors.Is(err, store.ErrChain))
}

func (f *fixture) verified() int64 {
	f.Helper()
	n, err := f.db.VerifyLog(context.Background())
	f.must(err)
	return n
}
