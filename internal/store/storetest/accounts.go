package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/store"
)

func testWorkspace(_ *testing.T, f *fixture) {
	w := account.Workspace{ID: id.Workspace(f.ids.Next()), Name: "Zürich % _ '", IsActive: true, OwnerID: "o|1",
		CreatedAt: f.now(), UpdatedAt: f.now(),
		Settings: account.Settings{
			PermissionMode: account.Capped, DefaultRateLimit: ratelimit.Limits{PerMinute: 7, PerDay: ratelimit.Max},
			MaxKeyLifetime: 90 * 24 * time.Hour, RequireExpiry: true, NoSelfRotation: true,
		}}
	for range 2 { // inserted, then replaced
		f.mustUpdate(func(tx *store.Tx) error { return tx.PutWorkspace(w) })
		f.view(func(v *store.View) error {
			got, err := v.Workspace(w.ID)
			f.same("workspace", w, got)
			return err
		})
		w.Plan = account.Plan{MaxKeys: 1, MaxMembers: 2, MaxRoles: 3, MaxEventsPerDay: ratelimit.Max,
			Shared:  ratelimit.Limits{PerMinute: 4, PerDay: 5},
			Ceiling: account.Ceiling{Limits: ratelimit.Limits{PerMinute: 6, PerDay: ratelimit.Max}, MaxLifetime: 7 * time.Hour}}
		w.Off = account.SwitchedOff{By: "ann", At: f.now(), Operator: true}
		w.Name, w.IsActive, w.UpdatedAt, w.Settings = "Bern", false, f.now().
			Add(time.Second),
			account.Settings{
				PermissionMode: account.Frozen,
			}
	}
}

func testWorkspacePages(_ *testing.T, f *fixture) {
	ids := append([]id.Workspace{f.ws}, times(4, func(i int) id.Workspace { return f.workspace(number(i)) })...)
	f.view(func(v *store.View) error {
		page, err := v.Workspaces(store.Page{Limit: 2})
		f.same("first page", []id.Workspace{ids[4], ids[3]}, []id.Workspace{page[0].ID, page[1].ID})
		if err != nil {
			return err
		}
		rest, err := v.Workspaces(store.Page{After: string(ids[3])})
		f.same("rest", "001 000 Fixture ", names(rest, func(w account.Workspace) string { return w.Name }))
		return err
	})
}

func testWorkspaceDeleted(t *testing.T, f *fixture) {
	k := f.insert(nil)
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteWorkspace(f.ws) })
	f.view(func(v *store.View) error {
		_, err1 := v.Workspace(f.ws)
		_, err2 := v.Member(f.ws, f.member)
		_, err3 := v.Role(f.ws, f.plain)
		_, err4 := v.Key(k.ID)
		_, err5 := v.RoleNamed(f.ws, "Plain")
		_, _, err6 := v.Creator(f.ws, f.member)
		for i, err := range []error{err1, err2, err3, err4, err5, err6} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("read %d: %v, want ErrNotFound", i+1, err)
			}
		}
		keys, err := v.Keys(store.KeyFilter{Workspace: f.ws})
		f.same("keys", 0, len(keys))
		return err
	})
	for name, write := range map[string]func(*store.Tx) error{
		"put":    func(tx *store.Tx) error { return tx.PutWorkspace(account.Workspace{ID: f.ws}) },
		"delete": func(tx *store.Tx) error { return tx.DeleteWorkspace(f.ws) },
		"role": func(tx *store.Tx) error {
			return tx.PutRole(account.Role{ID: id.Role(f.ids.Next()), Workspace: f.ws}, "x")
		},
		"member": func(tx *store.Tx) error {
			return tx.PutMember(account.Member{Workspace: f.ws, User: "x", Role: f.plain})
		},
		"leave":  func(tx *store.Tx) error { return tx.RemoveMember(f.ws, f.member) },
		"key":    func(tx *store.Tx) error { return tx.InsertKey(f.aKey()) },
		"update": func(tx *store.Tx) error { return tx.UpdateKey(k) },
		"remove": func(tx *store.Tx) error { return tx.DeleteKey(k.ID) },
	} {
		if err := f.update(write); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
	f.same("what is left to load", 0, len(f.load()))
}

func testPurge(t *testing.T, f *fixture) {
	other := f.ws
	mine := f.insert(nil)
	f.ws = f.workspace("Dead")
	role := f.role(account.Role{Workspace: f.ws, Name: "R"})
	f.join(f.ws, f.member, role)
	f.passkey("dead", nil)
	f.portal("dead", nil)
	f.request(nil)
	f.mustUpdate(func(tx *store.Tx) error { return tx.NoteSignIn(f.ws, f.member) })
	f.mustUpdate(func(tx *store.Tx) error {
		for range 1500 { // more than one batch
			k := f.aKey()
			k.Previous = []apikey.Value{value("old " + string(k.ID))}
			k.Previous[0].Until = f.now().Add(time.Hour)
			if err := tx.InsertKey(k); err != nil {
				return err
			}
		}
		return tx.DeleteWorkspace(f.ws)
	})
	before := f.db.Stats().LogHead
	for n := 0; ; n++ {
		more, err := f.db.Purge(context.Background())
		f.must(err)
		if !more {
			break
		}
		if n > 20 {
			t.Fatal("purging does not end")
		}
	}
	f.same("events made", before, f.db.Stats().LogHead)
	f.ws = other
	f.same("the other workspace's key", mine, f.key(mine.ID))
	for _, table := range []string{"workspaces", "members", "roles", "api_keys", "key_values", "passkeys", "signed_in",
		"portal_sessions", "key_requests"} {
		want := map[string]int64{"workspaces": 1, "members": 1, "roles": 2, "api_keys": 1}[table]
		f.same("rows in "+table, want, f.count(table))
	}
}

// On a machine on which a step takes a millisecond, a purge ends after a few.
func testPurgeInChunks(t *testing.T, f *fixture) {
	f.ws = f.workspace("Dead")
	role := f.role(account.Role{Workspace: f.ws, Name: "R"})
	f.join(f.ws, f.member, role)
	f.mustUpdate(func(tx *store.Tx) error {
		for range 600 {
			k := f.aKey()
			k.Previous = []apikey.Value{value("old " + string(k.ID))}
			k.Previous[0].Until = f.now().Add(time.Hour)
			if err := tx.InsertKey(k); err != nil {
				return err
			}
		}
		return tx.DeleteWorkspace(f.ws)
	})
	f.perLook.Store(int64(time.Millisecond))
	defer f.perLook.Store(0)
	runs := 0
	left := f.count("api_keys", "key_values", "usage_gone")
	for more := true; more; runs++ {
		var err error
		more, err = f.db.Purge(context.Background())
		f.must(err)
		before := left
		left = f.count("api_keys", "key_values", "usage_gone")
		if before-left > 500 {
			t.Errorf("one transaction has removed %d rows", before-left)
		}
		if runs > 200 {
			t.Fatal("purging does not end")
		}
	}
	if runs < 3 {
		t.Errorf("%d transactions have removed 600 keys, with a millisecond for each step", runs)
	}
	f.same("keys that are left", int64(0), f.count("key_values"))
	f.same("workspaces that are left", int64(1), f.count("workspaces"))
}

func testRole(_ *testing.T, f *fixture) {
	r := account.Role{ID: id.Role(f.ids.Next()), Workspace: f.ws, Name: "Ops", Description: "Runs it",
		Permissions: f.set("calls:read", "calls:write"), CreatedAt: f.now(), UpdatedAt: f.now()}
	for range 2 {
		f.mustUpdate(func(tx *store.Tx) error { return tx.PutRole(r, "ops") })
		f.view(func(v *store.View) error {
			got, err := v.Role(f.ws, r.ID)
			f.same("by id", r, got)
			if err != nil {
				return err
			}
			got, err = v.RoleNamed(f.ws, "ops")
			f.same("by name", r, got)
			return err
		})
		r.Description, r.Permissions, r.UpdatedAt = "", f.set(), f.now().Add(time.Minute)
	}
	f.view(func(v *store.View) error {
		rest, err := v.Roles(f.ws, store.Page{Limit: 2, After: string(f.owner)})
		f.same("roles after the first", "Plain Ops ", names(rest, func(r account.Role) string { return r.Name }))
		return err
	})
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteRole(f.ws, r.ID) })
	err := f.update(func(tx *store.Tx) error { return tx.DeleteRole(f.ws, r.ID) })
	f.same("deleting twice", true, errors.Is(err, store.ErrNotFound))
}

func testSystemRoles(_ *testing.T, f *fixture) {
	f.role(account.Role{Workspace: f.ws, Name: "Viewer", System: account.Viewer})
	f.view(func(v *store.View) error {
		for _, s := range []account.SystemRole{account.Owner, account.Viewer} {
			r, err := v.SystemRole(f.ws, s)
			if err != nil {
				return err
			}
			f.same(string(s), s.Permissions(catalogue), r.Permissions)
		}
		_, err := v.SystemRole(f.ws, account.Admin)
		f.same("a role that is not there", true, errors.Is(err, store.ErrNotFound))
		_, err = v.SystemRole(f.ws, account.NotASystem)
		f.same("no system role", true, errors.Is(err, store.ErrNotFound))
		return nil
	})
}

func testRoleNames(t *testing.T, f *fixture) {
	again := account.Role{ID: id.Role(f.ids.Next()), Workspace: f.ws, Name: "PLAIN"}
	if err := f.update(func(tx *store.Tx) error { return tx.PutRole(again, "Plain") }); !errors.Is(
		err, store.ErrDuplicate,
	) {
		t.Errorf("in the same workspace: %v, want ErrDuplicate", err)
	}
	again.Workspace = f.workspace("Other")
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutRole(again, "Plain") })
	again.Workspace = f.ws
	if err := f.update(func(tx *store.Tx) error { return tx.PutRole(again, "x") }); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another workspace's role: %v, want ErrNotFound", err)
	}
}

func testRoleHeld(t *testing.T, f *fixture) {
	if err := f.update(func(tx *store.Tx) error { return tx.DeleteRole(f.ws, f.plain) }); err == nil {
		t.Error("a role went from under its member")
	}
	f.mustUpdate(func(tx *store.Tx) error {
		if err := tx.RemoveMember(f.ws, f.member); err != nil {
			return err
		}
		return tx.DeleteRole(f.ws, f.plain)
	})
}

func testMember(_ *testing.T, f *fixture) {
	m := account.Member{Workspace: f.ws, User: "a.b|c", Email: "a@example.com", DisplayName: "Ä", Role: f.plain,
		CreatedAt: f.now(), UpdatedAt: f.now()}
	for range 2 {
		f.mustUpdate(func(tx *store.Tx) error { return tx.PutMember(m) })
		f.view(func(v *store.View) error {
			got, err := v.Member(f.ws, m.User)
			f.same("member", m, got)
			return err
		})
		m.Role, m.DisplayName, m.UpdatedAt = f.owner, "", f.now().Add(time.Second)
	}
	m.Role = f.role(account.Role{Workspace: f.workspace("Other"), Name: "Foreign"})
	err := f.update(func(tx *store.Tx) error { return tx.PutMember(m) })
	f.same("a role of another workspace", true, errors.Is(err, store.ErrNotFound))
}

func testMemberPages(_ *testing.T, f *fixture) {
	for _, u := range []id.User{"c", "a", "b"} {
		f.pass(time.Second)
		f.join(f.ws, u, f.owner)
	}
	user := func(m account.Member) string { return string(m.User) }
	f.view(func(v *store.View) error {
		page, err := v.Members(f.ws, store.Page{Limit: 2, After: "a"})
		f.same("page", "b c ", names(page, user))
		if err != nil {
			return err
		}
		owners, err := v.MembersWithRole(f.ws, f.owner, 2)
		f.same("owners, the first to come in front", "c a ", names(owners, user))
		if err != nil {
			return err
		}
		r, err := v.Role(f.ws, f.owner)
		f.same("members of the role", int64(3), r.MemberCount)
		return err
	})
	f.join(f.ws, "a", f.plain)
	f.mustUpdate(func(tx *store.Tx) error { return tx.RemoveMember(f.ws, "b") })
	f.view(func(v *store.View) error {
		roles, err := v.Roles(f.ws, store.Page{})
		f.same(
			"members of each role", "1 2 ",
			names(roles, func(r account.Role) string { return string(rune('0' + r.MemberCount)) }),
		)
		return err
	})
}

func testMemberLeft(_ *testing.T, f *fixture) {
	f.insert(nil)
	f.mustUpdate(func(tx *store.Tx) error { return tx.RemoveMember(f.ws, f.member) })
	err := f.update(func(tx *store.Tx) error { return tx.RemoveMember(f.ws, f.member) })
	f.same("leaving twice", true, errors.Is(err, store.ErrNotFound))
	f.view(func(v *store.View) error {
		_, err := v.Member(f.ws, f.member)
		f.same("no member", true, errors.Is(err, store.ErrNotFound))
		all, err := v.Members(f.ws, store.Page{})
		f.same("members", 0, len(all))
		if err != nil {
			return err
		}
		email, _, err := v.Creator(f.ws, f.member)
		f.same("e-mail", "user-1@example.com", email)
		if err != nil {
			return err
		}
		keys, err := v.Keys(store.KeyFilter{Workspace: f.ws, User: f.member})
		f.same("keys", 1, len(keys))
		return err
	})
	f.join(f.ws, f.member, f.owner)
	f.same("keys of one who came back", int64(1), f.keyCount(f.member))
}

// count returns how many rows tables have together. It closes the store, and opens it again.
func (f *fixture) count(tables ...string) (n int64) {
	f.Helper()
	f.raw(func(q store.SQL) error {
		rows, err := q.Query(
			context.Background(), "SELECT (SELECT count(*) FROM "+strings.Join(tables, ") + (SELECT count(*) FROM ")+")",
		)
		if err != nil {
			return err
		}
		defer rows.Close()
		rows.Next()
		return rows.Scan(&n)
	})
	return n
}

// raw runs SQL past the store, on a second driver where the place allows it, which every place does once the first is
// closed.
func (f *fixture) raw(fn func(store.SQL) error) {
	f.Helper()
	f.must(f.db.Close())
	d := f.open()
	err := d.Write(context.Background(), fn)
	f.must(errors.Join(err, d.Close()))
	f.start(f.open(), catalogue)
}
