package tally_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/refusal"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/tally"
	"github.com/keyward/keyward/internal/usage"
	"github.com/keyward/keyward/internal/verdict"
)

// A refusal is readable at once, once and not twice while it is written, and as often as it happened after the writing
// failed.
func TestARefusalIsReadAtOnceAndOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, 100)
	catalogue := perm.Builtin()
	b.Tally = tally.New(tally.Config{DB: b.db, Keep: usage.DefaultRetention(), Limit: 100, Names: catalogue.Names})
	key, other := b.key(), b.key()
	refuse := func(key [16]byte, at time.Time) {
		b.Refused(
			refusal.Record{
				Key:       key,
				Workspace: b.ws,
				At:        at.UnixMilli(),
				Code:      verdict.InsufficientPermissions,
				IP:        netip.MustParseAddr("203.0.113.7"),
				Demand: perm.Demand{
					All: catalogue.Known([]string{"calls:write"}),
				},
				Missing: catalogue.Known([]string{"calls:write"}),
				Earlier: true,
			},
		)
	}
	read := func() (all []store.Refusal) {
		t.Helper()
		if err := b.Settled(func() error {
			return b.db.View(context.Background(), func(v *store.View) (err error) {
				all, err = v.RefusalsOf(id.Key(id.Format(key)), 10)
				all = append(all, b.RefusalsOf(key)...)
				return err
			})
		}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	refuse(key, noon)
	refuse(other, noon)
	first := read()
	want := []store.Refusal{
		{Key: id.Key(id.Format(key)), Workspace: b.ws, At: noon, Seq: first[0].Seq, Code: "INSUFFICIENT_PERMISSIONS",
			Why: "the key lacks calls:write", All: []string{"calls:write"}, Any: []string{}, IP: "203.0.113.7", Previous: true},
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("at once: %s", diff)
	}
	if in := b.RefusalsIn(b.ws); len(in) != 2 {
		t.Errorf("%d in the workspace", len(in))
	}
	b.gate.shut.Store(true)
	if err := b.FlushRefusals(t.Context()); err == nil {
		t.Error("what cannot be written is told as written")
	}
	refuse(key, noon.Add(time.Second))
	if n := len(read()); n != 2 {
		t.Errorf("%d after a failed flush, want 2", n)
	}
	b.gate.shut.Store(false)
	for range 2 {
		must(t, b.FlushRefusals(t.Context()))
	}
	if n := len(read()); n != 2 || len(b.RefusalsOf(key)) > 0 {
		t.Errorf("%d after a flush, and %d in memory", n, len(b.RefusalsOf(key)))
	}
}

// T105: many keys' refusals are written in as many transactions as it takes.
func TestT105ManyRefusalsAreWritten(t *testing.T) {
	t.Parallel()
	b := newBench(t, 100)
	keys := make([][16]byte, 30)
	for i := range keys {
		keys[i] = b.key()
		for n := range 50 {
			b.Refused(refusal.Record{Key: keys[i], Workspace: b.ws, At: noon.UnixMilli() + int64(n), Code: verdict.Expired})
		}
	}
	must(t, b.FlushRefusals(t.Context()))
	err := b.db.View(context.Background(), func(v *store.View) error {
		for _, k := range keys {
			all, err := v.RefusalsOf(id.Key(id.Format(k)), 100)
			if err != nil || len(all) != 50 {
				t.Errorf("%d refusals: %v", len(all), err)
			}
		}
		return nil
	})
	if err != nil || len(b.RefusalsIn(b.ws)) > 0 {
		t.Error(err, len(b.RefusalsIn(b.ws)))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
