package tally_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
	"github.com/keyward/keyward/internal/tally"
	"github.com/keyward/keyward/internal/usage"
	"github.com/keyward/keyward/internal/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rateLimited is a code by its place in verdict.Counted.
const rateLimited = usage.Code(5)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// gate is a driver whose writing can be stopped.
type gate struct {
	store.Driver
	shut   atomic.Bool
	writes atomic.Int64
}

var errShut = fmt.Errorf("%w: in a test", store.ErrFull)

func (g *gate) Write(ctx context.Context, fn func(store.SQL) error) error {
	if g.shut.Load() {
		return errShut
	}
	g.writes.Add(1)
	return g.Driver.Write(ctx, fn)
}

type bench struct {
	*tally.Tally
	t    *testing.T
	db   *store.DB
	gate *gate
	ids  *id.Generator
	ws   id.Workspace
}

func newBench(t *testing.T, limit int) *bench {
	t.Helper()
	return newBenchOn(t, limit, func(path string) (store.Driver, error) {
		return sqlite.Open(path, sqlite.Options{Lock: true})
	})
}

func newBenchOn(t *testing.T, limit int, open func(path string) (store.Driver, error)) *bench {
	t.Helper()
	driver, err := open(filepath.Join(t.TempDir(), "keyward.db"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, gate: &gate{Driver: driver}, ids: id.NewGenerator(time.Now, rand.Reader)}
	b.db, err = store.Open(
		t.Context(), b.gate, store.Options{Now: func() time.Time { return noon }, Catalogue: perm.Builtin()},
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.db.Close() })
	b.ws = id.Workspace(b.ids.Next())
	b.update(func(tx *store.Tx) error {
		return tx.PutWorkspace(account.Workspace{ID: b.ws, IsActive: true, CreatedAt: noon, UpdatedAt: noon})
	})
	b.Tally = tally.New(tally.Config{DB: b.db, Keep: usage.DefaultRetention(), Limit: limit, Names: perm.Builtin().Names})
	return b
}

func (b *bench) update(fn func(*store.Tx) error) {
	b.t.Helper()
	_, err := b.db.Update(context.Background(), func(tx *store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return tx.Record(audit.Event{ID: id.Event(b.ids.Next()), Type: "test.changed"})
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// key makes a key.
func (b *bench) key() usage.ID {
	b.t.Helper()
	name := b.ids.Next()
	u, _ := id.Parse(name)
	var sum keyfmt.Digest
	copy(sum[:], u[:])
	b.update(func(tx *store.Tx) error {
		return tx.InsertKey(
			apikey.Key{ID: id.Key(name), Workspace: b.ws, User: "ann", IsActive: true, CreatedAt: noon, UpdatedAt: noon,
				Environment: keyfmt.Live, Value: apikey.Value{Digest: keyfmt.Stored{Pepper: keyfmt.NoPepper, Sum: sum}}},
		)
	})
	return u
}

func (b *bench) use(key usage.ID, code verify.Code, at time.Time) {
	v := verify.Verdict{Code: code}
	if v.Known() {
		v.Key = replica.View{UUID: key, Workspace: b.ws}
	}
	b.Record(at.UnixMilli(), perm.Demand{}, &v)
}

// count returns the counts of an object in the hour from noon on, in memory and in the store.
func (b *bench) count(of store.UsageOf) (n usage.Counts) {
	b.t.Helper()
	span, err := usage.NewSpan(usage.Hour, noon, noon.Add(time.Hour), noon)
	if err != nil {
		b.t.Fatal(err)
	}
	s := usage.NewSeries(span)
	u, _ := id.Parse(string(of))
	err = b.Settled(func() error {
		switch of {
		case store.AllUsage:
			b.All(s)
		case store.UsageOf(b.ws):
			b.Workspace(u, s)
		default:
			b.Key(u, s)
		}
		return b.db.View(context.Background(), func(v *store.View) error { return v.Usage(of, s) })
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return s.Total()
}

func of(k usage.ID) store.UsageOf { return store.UsageOf(id.Format(k)) }

func (b *bench) flush() {
	b.t.Helper()
	if err := b.Flush(context.Background()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) lastUsed(k usage.ID) (at time.Time) {
	b.t.Helper()
	err := b.db.View(context.Background(), func(v *store.View) error {
		found, err := v.Key(id.Key(id.Format(k)))
		at = found.LastUsedAt
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return at
}

func TestAUseIsSeenOnceBeforeAndAfterItIsWritten(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1<<16)
	k := b.key()
	b.use(k, verify.Valid, noon.Add(time.Second))
	b.use(k, verify.Valid, noon.Add(90*time.Second))
	b.use(k, verify.RateLimited, noon.Add(95*time.Second))
	b.use(k, verify.Malformed, noon)
	b.use(k, verify.NotFound, noon)
	b.use(k, verify.Unavailable, noon)
	for _, when := range []string{"before", "after", "after a second writing"} {
		own := usage.Counts{usage.Verified: 2, rateLimited: 1}
		if got := b.count(of(k)); got != own {
			t.Errorf("%s: the key has %v", when, got)
		}
		if got := b.count(store.UsageOf(b.ws)); got != own {
			t.Errorf("%s: the workspace has %v", when, got)
		}
		if got := b.count(
			store.AllUsage,
		); (got != usage.Counts{usage.Verified: 2, rateLimited: 1, usage.NotFound: 1, usage.Malformed: 1}) {
			t.Errorf("%s: all is %v", when, got)
		}
		b.flush()
	}
	if got := b.lastUsed(k); !got.Equal(noon.Add(90 * time.Second)) {
		t.Errorf("last used %v", got)
	}
	// Two minutes of the key, and the two attempts with no key in one shard or in two.
	if s := b.Stats(); s.Waiting != 0 || s.Lost != 0 || s.Written != 3 && s.Written != 4 {
		t.Errorf("%+v", s)
	}
}

// A batch of keys holds the writer, for which all changes wait.
func TestAFlushTakesFewKeysAtATimeT105(t *testing.T) {
	t.Parallel()
	b := newBench(t, 10_000)
	const keys = 300
	for range keys {
		b.use(b.key(), verify.Valid, noon)
	}
	before := b.gate.writes.Load()
	b.flush()
	if n := b.gate.writes.Load() - before; n < keys/64 {
		t.Errorf("%d keys were written in %d transactions, want at most 64 keys in each", keys, n)
	}
}

func TestNoUseIsSeenTwiceOrNotAtAllWhileItIsWritten(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1<<16)
	var keys []usage.ID
	for range 40 {
		keys = append(keys, b.key())
	}
	var begun, done atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			begun.Add(1)
			b.use(keys[i%len(keys)], verify.Valid, noon.Add(time.Duration(i%3_000_000)*time.Millisecond))
			done.Add(1)
			runtime.Gosched()
		}
	})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				b.flush()
			}
		}
	})
	for range 8 {
		least := done.Load()
		seen := b.count(store.AllUsage)
		if n := seen.Total(); n < least || n > begun.Load() {
			t.Errorf("%d uses are seen, and there were %d before the look and %d after", n, least, begun.Load())
		}
	}
	close(stop)
	wg.Wait()
	if got := b.count(store.UsageOf(b.ws)); got.Total() != done.Load() {
		t.Errorf("%v in the end, not %d", got, done.Load())
	}
}

func TestT90AStoreThatStandsStillBlocksNoUseAndLossesAreCounted(t *testing.T) {
	t.Parallel()
	const limit, keys = 1 << 12, 1 << 14
	b := newBench(t, limit)
	known := b.key()
	b.use(known, verify.Valid, noon)
	b.gate.shut.Store(true)
	if err := b.Flush(t.Context()); !errors.Is(err, store.ErrFull) {
		t.Fatalf("a flush to a full disk: %v", err)
	}
	for i := range keys {
		var k usage.ID
		copy(k[:], fmt.Sprintf("%016d", i*7919))
		b.use(k, verify.Valid, noon)
	}
	_ = b.Flush(t.Context())
	s := b.Stats()
	if s.Waiting > 2*limit || s.Lost == 0 || s.Failed != 2 || int64(s.Waiting)+s.Lost != keys+1 {
		t.Errorf("while it stands: %+v", s)
	}
	b.gate.shut.Store(false)
	b.flush()
	if s = b.Stats(); s.Waiting != 0 {
		t.Errorf("after it goes on: %+v", s)
	}
	if got := b.count(store.AllUsage); got.Total()+s.Lost != keys+1 {
		t.Errorf("%d written and %d lost of %d", got.Total(), s.Lost, keys+1)
	}
	if got := b.count(of(known)); got[usage.Verified] != 1 || !b.lastUsed(known).Equal(noon) {
		t.Errorf("the key that was used before has %v, last used %v", got, b.lastUsed(known))
	}
}

func TestWhatIsDeletedIsNotCountedAfterwards(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1<<16)
	gone, kept := b.key(), b.key()
	b.use(gone, verify.Valid, noon)
	b.use(kept, verify.Valid, noon)
	b.update(func(tx *store.Tx) error { return tx.DeleteKey(id.Key(id.Format(gone))) })
	b.flush()
	if got := b.count(of(gone)); got.Total() != 0 {
		t.Errorf("a deleted key has %v", got)
	}
	if got := b.count(store.UsageOf(b.ws)); got.Total() != 2 {
		t.Errorf("its workspace has %v", got)
	}
	b.use(kept, verify.Valid, noon)
	b.update(func(tx *store.Tx) error { return tx.DeleteWorkspace(b.ws) })
	b.flush()
	for more := true; more; {
		var err error
		if more, err = b.db.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if key, ws, all := b.count(of(kept)), b.count(store.UsageOf(b.ws)), b.count(store.AllUsage); key.Total() != 0 ||
		ws.Total() != 0 ||
		all.Total() != 3 {
		t.Errorf("after the workspace: %v, %v and of all %v", key, ws, all)
	}
}
