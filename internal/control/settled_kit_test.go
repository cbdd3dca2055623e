package control_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"github.com/keyward/keyward/internal/store/sqlite"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// settledNode is one node: a control plane over a store, and a copy. No request of it writes more than the first key
// after its transaction.
type settledNode struct {
	*kit
	replica func() *replica.Replica
	look    func() // reads the feed to its end, where others write it, too
	close   func()

	every, looks int // in how many looks the lists are read once
}

// leap is a clock by which every request has taken too long already.
func leap() func() time.Time {
	at := time.Now()
	return func() time.Time {
		at = at.Add(time.Hour)
		return at
	}
}

func (n *settledNode) on(t failer, db *store.DB) {
	n.kit = newKitOn(t, db, func(c *control.Config) { c.Now, c.AtOnce, c.InChunk = leap(), -1, 1 })
}

// openSole opens a node over a file.
func openSole(t failer, dir string) *settledNode {
	t.Helper()
	driver, err := sqlite.Open(filepath.Join(dir, "keyward.db"), sqlite.Options{Lock: true})
	must(t, err)
	db, err := store.Open(context.Background(), driver, store.Options{Now: time.Now, Catalogue: catalogue})
	must(t, err)
	r := replica.New()
	db.Subscribe(func(changes []feed.Change) { r.Apply(changes) })
	head := db.Stats().LogHead
	must(t, r.Load(func(tell func(feed.Change) error) error { return db.LoadAll(context.Background(), tell) }))
	r.SetRevision(head)
	n := &settledNode{
		replica: func() *replica.Replica { return r }, look: func() {}, every: 3, close: func() { must(t, db.Close()) },
	}
	n.on(t, db)
	return n
}

// openShared opens a node over a database that others use, too.
func openShared(t failer, url string) *settledNode {
	t.Helper()
	ctx := context.Background()
	driver, err := postgres.Open(ctx, url, postgres.Options{Connections: 4})
	must(t, err)
	db, err := store.Open(ctx, driver, store.Options{Now: time.Now, Catalogue: catalogue})
	must(t, err)
	one := cluster.New(
		cluster.Config{DB: db, ID: fmt.Sprintf("node-%d", time.Now().UnixNano()), Limit: time.Minute, Now: time.Now,
			Log: slog.New(slog.NewTextHandler(io.Discard, nil))},
	)
	must(t, one.Start(ctx))
	n := &settledNode{replica: one.Replica, look: func() { one.Look(ctx) }, every: 7, close: func() {
		must(t, one.Close(ctx))
		must(t, db.Close())
	}}
	n.on(t, db)
	return n
}

// standing is the readers' view of a key, in one form.
type standing struct {
	User           id.User
	Active, Orphan bool
}

func standingOf(k *apikey.Key) standing { return standing{k.User, k.IsActive && !k.Revoked, k.Orphan} }

// readers ask every reader of every key, and want one answer; it is given.
func (n *settledNode) readers(t failer, ws string, users []string, keys []id.Key) map[id.Key]apikey.Key {
	t.Helper()
	n.look()
	if n.looks%3 == 2 {
		n.replica().Sweep(n.replica().Revision())
	}
	out := map[id.Key]apikey.Key{}
	var all []apikey.Key
	for _, name := range keys {
		got, err := n.GetKey(context.Background(), n.root, string(name))
		if codeOf(err) == "not_found" {
			continue
		}
		must(t, err)
		k := got.Key
		out[name] = k
		all = append(all, k)
		var v replica.View
		if !n.replica().Lookup(k.Value.Digest.Sum, &v) {
			t.Fatalf("key %s is not in the copy", name)
		}
		if diff := gocmp.Diff(standingOf(&k), standing{v.User, v.IsActive, v.Orphan}); diff != "" {
			t.Fatalf("key %s: the copy is not as the store (-store +copy):\n%s", name, diff)
		}
		if role := n.present(ws, string(k.User)); role != v.CreatorPresent {
			t.Fatalf(
				"key %s of %s: the copy has the creator as a member: %v, the store: %v", name, k.User, v.CreatorPresent, role,
			)
		}
	}
	slices.SortFunc(all, func(a, b apikey.Key) int { return cmp.Compare(b.ID, a.ID) })
	if n.looks++; n.looks%n.every == 0 {
		n.lists(t, ws, users, all)
	}
	return out
}

func (n *settledNode) present(ws, user string) bool {
	_, err := n.GetMember(context.Background(), n.root, ws, user)
	return err == nil
}

// lists wants each list and count to have the keys that its filter names.
func (n *settledNode) lists(t failer, ws string, users []string, all []apikey.Key) {
	t.Helper()
	yes, no := true, false
	for _, user := range append(slices.Clone(users), "") {
		for _, active := range []*bool{nil, &yes, &no} {
			for _, orphans := range []apikey.Standing{apikey.AnyStanding, apikey.Orphaned, apikey.Working} {
				for _, search := range []string{"", user} {
					want := []id.Key{}
					for i := range all {
						k := &all[i]
						if (user == "" || string(k.User) == user) && (active == nil || k.IsActive == *active) &&
							(orphans == apikey.AnyStanding || k.IsActive && (orphans == apikey.Working || k.Orphan)) {
							want = append(want, k.ID)
						}
					}
					f := store.KeyFilter{
						Workspace: id.Workspace(ws), User: id.User(user), Active: active, Standing: orphans, Search: search,
					}
					n.list(t, f, want)
				}
			}
		}
	}
}

func (n *settledNode) list(t failer, f store.KeyFilter, want []id.Key) {
	t.Helper()
	must(t, n.db.View(context.Background(), func(v *store.View) error {
		f.Limit = 3
		got := []id.Key{}
		for {
			page, err := v.Keys(f)
			if err != nil {
				return err
			}
			for i := range page {
				got = append(got, page[i].ID)
			}
			if len(page) < f.Limit {
				break
			}
			f.After = f.Position(&page[len(page)-1])
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("list of %+v (-want +got):\n%s", f, diff)
		}
		f.After = ""
		count, err := v.KeyCount(f, 100)
		if int(count) != len(want) {
			t.Fatalf("count of %+v: %d, want %d", f, count, len(want))
		}
		return err
	}))
}

// same compares keys, but for how far a settlement is written.
func same(a, b map[id.Key]apikey.Key) string {
	return gocmp.Diff(
		a, b, cmpopts.EquateComparable(perm.Set{}), cmpopts.IgnoreFields(apikey.Key{}, "Period", "Unsettled"),
		cmpopts.EquateEmpty(),
	)
}
