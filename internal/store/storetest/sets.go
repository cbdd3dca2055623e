package storetest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/store"
)

func (f *fixture) collect(want store.Collected) {
	f.Helper()
	got, err := f.db.CollectSets(context.Background())
	f.must(err)
	f.same("collected", want, got)
}

// setsNamed counts the sets of these names, in the order of the catalogue.
func (f *fixture) setsNamed(names string) (n int64) {
	f.Helper()
	return f.count("permission_sets WHERE names = '" + names + "'")
}

func testUnusedSets(_ *testing.T, f *fixture) {
	rare := func(k *apikey.Key) { k.Permissions = f.set("agents:read", "agents:write") }
	f.collect(store.Collected{})
	k := f.insert(rare)
	f.collect(store.Collected{})
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteKey(k.ID) })
	f.collect(store.Collected{Marked: 1})
	again := f.insert(rare) // which takes the mark off
	f.collect(store.Collected{})
	f.same("the permissions of a key with a set that was marked", again.Permissions, f.key(again.ID).Permissions)

	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteKey(again.ID) })
	f.collect(store.Collected{Marked: 1})
	sets := f.count("permission_sets")
	f.collect(store.Collected{Dropped: 1})
	f.collect(store.Collected{})
	f.same("numbers", sets, f.count("permission_sets"))
	f.same("sets of these names", int64(0), f.setsNamed("agents:read agents:write"))
	third := f.insert(rare)
	f.same("the permissions of a key with a set that came back", third.Permissions, f.key(third.ID).Permissions)
	f.same("numbers", sets+1, f.count("permission_sets"))
	f.restart(catalogue)
	f.same("after a restart", third.Permissions, f.key(third.ID).Permissions)
	f.collect(store.Collected{})

	// Many at once, and of a role.
	var keys []apikey.Key
	all := catalogue.Names(catalogue.All())
	for i := range 120 {
		keys = append(keys, f.insert(func(k *apikey.Key) {
			k.Permissions = f.set(all[i%len(all)], all[(i*7+3)%len(all)], all[(i*i+5)%len(all)])
		}))
	}
	role := account.Role{Workspace: f.ws, Name: "Rare", Permissions: f.set(all[0], all[1], all[2], all[3])}
	role.ID = f.role(role)
	for _, k := range keys {
		f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteKey(k.ID) })
	}
	marked, err := f.db.CollectSets(context.Background())
	f.must(err)
	f.same("more than one transaction marks", true, marked.Marked > 50)
	f.collect(store.Collected{Dropped: marked.Marked})
	f.same("the set of a role", int64(1), f.setsNamed(strings.Join(catalogue.Names(role.Permissions), " ")))
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteRole(f.ws, role.ID) })
	f.collect(store.Collected{Marked: 1})
	f.collect(store.Collected{Dropped: 1})
}

// testSetUsers holds the tables that are looked at against the schema: a column that is called as a set's is one.
func testSetUsers(t *testing.T, f *fixture) {
	var found []string
	f.must(f.db.Close())
	d := f.open()
	layout, ok := d.(interface {
		Layout(context.Context) ([]store.Table, error)
	})
	if !ok {
		t.Fatal("the driver does not tell its tables")
	}
	tables, err := layout.Layout(context.Background())
	f.must(err)
	f.must(d.Close())
	f.start(f.open(), catalogue)
	for _, table := range tables {
		if slices.ContainsFunc(
			table.Columns, func(c string) bool { return c == "set_id" || strings.HasSuffix(c, "_set_id") },
		) {
			found = append(found, table.Name)
		}
	}
	slices.Sort(found)
	f.same("tables with sets", store.TablesWithSets(), found)
}
