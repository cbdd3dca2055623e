package storetest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/clock"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
)

// clocked is a driver whose database's clock is the fixture's.
type clocked struct {
	store.Shared
	now func() time.Time
}

func (c clocked) Clock() string { return strconv.FormatInt(c.now().UnixMilli(), 10) + "::bigint" }

func (c clocked) Server(ctx context.Context, q store.SQL) (store.Server, error) {
	s, err := c.Shared.Server(ctx, q)
	s.Now = c.now()
	return s, err
}

// fixture is an open database with a clock that stands still, and a workspace with one member.
type fixture struct {
	*testing.T
	open    Open
	db      *store.DB
	clock   atomic.Int64 // Unix milliseconds
	ran     atomic.Int64 // nanoseconds of the monotonic clock
	perLook atomic.Int64 // nanoseconds that each look at the clock takes
	ids     *id.Generator
	told    []feed.Change // by the feed; read it when no Update runs
	fatal   []error
	kept    time.Duration // store.Options.ChangesKept of the next start

	ws     id.Workspace
	owner  id.Role // a system role
	plain  id.Role // with the permission calls:read
	member id.User
}

var catalogue = perm.Builtin()

// start is when every fixture begins.
var start = time.Date(2026, 3, 4, 5, 6, 7, 891_000_000, time.UTC)

func newFixture(t *testing.T, open Open) *fixture {
	f := &fixture{T: t, open: open, member: "user-1"}
	f.clock.Store(start.UnixMilli())
	f.ids = id.NewGenerator(f.now, rand.Reader)
	f.start(open(), catalogue)
	t.Cleanup(func() { f.must(f.db.Close()) })
	f.ws = f.workspace("Fixture")
	f.owner = f.role(account.Role{Workspace: f.ws, Name: "Owner", System: account.Owner})
	f.plain = f.role(account.Role{Workspace: f.ws, Name: "Plain", Permissions: f.set("calls:read")})
	f.join(f.ws, f.member, f.plain)
	f.told = nil
	return f
}

// start opens the store on a driver.
func (f *fixture) start(d store.Driver, c *perm.Catalogue) {
	f.Helper()
	if shared, ok := d.(store.Shared); ok {
		d = clocked{shared, f.now}
	}
	db, err := store.Open(context.Background(), d, store.Options{
		Clock: clock.NewWith(
			func() (time.Time, time.Duration) { return f.now(), time.Duration(f.ran.Add(f.perLook.Load())) },
		),
		Catalogue:   c,
		ChangesKept: f.kept,
		Fatal:       func(err error) { f.fatal = append(f.fatal, err) },
	})
	if err != nil {
		_ = d.Close()
		f.Fatal(err)
	}
	f.db = db
	db.Subscribe(func(c []feed.Change) { f.told = append(f.told, c...) })
}

// restart closes the database and opens it again.
func (f *fixture) restart(c *perm.Catalogue) {
	f.Helper()
	f.must(f.db.Close())
	f.start(f.open(), c)
}

func (f *fixture) now() time.Time       { return time.UnixMilli(f.clock.Load()).UTC() }
func (f *fixture) pass(d time.Duration) { f.ran.Add(int64(d)); f.leap(d) }
func (f *fixture) leap(d time.Duration) { f.clock.Add(d.Milliseconds()) } // the wall clock alone
func (f *fixture) event() audit.Event {
	return audit.Event{ID: id.Event(f.ids.Next()), Workspace: f.ws, Type: "api_key.updated"}
}
func (f *fixture) newKey() id.Key           { return id.Key(f.ids.Next()) }
func (f *fixture) set(n ...string) perm.Set { return catalogue.Known(n) }

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// update runs fn and records an event for it.
func (f *fixture) update(fn func(*store.Tx) error) error {
	_, err := f.db.Update(context.Background(), func(tx *store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return tx.Record(f.event())
	})
	return err
}

func (f *fixture) mustUpdate(fn func(*store.Tx) error) {
	f.Helper()
	f.must(f.update(fn))
}

func (f *fixture) view(fn func(*store.View) error) {
	f.Helper()
	f.must(f.db.View(context.Background(), fn))
}

func (f *fixture) workspace(name string) id.Workspace {
	f.Helper()
	w := account.Workspace{
		ID: id.Workspace(f.ids.Next()), Name: name, IsActive: true, CreatedAt: f.now(), UpdatedAt: f.now(),
		Settings: account.Settings{PermissionMode: account.Frozen},
	}
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutWorkspace(w) })
	return w.ID
}

func (f *fixture) role(r account.Role) id.Role {
	f.Helper()
	r.ID, r.CreatedAt, r.UpdatedAt = id.Role(f.ids.Next()), f.now(), f.now()
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutRole(r, r.Name) })
	return r.ID
}

func (f *fixture) join(ws id.Workspace, u id.User, r id.Role) {
	f.Helper()
	m := account.Member{
		Workspace: ws, User: u, Email: string(u) + "@example.com", Role: r, CreatedAt: f.now(), UpdatedAt: f.now(),
	}
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutMember(m) })
}

// aKey is an unremarkable key of the fixture's member.
func (f *fixture) aKey() apikey.Key {
	k := f.newKey()
	return apikey.Key{ID: k, Workspace: f.ws, User: f.member, Name: "a key", Environment: keyfmt.Live, IsActive: true,
		Permissions: f.set("calls:read"), CreatedAt: f.now(), UpdatedAt: f.now(), Value: value(string(k))}
}

// value is a key's value with a digest of its own.
func value(of string) apikey.Value {
	return apikey.Value{
		Masked: "kw_live_AbCd…wxyz", Digest: keyfmt.Stored{Pepper: keyfmt.NoPepper, Sum: sha256.Sum256([]byte(of))},
	}
}

// insert adds a key after change had its way with it.
func (f *fixture) insert(change func(*apikey.Key)) apikey.Key {
	f.Helper()
	k := f.aKey()
	if change != nil {
		change(&k)
	}
	f.mustUpdate(func(tx *store.Tx) error { return tx.InsertKey(k) })
	return k
}

func (f *fixture) key(k id.Key) apikey.Key {
	f.Helper()
	var found apikey.Key
	f.view(func(v *store.View) (err error) {
		found, err = v.Key(k)
		return err
	})
	return found
}

func (f *fixture) keyCount(u id.User) int64 {
	f.Helper()
	var n int64
	f.view(func(v *store.View) error {
		m, err := v.Member(f.ws, u)
		n = m.KeyCount
		return err
	})
	return n
}

// load gathers the output of LoadAll.
func (f *fixture) load() []feed.Change {
	f.Helper()
	var all []feed.Change
	f.must(f.db.LoadAll(context.Background(), func(c feed.Change) error {
		all = append(all, c)
		return nil
	}))
	return all
}

// same compares records; an empty list is as good as none.
func (f *fixture) same(what string, want, got any) {
	f.Helper()
	if diff := diff(want, got); diff != "" {
		f.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(perm.Set{}, netip.Prefix{}))
}

// names turns a list into the names of its items, in its order.
func names[T any](items []T, name func(T) string) string {
	s := ""
	for _, i := range items {
		s += name(i) + " "
	}
	return s
}

// times makes n things in order.
func times[T any](n int, produce func(i int) T) []T {
	var out []T
	for i := range n {
		out = append(out, produce(i))
	}
	return out
}

func number(i int) string { return fmt.Sprintf("%03d", i) }
