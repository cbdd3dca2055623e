package sqlite_test

import (
	"context"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// asked is a driver that counts the queries of its readers.
type asked struct {
	store.Driver
	n int
}

func (a *asked) Read(ctx context.Context, fn func(store.SQL) error) error {
	return a.Driver.Read(ctx, func(q store.SQL) error { return fn(askedSQL{q, a}) })
}

type askedSQL struct {
	store.SQL
	of *asked
}

func (q askedSQL) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	q.of.n++
	return q.SQL.Query(ctx, query, args...)
}

// openStore opens a new file, by the driver that wrap makes of its own.
func openStore(t *testing.T, wrap func(*sqlite.Driver) store.Driver) *store.DB {
	t.Helper()
	driver, err := sqlite.Open(filepath.Join(t.TempDir(), "keyward.db"), sqlite.Options{Lock: true})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), wrap(driver), store.Options{Now: time.Now, Catalogue: perm.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// A busy server lends the runtime more threads than there are processors. Reads are bounded by the latter.
func TestThreadsThatAreLentAreNoProcessors(t *testing.T) {
	db := openStore(t, func(d *sqlite.Driver) store.Driver { return d })
	long, all := db.LongReads(), db.Reads()
	n := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(2*n + 1)
	defer runtime.GOMAXPROCS(n)
	if db.LongReads() != long || db.Reads() != all {
		t.Errorf("%d and %d reads at once with more threads, want %d and %d", db.LongReads(), db.Reads(), long, all)
	}
	if long >= max(2, n) || all > max(1, n) {
		t.Errorf("%d and %d reads at once on %d processors", long, all, n)
	}
}

// The items of a list ask for the same workspace, role, member and service key. A View reads each of them once, and
// another View reads them anew.
func TestAViewReadsTheSameObjectOnce(t *testing.T) {
	t.Parallel()
	var a *asked
	db := openStore(t, func(d *sqlite.Driver) store.Driver {
		a = &asked{Driver: d}
		return a
	})
	put := func(name string) {
		t.Helper()
		_, err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := tx.PutWorkspace(account.Workspace{ID: "w", Name: name, IsActive: true}); err != nil {
				return err
			}
			return tx.Record(audit.Event{Type: "test.changed"})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"one", "two"} {
		put(name)
		a.n = 0
		err := db.View(t.Context(), func(v *store.View) error {
			for range 10 {
				ws, err := v.Workspace("w")
				if err != nil {
					return err
				}
				if ws.Name != name {
					t.Errorf("the workspace is called %q, want %q", ws.Name, name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if a.n != 1 {
			t.Errorf("ten looks at a workspace asked %d times, want once", a.n)
		}
	}
}
