package lender_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/lender"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// failing is a driver one transaction of which fails.
type failing struct {
	store.Driver
	at, writes atomic.Int64 // at is counted down to the transaction that fails; 0 is none
}

func (f *failing) Write(ctx context.Context, fn func(store.SQL) error) error {
	if f.at.Load() > 0 && f.at.Add(-1) == 0 {
		return store.ErrFull
	}
	f.writes.Add(1)
	return f.Driver.Write(ctx, fn)
}

// TestManyClaimsAreReservedInParts: a batch of the most claims takes several transactions, and one of them fails. The
// batch comes again and reserves no unit twice. Once it is done it gets the same answers.
func TestManyClaimsAreReservedInPartsT105(t *testing.T) {
	t.Parallel()
	driver, err := sqlite.Open(filepath.Join(t.TempDir(), "keyward.db"), sqlite.Options{Lock: true})
	if err != nil {
		t.Fatal(err)
	}
	f := &failing{Driver: driver}
	db, err := store.Open(t.Context(), f, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	const claims, limit = 1024, 1000
	l := lender.New(lender.Config{DB: db, Now: time.Now, Find: func(_ [16]byte, v *replica.View) bool {
		v.Limits.PerDay = limit
		return true
	}})
	caller := &lender.Caller{Key: "s", Incarnation: "i"}
	today := time.Now().UnixMilli() / (24 * 60 * 60 * 1000)
	ask := func(number int64) ([]ratelimit.Claim, error) {
		all := make([]ratelimit.Claim, claims)
		for i := range all {
			all[i] = ratelimit.Claim{ID: [16]byte{1}, Day: today, Want: 1}
		}
		return all, l.Reserve(t.Context(), caller, number, all)
	}
	f.at.Store(3)
	if _, err := ask(1); !errors.Is(err, store.ErrFull) {
		t.Fatalf("a transaction failed, and the batch: %v", err)
	}
	f.writes.Store(0)
	first, err := ask(1)
	if err != nil {
		t.Fatal(err)
	}
	granted := int64(0)
	for i, c := range first {
		granted += c.Granted
		if want := int64(min(i+1, limit)); c.Reserved != want {
			t.Fatalf("claim %d: %d stand reserved, want %d", i, c.Reserved, want)
		}
	}
	if granted != limit {
		t.Errorf("%d units are granted, want %d", granted, limit)
	}
	if n := f.writes.Load(); n < 2 || n > 3 {
		t.Errorf("the rest was reserved in %d transactions, want the part after the two that were done", n)
	}
	if again, err := ask(1); err != nil || !slices.Equal(again, first) {
		t.Errorf("the batch comes again: %v, and other answers", err)
	}
	if _, err := ask(0); !errors.Is(err, store.ErrOldBatch) {
		t.Errorf("an earlier batch: %v", err)
	}
}
