package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feed/feedtest"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// source is the fixture's change log, with pages of seven changes.
func (f *fixture) source() store.Source { return store.Source{DB: f.db, Places: 2, Page: 7} }

// drop removes a key.
func (f *fixture) drop(k id.Key) {
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteKey(k) })
}

// touch changes a key.
func (f *fixture) touch(k id.Key) {
	f.mustUpdate(func(tx *store.Tx) error {
		now, err := tx.Key(k)
		if err != nil {
			return err
		}
		now.Name += "x"
		return tx.UpdateKey(now)
	})
}

// forget removes the whole change log.
func (f *fixture) forget() {
	f.Helper()
	if f.db.Shared() { // a node that has applied everything
		_, err := f.db.PutNode(
			context.Background(), store.Node{ID: "n", Applied: f.db.Stats().LogHead, Limit: time.Second, State: store.NodeReady},
		)
		f.must(err)
	}
	for more := true; more; {
		var err error
		more, err = f.db.PruneChanges(context.Background())
		f.must(err)
	}
}

// testChangeLog runs the suite of every source, each test on the same database: a log goes on.
func testChangeLog(t *testing.T, f *fixture) {
	var keys []id.Key
	feedtest.Run(t, func(*testing.T) feedtest.Log {
		for _, k := range keys { // of the test before
			_ = f.update(func(tx *store.Tx) error { return tx.DeleteKey(k) })
		}
		keys = nil
		return feedtest.Log{Source: f.source(), Touch: f.touch, Drop: f.drop, Forget: f.forget, Put: func() id.Key {
			k := f.insert(nil)
			keys = append(keys, k.ID)
			return k.ID
		}}
	})
}

// testChangeLogIsLoad follows the log through a change of every kind: its state then equals a load.
func testChangeLogIsLoad(t *testing.T, f *fixture) {
	f.insert(nil)
	expected, told := int64(-1), int64(0)
	source := f.source()
	source.Expect = func(keys int64) {
		if expected = keys; told != 0 {
			f.Errorf("the number of keys is told after %d of them", told)
		}
	}
	at, ok, err := source.Load(context.Background(), func(c feed.Change) error {
		if c.Key != nil {
			told++
		}
		return nil
	})
	if expected != told || told == 0 {
		f.Errorf("%d keys are expected, %d come", expected, told)
	}
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	o := follow(f.load())
	step := func(write func(*store.Tx) error) {
		f.mustUpdate(write)
		for more := true; more; {
			p, err := f.source().Next(context.Background(), feed.Presence{At: at})
			f.must(err)
			for _, c := range p.Changes {
				o.apply(c)
			}
			at, more = p.Cursor, p.More
		}
		f.same("what is loaded", o, follow(f.load()))
	}
	k := f.fullKey()
	step(func(tx *store.Tx) error { return tx.InsertKey(k) })
	k.Previous[1].Until = f.now() // ended
	step(func(tx *store.Tx) error { return tx.UpdateKey(k) })
	bounded := account.ServiceKey{ID: "s", CreatedAt: k.CreatedAt, Scopes: []account.Scope{account.ScopeFollow},
		Bounds: account.Bounds{Reach: account.Reach{Workspaces: []id.Workspace{f.ws}}}}
	step(func(tx *store.Tx) error { return tx.PutServiceKey(bounded) })
	step(func(tx *store.Tx) error {
		return tx.PutRole(account.Role{ID: f.plain, Workspace: f.ws, Name: "N", Permissions: f.set("calls:write")}, "n")
	})
	step(func(tx *store.Tx) error {
		return tx.PutMember(account.Member{Workspace: f.ws, User: "x", Role: f.plain})
	})
	step(func(tx *store.Tx) error { return tx.RemoveMember(f.ws, "x") })
	step(func(tx *store.Tx) error { return tx.DeleteServiceKey("s") })
	step(func(tx *store.Tx) error { return tx.DeleteKey(k.ID) })
	step(func(tx *store.Tx) error { return tx.InsertKey(f.aKey()) })
	step(func(tx *store.Tx) error { return tx.DeleteWorkspace(f.ws) })
}

// testChangesKept holds that young changes stay, for followers that are away for a while, and old ones do not.
func testChangesKept(t *testing.T, f *fixture) {
	f.kept = time.Minute
	f.restart(catalogue)
	r := feedtest.Read(t, f.source())
	f.insert(nil)
	f.forget()
	if r.CatchUp(); len(r.Keys) != 1 {
		t.Errorf("after a prune a reader from before it has %d keys", len(r.Keys))
	}
	early := feedtest.Read(t, f.source())
	f.insert(nil)
	f.pass(2 * time.Minute)
	f.forget()
	if _, err := f.source().Next(context.Background(), feed.Presence{At: early.At}); err == nil {
		t.Error("changes older than they are kept are still there")
	}
}
