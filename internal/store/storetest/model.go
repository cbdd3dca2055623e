package storetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// model is the expected content of one workspace.
type model struct {
	keys    map[id.Key]apikey.Key
	members map[id.User]bool
}

func (m model) clone() model { return model{maps.Clone(m.keys), maps.Clone(m.members)} }

var users = []id.User{"ann", "ben", "cyd"}

// testModel runs random transactions, each of which may fail, against a map.
func testModel(t *testing.T, f *fixture) {
	rapid.Check(t, func(r *rapid.T) {
		f.ws = f.workspace("Model")
		f.plain = f.role(account.Role{Workspace: f.ws, Name: "Plain", Permissions: f.set("calls:read")})
		m := model{keys: map[id.Key]apikey.Key{}, members: map[id.User]bool{}}
		for range rapid.IntRange(1, 12).Draw(r, "transactions") {
			f.pass(time.Duration(rapid.IntRange(0, 5000).Draw(r, "passing")) * time.Millisecond)
			next := m.clone()
			fail := rapid.IntRange(0, 3).Draw(r, "fails") == 0
			err := f.update(func(tx *store.Tx) error {
				for range rapid.IntRange(1, 4).Draw(r, "steps") {
					f.step(r, tx, &next)
				}
				if fail {
					return errMine
				}
				return nil
			})
			switch {
			case fail != errors.Is(err, errMine):
				r.Fatalf("transaction: %v", err)
			case !fail:
				m = next
			}
			if rapid.IntRange(0, 2).
				Draw(r, "collect") ==
				0 { // rows keep their sets, whatever is collected between two transactions
				_, err := f.db.CollectSets(context.Background())
				f.must(err)
			}
			f.agree(r, m)
		}
	})
	_, err := f.db.VerifyLog(context.Background())
	f.must(err)
}

// step does one thing to the store and the model, sometimes in a savepoint that fails.
func (f *fixture) step(r *rapid.T, tx *store.Tx, m *model) {
	if rapid.IntRange(0, 4).Draw(r, "savepoint") > 0 {
		f.mutate(r, tx, m)
		return
	}
	scrap := m.clone()
	err := tx.Savepoint(func() error {
		f.mutate(r, tx, &scrap)
		return errMine
	})
	if !errors.Is(err, errMine) {
		r.Fatalf("savepoint: %v", err)
	}
}

func (f *fixture) mutate(r *rapid.T, tx *store.Tx, m *model) {
	user := rapid.SampledFrom(users).Draw(r, "user")
	known := slices.Sorted(maps.Keys(m.keys))
	pick := func() apikey.Key {
		if len(known) == 0 {
			return f.aKey()
		}
		return m.keys[rapid.SampledFrom(known).Draw(r, "key")]
	}
	want := error(nil)
	var err error
	switch rapid.SampledFrom([]string{"insert", "update", "rotate", "delete", "join", "leave"}).Draw(r, "operation") {
	case "insert":
		k := f.randomKey(r, user)
		err = tx.InsertKey(k)
		m.keys[k.ID] = k
	case "update":
		k := f.randomKey(r, user)
		was := pick()
		k.ID, k.Value, k.Previous = was.ID, was.Value, working(was, tx.Now())
		want, err = m.put(k), tx.UpdateKey(k)
	case "rotate":
		k := pick()
		k.Rotate(value(f.ids.Next()), tx.Now(), time.Duration(rapid.IntRange(0, 8).Draw(r, "overlap"))*time.Second)
		want, err = m.put(k), tx.UpdateKey(k)
	case "delete":
		k := pick()
		if _, ok := m.keys[k.ID]; !ok {
			want = store.ErrNotFound
		}
		err = tx.DeleteKey(k.ID)
		delete(m.keys, k.ID)
	case "join":
		err = tx.PutMember(account.Member{Workspace: f.ws, User: user, Role: f.plain})
		m.members[user] = true
	case "leave":
		if !m.members[user] {
			want = store.ErrNotFound
		}
		err = tx.RemoveMember(f.ws, user)
		delete(m.members, user)
	}
	if !errors.Is(err, want) {
		r.Fatalf("got %v, want %v", err, want)
	}
}

func (m *model) put(k apikey.Key) error {
	if _, ok := m.keys[k.ID]; !ok {
		return store.ErrNotFound
	}
	m.keys[k.ID] = k
	return nil
}

func (f *fixture) randomKey(r *rapid.T, u id.User) apikey.Key {
	k := f.aKey()
	k.User, k.IsActive = u, rapid.Bool().Draw(r, "active")
	k.Name = rapid.StringOfN(rapid.RuneFrom([]rune("aB%_\\'é")), 1, 5, -1).Draw(r, "name")
	k.Permissions = f.set(
		rapid.SliceOfN(rapid.SampledFrom(catalogue.Names(catalogue.All())), 0, 5).Draw(r, "permissions")...)
	k.Limits.PerMinute = rapid.Int64Range(0, 9).Draw(r, "limit")
	return k
}

// working is which earlier values of a key still work.
func working(k apikey.Key, now time.Time) (out []apikey.Value) {
	for _, p := range k.Previous {
		if p.Until.After(now) {
			out = append(out, p)
		}
	}
	return out
}

// agree compares everything that can be read with the model.
func (f *fixture) agree(r *rapid.T, m model) {
	err := f.db.View(context.Background(), func(v *store.View) error {
		var want []apikey.Key
		for _, k := range slices.Backward(slices.Sorted(maps.Keys(m.keys))) {
			key := m.keys[k]
			key.Previous = working(key, v.Now())
			want = append(want, key)
		}
		got, err := v.Keys(store.KeyFilter{Workspace: f.ws})
		if d := diff(want, got); d != "" {
			r.Fatalf("keys (-model +store):\n%s", d)
		}
		if err != nil {
			return err
		}
		role, err := v.Role(f.ws, f.plain)
		if role.MemberCount != int64(len(m.members)) {
			r.Fatalf("%d members by role, the model has %d", role.MemberCount, len(m.members))
		}
		for _, u := range users {
			f.agreeOn(r, v, m, u)
		}
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
}

func (f *fixture) agreeOn(r *rapid.T, v *store.View, m model, u id.User) {
	member, err := v.Member(f.ws, u)
	if m.members[u] != (err == nil) {
		r.Fatalf("member %s: %v, the model has %v", u, err, m.members[u])
	}
	want := int64(0)
	for _, k := range m.keys {
		if k.User == u {
			want++
		}
	}
	mine, err := v.Keys(store.KeyFilter{Workspace: f.ws, User: u})
	if err != nil || int64(len(mine)) != want {
		r.Fatalf("user %s has %d keys, the model has %d (%v)", u, len(mine), want, err)
	}
	if m.members[u] && member.KeyCount != want {
		r.Fatalf("member %s counts %d keys, the model has %d", u, member.KeyCount, want)
	}
}
