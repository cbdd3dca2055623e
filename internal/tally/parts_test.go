package tally_test

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
	"github.com/keyward/keyward/internal/tally"
	"github.com/keyward/keyward/internal/usage"
	"github.com/keyward/keyward/internal/verify"
)

// counted is a driver that counts the rows which each transaction changes, and fails one transaction.
type counted struct {
	store.Driver
	fails atomic.Int64 // the transaction that fails, counted down from here; 0 for none
	most  atomic.Int64 // rows of one transaction
	all   atomic.Int64 // transactions that changed a row
}

func (c *counted) Write(ctx context.Context, fn func(store.SQL) error) error {
	if c.fails.Load() > 0 && c.fails.Add(-1) == 0 {
		return errShut
	}
	return c.Driver.Write(ctx, func(q store.SQL) error {
		rows := &countedRows{SQL: q}
		err := fn(rows)
		c.most.Store(max(c.most.Load(), rows.n))
		if rows.n > 0 {
			c.all.Add(1)
		}
		return err
	})
}

type countedRows struct {
	store.SQL
	n int64
}

func (c *countedRows) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	n, err := c.SQL.Exec(ctx, query, args...)
	c.n += n
	return n, err
}

// newCounted is a bench whose driver counts.
func newCounted(t *testing.T) (*bench, *counted) {
	t.Helper()
	c := &counted{}
	b := newBenchOn(t, 1<<16, func(path string) (store.Driver, error) {
		driver, err := sqlite.Open(path, sqlite.Options{Lock: true})
		c.Driver = driver
		return c, err
	})
	c.most.Store(0)
	return b, c
}

// mostRows is how many rows a transaction of a flush changes at most: those of its permissions, of its keys, and of
// its keys' counts.
const mostRows = 640 + 64*8

// TestAFlushCutsDemandsWithoutANumber: very many demands wait, of one key, of which few have a number.
// A transaction takes few of them, and a flush that is cut off in between counts none twice.
func TestAFlushCutsDemandsWithoutANumberT105(t *testing.T) {
	t.Parallel()
	for _, broken := range []int64{0, 1, 3} {
		b, c := newCounted(t)
		key, names := b.demanding(held), permissionNames()
		want := int64(0)
		for i := range 70 {
			for j := range 70 {
				if i != j {
					d := perm.Demand{All: perm.Builtin().Known(names[i : i+1]), Any: perm.Builtin().Known(names[j : j+1])}
					b.ask(key, verify.Valid, d, noon)
					want += 2
				}
			}
		}
		c.most.Store(0)
		c.all.Store(0)
		if c.fails.Store(broken); broken > 0 {
			if err := b.Flush(t.Context()); err == nil {
				t.Fatalf("transaction %d failed, and the flush did not", broken)
			}
			if got := b.questions(key); got != want {
				t.Errorf("after transaction %d failed: %d uses of permissions, want %d", broken, got, want)
			}
		}
		b.flush()
		if got := b.questions(key); got != want {
			t.Errorf("transaction %d failed: %d uses of permissions, want %d", broken, got, want)
		}
		if n := c.all.Load(); n < want/2/64 {
			t.Errorf("%d demands were written in %d transactions, want at most 64 in each", want/2, n)
		}
		if n := c.most.Load(); n > mostRows {
			t.Errorf("a transaction changed %d rows, want at most %d", n, mostRows)
		}
	}
}

// questions sums the uses of all permissions, written or not.
func (b *bench) questions(key usage.ID) (sum int64) {
	_, counts := b.seen(key)
	for _, n := range counts {
		sum += n[0] + n[1]
	}
	return sum
}

// TestAFlushCutsLongDemands: each demand names all permissions, on a day of its own, so that no row is shared.
func TestAFlushCutsLongDemandsT105(t *testing.T) {
	t.Parallel()
	b, c := newCounted(t)
	all := perm.Demand{All: perm.Builtin().All()}
	key, days := b.demanding(held), 60
	for i := range days {
		b.ask(key, verify.InsufficientPermissions, all, noon.AddDate(0, 0, -i))
	}
	c.most.Store(0)
	b.flush()
	if most := c.most.Load(); most > mostRows {
		t.Errorf("a transaction changed %d rows, want at most %d", most, mostRows)
	}
	_, counts := b.seen(key)
	for name, n := range counts {
		if n[1] == 0 {
			t.Errorf("%s is not counted", name)
		}
	}
}

// TestAFlushCutsEarlierValues: very many earlier values are in use.
func TestAFlushCutsEarlierValuesT105(t *testing.T) {
	t.Parallel()
	b, c := newCounted(t)
	const keys = 200
	until := noon.Add(time.Hour).UnixMilli()
	all := make([]usage.ID, keys)
	for i := range all {
		all[i] = b.rotated(i)
	}
	for _, key := range all {
		b.RecordEarlier(noon.UnixMilli(), key, until, netip.Addr{})
	}
	c.all.Store(0)
	c.fails.Store(2)
	if err := b.Flush(t.Context()); err == nil {
		t.Fatal("a transaction failed, and the flush did not")
	}
	b.flush()
	if n := c.all.Load(); n != (keys+63)/64 {
		t.Errorf("%d values were written in %d transactions, want 64 in each and none twice", keys, n)
	}
	for _, key := range all {
		if at := b.earlierUse(key); !at.Equal(noon) {
			t.Errorf("a value was used at %v, want %v", at, noon)
		}
	}
}

// TestALongReportIsTakenInParts: a follower reports very many uses, and a transaction in between fails. The follower
// sends the report again, and each use is counted once.
func TestALongReportIsTakenInPartsT105(t *testing.T) {
	t.Parallel()
	b, c := newCounted(t)
	const uses = 2000
	key := b.key()
	ws, _ := id.Parse(string(b.ws))
	r := &tally.Report{Uses: make([]usage.Entry, uses)}
	for i := range r.Uses {
		r.Uses[i] = usage.Entry{Key: key, Workspace: ws, Minute: noon.UnixMilli(), Counts: usage.Counts{usage.Verified: 1}}
	}
	r.Uses[700] = usage.Entry{Minute: noon.UnixMilli()} // is passed over
	batch := store.FollowerBatch{Key: "s", Incarnation: "i", Kind: "uses", Number: 7}
	c.all.Store(0)
	c.fails.Store(4)
	if err := b.Take(t.Context(), batch, r); err == nil {
		t.Fatal("a transaction failed, and the report was taken")
	}
	some := b.count(of(key))
	if n := some.Total(); n == 0 || n >= uses-1 {
		t.Errorf("%d uses are counted before the report comes again, want some of %d", n, uses-1)
	}
	for range 2 {
		if err := b.Take(t.Context(), batch, r); err != nil {
			t.Fatal(err)
		}
		found := b.count(of(key))
		if n := found.Total(); n != uses-1 {
			t.Errorf("%d uses are counted, want %d", n, uses-1)
		}
	}
	if n := c.all.Load(); n < uses/256 {
		t.Errorf("%d uses were taken in %d transactions, want at most 256 in each", uses, n)
	}
	batch.Number--
	if err := b.Take(t.Context(), batch, r); !errors.Is(err, store.ErrOldBatch) {
		t.Errorf("an earlier report: %v", err)
	}
}

// rotated is a key with an earlier value until an hour after noon.
func (b *bench) rotated(n int) usage.ID {
	b.t.Helper()
	key := b.key()
	b.update(func(tx *store.Tx) error {
		k, err := tx.Key(id.Key(id.Format(key)))
		if err != nil {
			return err
		}
		sum := keyfmt.Digest{9, byte(n >> 8), byte(n)}
		k.Rotate(apikey.Value{Digest: keyfmt.Stored{Pepper: keyfmt.NoPepper, Sum: sum}}, noon, time.Hour)
		return tx.UpdateKey(k)
	})
	return key
}

// earlierUse is the last use of a key's earlier value, as the store has it.
func (b *bench) earlierUse(key usage.ID) (at time.Time) {
	b.t.Helper()
	err := b.db.View(context.Background(), func(v *store.View) error {
		k, err := v.Key(id.Key(id.Format(key)))
		if err == nil {
			at = k.Previous[0].LastUsedAt
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return at
}
