package control_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// overheard is a driver that records statements, each with its number of runs and one set of arguments.
type overheard struct {
	*sqlite.Driver
	times map[string]int
	args  map[string][]any
}

func (o *overheard) Write(ctx context.Context, fn func(store.SQL) error) error {
	return o.Driver.Write(ctx, func(q store.SQL) error { return fn(ear{q, o}) })
}

type ear struct {
	store.SQL
	o *overheard
}

func (e ear) hear(query string, args []any) {
	e.o.times[query]++
	e.o.args[query] = args
}

func (e ear) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	e.hear(query, args)
	return e.SQL.Exec(ctx, query, args...)
}

func (e ear) ExecDeferred(ctx context.Context, query string, args ...any) error {
	e.hear(query, args)
	return e.SQL.ExecDeferred(ctx, query, args...)
}

// journals tells whether SQLite keeps a journal of the statement, to take it back alone: it does where foreign keys are
// counted.
func (o *overheard) journals(t *testing.T, query string) (found bool) {
	t.Helper()
	must(t, o.Read(t.Context(), func(q store.SQL) error {
		rows, err := q.Query(t.Context(), "EXPLAIN "+query, o.args[query]...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var addr, one, two, three, five int64
			var opcode string
			var four, comment any
			if err := rows.Scan(&addr, &opcode, &one, &two, &three, &four, &five, &comment); err != nil {
				return err
			}
			found = found || opcode == "FkCounter" || opcode == "FkIfZero"
		}
		return rows.Err()
	}))
	return found
}

// Within a transaction, SQLite lets go of a statement's journal in a time that grows with all that the transaction has
// written: 10,000 keys took 15 seconds, and 3,000 less than one.
func TestTheCostOfAKeyInARemovalDoesNotGrowWithTheOthersT104(t *testing.T) {
	t.Parallel()
	driver, err := sqlite.Open(filepath.Join(t.TempDir(), "keyward.db"), sqlite.Options{Lock: true})
	must(t, err)
	o := &overheard{Driver: driver}
	o.forget()
	db, err := store.Open(t.Context(), o, store.Options{Now: time.Now, Catalogue: catalogue})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	k := newKitOn(t, db)
	ws := k.found(t)
	k.join(t, ws, "heir", "Admin")
	const keys = 20
	for n, mode := range []string{"stop", "keep", "transfer:heir"} {
		leaver := fmt.Sprint("leaver-", n)
		k.join(t, ws, leaver, "Member")
		for range keys {
			k.key(t, ws, leaver)
		}
		o.forget()
		_, err := k.RemoveMember(t.Context(), k.root, ws, leaver, control.RemoveMember{Keys: mode})
		must(t, err)
		each := 0
		for query, times := range o.times {
			if times < keys {
				continue
			}
			each++
			if times > 2*keys {
				t.Errorf("%s: %d times for %d keys: %s", mode, times, keys, query)
			}
			if o.journals(t, query) {
				t.Errorf("%s: SQLite keeps a journal of %s", mode, query)
			}
		}
		if each < 3 {
			t.Errorf("%s: %d statements were made of each key: too few to tell anything", mode, each)
		}
	}
}

func (o *overheard) forget() {
	o.times, o.args = map[string]int{}, map[string][]any{}
}
