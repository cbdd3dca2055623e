package storetest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// follower keeps the state from a feed, by object.
type follower map[any]feed.Change

func (o follower) apply(c feed.Change) {
	c.Revision = 0
	switch {
	case c.Workspace != nil:
		o[c.Workspace.ID] = c
	case c.Role != nil:
		r := *c.Role
		r.MemberCount = 0 // moves without a change of the role
		o[r.ID] = feed.Change{Role: &r}
	case c.Member != nil:
		m := *c.Member
		m.KeyCount = 0
		o[feed.MemberID{Workspace: m.Workspace, User: m.User}] = feed.Change{Member: &m}
	case c.Key != nil:
		k := *c.Key // as LoadAll tells it
		k.Description, k.CreatedAt, k.UpdatedAt, k.LastUsedAt = "", time.Time{}, time.Time{}, time.Time{}
		k.ValueMadeAt = time.Time{}
		k.Disabled = apikey.Mark{}
		k.Confined = false // asked of the row itself
		k.Value.Masked = ""
		if !k.Value.Digest.Pepper.IsForeign() {
			k.Value.Digest.Pepper = ""
		}
		o[k.ID] = feed.Change{Key: &k}
	case c.ServiceKey != nil:
		o[c.ServiceKey.ID] = c
	case c.MemberGone != nil:
		delete(o, *c.MemberGone)
	case c.WorkspaceGone != "":
		o.drop(c.WorkspaceGone)
	default:
		delete(o, c.RoleGone)
		delete(o, c.KeyGone)
		delete(o, c.ServiceKeyGone)
	}
}

// drop forgets a workspace with everything in it.
func (o follower) drop(ws id.Workspace) {
	for k, c := range o {
		if c.Workspace != nil && c.Workspace.ID == ws || c.Role != nil && c.Role.Workspace == ws ||
			c.Member != nil && c.Member.Workspace == ws || c.Key != nil && c.Key.Workspace == ws {
			delete(o, k)
		}
	}
}

func follow(changes []feed.Change) follower {
	o := follower{}
	for _, c := range changes {
		o.apply(c)
	}
	return o
}

func testFeed(t *testing.T, f *fixture) {
	var mu sync.Mutex
	seen := make(map[id.Key]bool)
	var last int64
	f.db.Subscribe(func(changes []feed.Change) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range changes {
			if c.Revision <= last {
				t.Errorf("revision %d after %d", c.Revision, last)
			}
			last = c.Revision
			seen[c.Key.ID] = true
			if got := f.key(c.Key.ID); got.ID != c.Key.ID {
				t.Errorf("the feed told of a key that is not committed")
			}
		}
	})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 5 {
				k := f.aKey()
				f.check(f.update(func(tx *store.Tx) error { return tx.InsertKey(k) }))
				mu.Lock()
				if !seen[k.ID] {
					t.Errorf("an Update returned before the feed told of it")
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	f.same("keys", 80, len(seen))
	f.same("the last revision", f.db.Stats().LogHead, last)
}

func testFeedIsLoad(_ *testing.T, f *fixture) {
	o := follow(f.load())
	apply := func(write func(*store.Tx) error) {
		f.told = nil
		f.mustUpdate(write)
		for _, c := range f.told {
			o.apply(c)
		}
		f.same("what is loaded", o, follow(f.load()))
	}
	k := f.fullKey()
	k.CreatedAt = k.CreatedAt.Add(123 * time.Microsecond).In(time.FixedZone("x", 3600))
	apply(func(tx *store.Tx) error { return tx.InsertKey(k) })
	k.Previous[1].Until = f.now() // ended
	apply(func(tx *store.Tx) error { return tx.UpdateKey(k) })
	apply(func(tx *store.Tx) error { return tx.PutServiceKey(account.ServiceKey{ID: "s", CreatedAt: k.CreatedAt}) })
	apply(func(tx *store.Tx) error {
		return tx.PutRole(account.Role{ID: f.plain, Workspace: f.ws, Name: "N", Permissions: f.set("calls:write")}, "n")
	})
	apply(func(tx *store.Tx) error {
		return tx.PutMember(account.Member{Workspace: f.ws, User: "x", Role: f.plain})
	})
	apply(func(tx *store.Tx) error { return tx.RemoveMember(f.ws, "x") })
	apply(func(tx *store.Tx) error { return tx.DeleteServiceKey("s") })
	apply(func(tx *store.Tx) error { return tx.DeleteKey(k.ID) })
	apply(func(tx *store.Tx) error { return tx.InsertKey(f.aKey()) })
	apply(func(tx *store.Tx) error { return tx.DeleteWorkspace(f.ws) })
}

func testTimeMark(_ *testing.T, f *fixture) {
	f.pass(24 * time.Hour)
	f.insert(func(k *apikey.Key) { k.ExpiresAt = f.now() })
	late := f.now()
	f.same("after an update", late, f.db.TimeMark())
	f.leap(-23 * time.Hour)
	f.same("now, the clock set back", late, f.viewNow())
	f.restart(catalogue)
	f.same("mark after a restart", late, f.db.TimeMark())
	f.same("now after a restart", late, f.viewNow())
	f.insert(nil)
	f.same("mark after an update by the wrong clock", late, f.db.TimeMark())
	f.leap(23 * time.Hour)
	f.pass(time.Hour)
	f.must(f.db.MarkTime(context.Background()))
	later := f.now()
	f.same("marked without an update", later, f.db.TimeMark())
	f.restart(catalogue)
	f.same("marked across a restart", later, f.db.TimeMark())
}

func (f *fixture) viewNow() (now time.Time) {
	f.Helper()
	f.view(func(v *store.View) error {
		now = v.Now()
		return nil
	})
	return now
}

func testSecret(t *testing.T, f *fixture) {
	secret := f.db.Secret()
	if len(secret) != 32 || bytes.Equal(secret, make([]byte, 32)) {
		t.Errorf("a secret of %d bytes, or of zeros", len(secret))
	}
	f.restart(catalogue)
	f.same("after a restart", true, bytes.Equal(secret, f.db.Secret()))
	f.must(f.db.Ping(context.Background()))
}

// faulty makes the commits of a driver fail.
type faulty struct {
	store.Driver
	fail error
}

func (d *faulty) Write(ctx context.Context, fn func(store.SQL) error) error {
	return d.Driver.Write(ctx, func(q store.SQL) error {
		if err := fn(q); err != nil {
			return err
		}
		return d.fail
	})
}

// faulty puts a driver under the store whose commits fail as told.
func (f *fixture) faulty() *faulty {
	f.Helper()
	f.must(f.db.Close())
	d := &faulty{Driver: f.open()}
	f.start(d, catalogue)
	f.told = nil
	return d
}

func testDurability(t *testing.T, f *fixture) {
	d := f.faulty()
	d.fail = errors.Join(store.ErrDurability, errMine)
	var mu sync.Mutex
	told := 0
	f.together(10, func(int) {
		err := f.update(func(tx *store.Tx) error { return tx.InsertKey(f.aKey()) })
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			told++
		}
	})
	f.same("callers that were told of a success", 0, told)
	if len(f.fatal) != 1 || !errors.Is(f.fatal[0], errMine) {
		t.Errorf("Fatal was called with %v, want one call with the cause", f.fatal)
	}
	d.fail = nil
	for name, write := range map[string]func() error{
		"update": func() error { return f.update(func(tx *store.Tx) error { return tx.InsertKey(f.aKey()) }) },
		"mark":   func() error { return f.db.MarkTime(context.Background()) },
		"purge":  func() error { _, err := f.db.Purge(context.Background()); return err },
	} {
		if err := write(); !errors.Is(err, store.ErrDurability) {
			t.Errorf("%s afterwards: %v, want ErrDurability", name, err)
		}
	}
	f.same("feed", 0, len(f.told))
}

func testFull(t *testing.T, f *fixture) {
	d := f.faulty()
	d.fail = errors.Join(store.ErrFull, errMine)
	f.together(10, func(int) {
		if err := f.update(func(tx *store.Tx) error { return tx.InsertKey(f.aKey()) }); !errors.Is(err, store.ErrFull) {
			t.Errorf("%v, want ErrFull", err)
		}
	})
	f.same("calls of Fatal", 0, len(f.fatal))
	f.unchanged(0)
	d.fail = nil
	f.insert(nil)
	f.told = nil
	f.unchanged(1)
}
