package control_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// counting is a driver that tells how often the keys of a member are counted: by readers, and in turns of the writer.
type counting struct {
	*sqlite.Driver
	looks, turns atomic.Int64
	after        func(looks int64) // runs when a reader has counted
}

func (c *counting) Read(ctx context.Context, fn func(store.SQL) error) error {
	before := c.looks.Load()
	err := c.Driver.Read(ctx, func(q store.SQL) error { return fn(kindsTold{q, &c.looks}) })
	if n := c.looks.Load(); n > before {
		c.after(n)
	}
	return err
}

func (c *counting) Write(ctx context.Context, fn func(store.SQL) error) error {
	return c.Driver.Write(ctx, func(q store.SQL) error { return fn(kindsTold{q, &c.turns}) })
}

type kindsTold struct {
	store.SQL
	counts *atomic.Int64
}

func (k kindsTold) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	if strings.Contains(query, "GROUP BY set_id") {
		k.counts.Add(1)
	}
	return k.SQL.Query(ctx, query, args...)
}

// A removal counts the member's keys beforehand, and anew only where one of them has changed meanwhile, or what settles
// them. It counts them in no turn of the writer, however much else happens in the workspace.
func TestARemovalCountsAnewOnlyWhatHasChangedT104(t *testing.T) {
	t.Parallel()
	driver, err := sqlite.Open(filepath.Join(t.TempDir(), "keyward.db"), sqlite.Options{Lock: true})
	must(t, err)
	c := &counting{Driver: driver, after: func(int64) {}}
	db, err := store.Open(t.Context(), c, store.Options{Now: time.Now, Catalogue: catalogue})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	k := newKitOn(t, db, func(c *control.Config) { c.AtOnce = -1 })
	ws := k.found(t)
	k.join(t, ws, "heir", "Admin")
	k.join(t, ws, "busy", "Member")
	leave := func(user string) {
		_, err := k.RemoveMember(t.Context(), k.root, ws, user, control.RemoveMember{Keys: "transfer:leaver"})
		must(t, err)
	}
	for _, round := range []struct {
		name  string
		first func(first control.Revealed) // while the keys are counted for the first time
		looks int64
		keys  int
	}{
		{"others work", func(control.Revealed) {
			busy := k.key(t, ws, "busy")
			_, _, err := k.DeleteKeys(t.Context(), k.root, []string{string(busy.Key.ID)})
			must(t, err)
		}, 1, 3},
		{"a key is added", func(control.Revealed) { k.key(t, ws, "leaver") }, 2, 4},
		{"a key is deleted", func(one control.Revealed) {
			_, _, err := k.DeleteKeys(t.Context(), k.root, []string{string(one.Key.ID)})
			must(t, err)
		}, 2, 2},
		{"a key becomes another", func(one control.Revealed) {
			_, _, err := k.DeleteKeys(t.Context(), k.root, []string{string(one.Key.ID)})
			must(t, err)
			k.key(t, ws, "leaver")
		}, 2, 3},
		{"a key is disabled", func(one control.Revealed) {
			_, _, err := k.UpdateKeys(
				t.Context(), k.root, []control.UpdateKey{{ID: string(one.Key.ID), IsActive: control.Some(false)}},
			)
			must(t, err)
		}, 2, 3},
		{"keys of another are handed over", func(control.Revealed) {
			k.join(t, ws, "giver", "Member")
			k.key(t, ws, "giver")
			c.after = func(int64) {}
			leave("giver")
		}, 3, 4},
	} {
		k.join(t, ws, "leaver", "Member")
		one := k.key(t, ws, "leaver")
		k.key(t, ws, "leaver")
		k.key(t, ws, "leaver")
		c.looks.Store(0)
		c.after = func(looks int64) {
			if looks == 1 {
				round.first(one)
			}
		}
		out, err := k.RemoveMember(t.Context(), k.root, ws, "leaver", control.RemoveMember{Keys: "transfer:heir"})
		must(t, err)
		c.after = func(int64) {}
		if looks, turns := c.looks.Load(), c.turns.Load(); looks != round.looks || turns != 0 {
			t.Errorf("%s: counted %d times by readers and %d times in a turn, want %d and 0", round.name, looks, turns, round.looks)
		}
		if out.Transferred != round.keys {
			t.Errorf("%s: %d keys were handed over, want %d", round.name, out.Transferred, round.keys)
		}
		c.turns.Store(0)
	}
}
