package storetest

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// A group does not read again objects that it has read once. So transactions that share a group do everything that
// changes a workspace, a role, a member or a service key, some of them in vain, and after each step the objects read
// by id are those of the lists, which are always read afresh.
func testKnown(t *testing.T, f *fixture) {
	const transactions, steps = 60, 5
	service := id.ServiceKey(f.ids.Next())
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutServiceKey(f.serviceKey(service, 0)) })
	seed := rand.Uint64()
	f.together(transactions, func(i int) {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		err := f.update(func(tx *store.Tx) error {
			for range steps {
				if err := f.stir(random, tx, service); err != nil {
					return err
				}
				f.sameByID(tx, service)
			}
			if i%3 == 0 {
				return errMine
			}
			return nil
		})
		if err != nil && !errors.Is(err, errMine) {
			t.Errorf("seed %d, transaction %d: %v", seed, i, err)
		}
	})
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
}

func (f *fixture) serviceKey(k id.ServiceKey, n int) account.ServiceKey {
	scopes := []account.Scope{account.ScopeManage, account.ScopeVerify, account.ScopeRoot}
	return account.ServiceKey{
		ID: k, Name: "Service " + number(n), Scopes: scopes[:1+n%3], Digest: value(string(k)).Digest, CreatedAt: f.now(),
		Bounds: bounds(n),
	}
}

// stir changes something, half of the time only to take it back.
func (f *fixture) stir(random *rand.Rand, tx *store.Tx, service id.ServiceKey) error {
	if random.IntN(2) == 0 {
		return f.change(random, tx, service)
	}
	err := tx.Savepoint(func() error {
		if err := f.change(random, tx, service); err != nil {
			return err
		}
		f.sameByID(tx, service)
		return errMine
	})
	if errors.Is(err, errMine) {
		return nil
	}
	return err
}

func (f *fixture) change(random *rand.Rand, tx *store.Tx, service id.ServiceKey) error {
	n := random.IntN(1000)
	user, role := []id.User{f.member, "user-2"}[n%2], []id.Role{f.plain, f.owner}[n/2%2]
	switch random.IntN(8) {
	case 0:
		return tx.PutWorkspace(account.Workspace{ID: f.ws, Name: "W " + number(n), IsActive: n%2 == 0, CreatedAt: f.now()})
	case 1:
		return tx.PutRole(
			account.Role{ID: f.plain, Workspace: f.ws, Name: "R " + number(n), Permissions: f.set("agents:read")}, "r",
		)
	case 2:
		return tx.PutMember(account.Member{Workspace: f.ws, User: user, DisplayName: number(n), Role: role})
	case 3:
		if _, err := tx.Member(f.ws, user); errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return tx.RemoveMember(f.ws, user)
	case 4:
		return tx.PutServiceKey(f.serviceKey(service, n))
	case 5:
		k := f.aKey()
		k.User = user
		return tx.InsertKey(k)
	case 6:
		return f.withAKey(tx, func(k id.Key) error {
			was, err := tx.Key(k)
			if err != nil {
				return err
			}
			was.User = user
			return tx.UpdateKey(was)
		})
	}
	return f.withAKey(tx, tx.DeleteKey)
}

// withAKey calls do with some key, if there is one.
func (f *fixture) withAKey(tx *store.Tx, do func(id.Key) error) error {
	found, err := tx.Keys(store.KeyFilter{Workspace: f.ws, Page: store.Page{Limit: 1}})
	if err != nil || len(found) == 0 {
		return err
	}
	return do(found[0].ID)
}

// sameByID reads everything in both ways.
func (f *fixture) sameByID(tx *store.Tx, service id.ServiceKey) {
	f.Helper()
	workspace, err := tx.Workspace(f.ws)
	f.check(err)
	f.same(
		"workspace", listed(f, tx.Workspaces, func(w account.Workspace) bool { return w.ID == f.ws }),
		[]account.Workspace{workspace},
	)

	role, err := tx.Role(f.ws, f.plain)
	f.check(err)
	roles := func(p store.Page) ([]account.Role, error) { return tx.Roles(f.ws, p) }
	f.same("role", listed(f, roles, func(r account.Role) bool { return r.ID == f.plain }), []account.Role{role})

	key, err := tx.ServiceKey(service)
	f.check(err)
	f.same(
		"service key", listed(f, tx.ServiceKeys, func(k account.ServiceKey) bool { return k.ID == service }),
		[]account.ServiceKey{key},
	)

	members := func(p store.Page) ([]account.Member, error) { return tx.Members(f.ws, p) }
	for _, user := range []id.User{f.member, "user-2"} {
		var want []account.Member
		member, err := tx.Member(f.ws, user)
		if err == nil {
			want = append(want, member)
		} else if !errors.Is(err, store.ErrNotFound) {
			f.Error(err)
		}
		f.same("member", listed(f, members, func(m account.Member) bool { return m.User == user }), want)
	}

	total, err := tx.KeyTotal(f.ws, "")
	f.check(err)
	var sum int64
	for _, user := range []id.User{f.member, "user-2"} {
		n, err := tx.KeyTotal(f.ws, user)
		f.check(err)
		sum += n
	}
	f.same("keys in all", sum, total)
}

// listed is the item of a list that matches.
func listed[T any](f *fixture, list func(store.Page) ([]T, error), is func(T) bool) []T {
	f.Helper()
	all, err := list(store.Page{})
	f.check(err)
	return slices.DeleteFunc(all, func(t T) bool { return !is(t) })
}
