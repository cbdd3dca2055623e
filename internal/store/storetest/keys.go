package storetest

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/store"
)

// fullKey has something in every field.
func (f *fixture) fullKey() apikey.Key {
	k := f.aKey()
	k.Environment, k.IsActive, k.Revoked, k.Orphan = keyfmt.Test, false, true, true
	k.Confined = true
	k.ValueMadeAt = k.CreatedAt.Add(time.Hour)
	k.Disabled = apikey.Mark{By: "ann", At: f.now(), Right: true}
	k.Permissions = f.set("calls:read", "agents:write")
	k.Limits = ratelimit.Limits{PerMinute: 1, PerDay: ratelimit.Max}
	k.AllowedIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	k.Description, k.Metadata = "why 'not'", `{"a":[1,"ß"]}`
	k.LastUsedAt, k.ExpiresAt = f.now().Add(time.Hour), f.now().Add(1000*time.Hour)
	old := value("old " + string(k.ID))
	old.Until = f.now().Add(time.Minute)
	older := value("older " + string(k.ID))
	older.Until = f.now().Add(time.Second)
	k.Previous = []apikey.Value{old, older}
	return k
}

func testKey(_ *testing.T, f *fixture) {
	for _, k := range []apikey.Key{f.aKey(), f.fullKey()} {
		f.mustUpdate(func(tx *store.Tx) error { return tx.InsertKey(k) })
		f.same("key", k, f.key(k.ID))
	}
	f.restart(catalogue)
	f.same("keys after a restart", int64(2), f.keyCount(f.member))
}

func testKeyUpdate(_ *testing.T, f *fixture) {
	plain := f.insert(nil)
	full := f.fullKey()
	full.ID = plain.ID
	for _, k := range []apikey.Key{full, plain, full} {
		f.mustUpdate(func(tx *store.Tx) error { return tx.UpdateKey(k) })
		f.same("key", k, f.key(k.ID))
	}
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteKey(full.ID) })
	f.same("values left", int64(0), f.count("key_values"))
}

func testKeyDuplicate(t *testing.T, f *fixture) {
	first, second := f.insert(nil), f.insert(nil)
	again := f.aKey()
	again.Value = first.Value
	second.Value = first.Value
	for name, write := range map[string]func(*store.Tx) error{
		"insert": func(tx *store.Tx) error { return tx.InsertKey(again) },
		"update": func(tx *store.Tx) error { return tx.UpdateKey(second) },
	} {
		if err := f.update(write); !errors.Is(err, store.ErrDuplicate) {
			t.Errorf("%s: %v, want ErrDuplicate", name, err)
		}
	}
	f.same("keys", int64(2), f.keyCount(f.member))
}

func testNotFound(t *testing.T, f *fixture) {
	k := f.aKey()
	moved := f.insert(nil)
	moved.Workspace = f.workspace("Other")
	for name, write := range map[string]func(*store.Tx) error{
		"update": func(tx *store.Tx) error { return tx.UpdateKey(k) },
		"delete": func(tx *store.Tx) error { return tx.DeleteKey(k.ID) },
		"move":   func(tx *store.Tx) error { return tx.UpdateKey(moved) },
		"svc":    func(tx *store.Tx) error { return tx.DeleteServiceKey("none") },
		"ws":     func(tx *store.Tx) error { return tx.DeleteWorkspace("none") },
		"member": func(tx *store.Tx) error { return tx.RemoveMember(f.ws, "none") },
		"read":   func(tx *store.Tx) error { _, err := tx.Key(k.ID); return err },
		"who":    func(tx *store.Tx) error { _, _, err := tx.Creator(f.ws, "none"); return err },
	} {
		if err := f.update(write); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
}

func testKeyCount(_ *testing.T, f *fixture) {
	f.join(f.ws, "user-2", f.plain)
	a, b := f.insert(nil), f.insert(nil)
	counts := func() [2]int64 { return [2]int64{f.keyCount(f.member), f.keyCount("user-2")} }
	f.same("made", [2]int64{2, 0}, counts())
	a.User = "user-2"
	f.mustUpdate(func(tx *store.Tx) error { return tx.UpdateKey(a) })
	f.same("handed over", [2]int64{1, 1}, counts())
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteKey(b.ID) })
	f.same("deleted", [2]int64{0, 1}, counts())
	f.insert(func(k *apikey.Key) { k.User = "user-3" })
	f.join(f.ws, "user-3", f.plain)
	f.same("there before the member", int64(1), f.keyCount("user-3"))
}

func testKeyPages(_ *testing.T, f *fixture) {
	keys := times(9, func(i int) apikey.Key {
		return f.insert(func(k *apikey.Key) {
			k.Name, k.IsActive = string(rune('0'+i)), i%3 != 0
			if i%2 == 1 {
				k.User = "odd"
			}
		})
	})
	other := f.workspace("Other")
	f.insert(func(k *apikey.Key) { k.Workspace = other })
	yes, no := true, false
	for _, test := range []struct {
		filter store.KeyFilter
		want   string
	}{
		{store.KeyFilter{}, "8 7 6 5 4 3 2 1 0 "},
		{store.KeyFilter{Page: store.Page{Limit: 3}}, "8 7 6 "},
		{store.KeyFilter{Page: store.Page{Limit: 3, After: string(keys[6].ID)}}, "5 4 3 "},
		{store.KeyFilter{User: "odd"}, "7 5 3 1 "},
		{store.KeyFilter{User: "odd", Page: store.Page{Limit: 2, After: string(keys[5].ID)}}, "3 1 "},
		{store.KeyFilter{Active: &no}, "6 3 0 "},
		{store.KeyFilter{Active: &no, User: "odd"}, "3 "},
		{store.KeyFilter{Active: &yes, Page: store.Page{Limit: 2}}, "8 7 "},
		{store.KeyFilter{Search: "odd", Active: &yes}, "7 5 1 "},
		{store.KeyFilter{Page: store.Page{After: string(keys[0].ID)}}, ""},
	} {
		test.filter.Workspace = f.ws
		f.view(func(v *store.View) error {
			got, err := v.Keys(test.filter)
			f.same("keys", test.want, names(got, func(k apikey.Key) string { return k.Name }))
			return err
		})
	}
}

func testSearch(_ *testing.T, f *fixture) {
	texts := []string{"100% sure", "snake_case", `back\slash`, "it's", "Größe ÄÖÜ", "plain", `"; DROP TABLE api_keys; --`}
	for _, s := range texts {
		f.insert(func(k *apikey.Key) { k.Name = s })
	}
	k := f.insert(func(k *apikey.Key) { k.Name, k.Description = "x", "what FOR" })
	for search, want := range map[string]string{
		"%":                           "100% sure ",
		"_case":                       "snake_case ",
		`\`:                           `back\slash `,
		"'":                           "it's ",
		"GRÖSSE":                      "",
		"größe äö":                    "Größe ÄÖÜ ",
		"PLAIN":                       "plain ",
		"a%e":                         "",
		"s_r":                         "",
		"*":                           "",
		"drop table":                  texts[6] + " ",
		"What for":                    "x ",
		string(k.ID):                  "x ",
		"-" + string(k.ID)[24:] + "x": "",
		"abcd…WXYZ x":                 "",
		"live":                        "",
		"kw_LIVE_":                    "",
		"kw":                          "",
		"e_":                          "snake_case ",
	} {
		f.view(func(v *store.View) error {
			got, err := v.Keys(store.KeyFilter{Workspace: f.ws, Search: search})
			f.same("search for "+search, want, names(got, func(k apikey.Key) string { return k.Name }))
			return err
		})
	}
	for _, everything := range []string{"ABCD…wxy", "kw_live_a", "_ab", "user-1"} {
		f.view(func(v *store.View) error {
			got, err := v.Keys(store.KeyFilter{Workspace: f.ws, Search: everything})
			f.same("search for "+everything, len(texts)+1, len(got))
			return err
		})
	}
}

func testPrevious(_ *testing.T, f *fixture) {
	k := f.fullKey() // one value for a second, one for a minute
	f.mustUpdate(func(tx *store.Tx) error { return tx.InsertKey(k) })
	working := func() [2]int {
		loaded := -1
		for _, c := range f.load() {
			if c.Key != nil {
				loaded = len(c.Key.Previous)
			}
		}
		return [2]int{len(f.key(k.ID).Previous), loaded}
	}
	f.pass(999 * time.Millisecond)
	f.same("just before the end", [2]int{2, 2}, working())
	f.pass(time.Millisecond)
	f.same("at the end", [2]int{1, 1}, working())
	for more := true; more; {
		var err error
		more, err = f.db.Purge(context.Background())
		f.must(err)
	}
	f.same("rows after a purge", int64(1), f.count("key_values"))
	f.pass(time.Hour)
	f.same("later", [2]int{0, 0}, working())
}

func testPeppers(_ *testing.T, f *fixture) {
	peppers := func() []keyfmt.PepperID {
		p, err := f.db.Peppers(context.Background())
		f.must(err)
		return p
	}
	f.same("none at first", []keyfmt.PepperID(nil), peppers())
	for _, p := range []keyfmt.PepperID{"bb", "aa", "bb", "none"} {
		f.insert(func(k *apikey.Key) { k.Value.Digest.Pepper = p })
	}
	f.insert(func(k *apikey.Key) {
		k.Previous = []apikey.Value{value("old")}
		k.Previous[0].Digest.Pepper, k.Previous[0].Until = "cc", f.now().Add(time.Hour)
	})
	f.mustUpdate(func(tx *store.Tx) error {
		return tx.PutServiceKey(account.ServiceKey{ID: "s", Digest: keyfmt.Stored{Pepper: "dd"}})
	})
	f.same("each once", []keyfmt.PepperID{"aa", "bb", "cc", "dd", "none"}, peppers())
}

func testForeignDigest(t *testing.T, f *fixture) {
	k := f.insert(func(k *apikey.Key) { k.Value.Digest.Pepper = "foreign:rehash:sha512" })
	f.insert(nil)
	loaded := func() (found []keyfmt.PepperID) {
		f.must(f.db.LoadAll(context.Background(), func(c feed.Change) error {
			if c.Key != nil && c.Key.Value.Digest.Pepper != "" {
				found = append(found, c.Key.Value.Digest.Pepper)
			}
			return nil
		}))
		return found
	}
	f.same("loaded", []keyfmt.PepperID{"foreign:rehash:sha512"}, loaded())
	own := keyfmt.Stored{Pepper: "foreign:own:none", Sum: digestOf("our own")}
	has := func(d keyfmt.Digest) (there bool) {
		f.view(func(v *store.View) (err error) { there, err = v.HasDigest(d); return err })
		return there
	}
	if err := f.update(func(tx *store.Tx) error { return tx.ReplaceDigest(k.ID, digestOf("another"), own) }); !errors.Is(
		err, store.ErrNotFound,
	) {
		t.Errorf("in the place of another digest: %v", err)
	}
	if !has(k.Value.Digest.Sum) || has(own.Sum) {
		t.Error("a digest was replaced that was another one")
	}
	f.mustUpdate(func(tx *store.Tx) error { return tx.ReplaceDigest(k.ID, k.Value.Digest.Sum, own) })
	k.Value.Digest = own
	f.same("replaced, and nothing else", k, f.key(k.ID))
	f.same("loaded again", []keyfmt.PepperID{"foreign:own:none"}, loaded())
}

func testSecondDigests(t *testing.T, f *fixture) {
	second := func(of string) keyfmt.Stored { return keyfmt.Stored{Pepper: "pp", Sum: digestOf("second of " + of)} }
	k := f.insert(func(k *apikey.Key) {
		k.Value.Second = second("current")
		k.Previous = []apikey.Value{value("old")}
		k.Previous[0].Until = f.now().Add(time.Hour)
	})
	f.same("inserted", k, f.key(k.ID))
	old := k.Previous[0].Digest.Sum
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutSecond(k.ID, old, second("old")) })
	k.Previous[0].Second = second("old")
	f.same("of an earlier value", k, f.key(k.ID))
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutSecond(k.ID, k.Value.Digest.Sum, second("again")) })
	k.Value.Second = second("again")
	f.same("in the place of another", k, f.key(k.ID))
	if err := f.update(
		func(tx *store.Tx) error { return tx.PutSecond(k.ID, digestOf("nobody's"), second("x")) },
	); !errors.Is(
		err, store.ErrNotFound,
	) {
		t.Errorf("of a value that there is not: %v", err)
	}
	f.must(f.db.LoadAll(context.Background(), func(c feed.Change) error {
		if c.Key != nil && (c.Key.Value.Second != k.Value.Second || c.Key.Previous[0].Second != k.Previous[0].Second) {
			t.Errorf("loaded: %+v", c.Key)
		}
		return nil
	}))
	s := account.ServiceKey{ID: "s", Digest: keyfmt.Stored{Pepper: "dd"}, Second: second("service key")}
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutServiceKey(s) })
	f.view(func(v *store.View) error {
		got, err := v.ServiceKey("s")
		f.same("of a service key", s.Second, got.Second)
		return err
	})
}

func testSetsOutliveCatalogue(t *testing.T, f *fixture) {
	k := f.insert(func(k *apikey.Key) { k.Permissions = f.set("calls:read", "calls:write") })
	small, err := perm.New([]perm.Entry{{Resource: "calls", Action: "read"}})
	f.must(err)
	f.restart(small)
	shrunk := f.key(k.ID)
	if got := small.Names(shrunk.Permissions); len(got) != 1 || got[0] != "calls:read" {
		t.Fatalf("with a smaller catalogue the key holds %v", got)
	}
	shrunk.Name = "renamed"
	f.mustUpdate(func(tx *store.Tx) error { return tx.UpdateKey(shrunk) })
	f.restart(catalogue)
	f.same("with the old catalogue again", k.Permissions, f.key(k.ID).Permissions)
}

func testServiceKey(t *testing.T, f *fixture) {
	k := account.ServiceKey{
		ID: id.ServiceKey(f.ids.Next()), Name: "ops", Scopes: []account.Scope{account.ScopeVerify, account.ScopeManage},
		FromEnv: true, Masked: "kw_svc_AbCd…wxyz", Digest: value("s").Digest, CreatedAt: f.now(),
		ExpiresAt: f.now().Add(time.Hour),
	}
	for n := range 4 {
		k.Bounds = bounds(n)
		f.mustUpdate(func(tx *store.Tx) error { return tx.PutServiceKey(k) })
		f.view(func(v *store.View) error {
			got, err := v.ServiceKey(k.ID)
			f.same("service key", k, got)
			return err
		})
		k.Name, k.Digest, k.ExpiresAt = "root", value("t").Digest, time.Time{}
	}
	again := k
	again.ID = id.ServiceKey(f.ids.Next())
	if err := f.update(func(tx *store.Tx) error { return tx.PutServiceKey(again) }); !errors.Is(err, store.ErrDuplicate) {
		t.Errorf("same digest: %v, want ErrDuplicate", err)
	}
	again.Name, again.Digest = "newer", value("u").Digest
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutServiceKey(again) })
	f.view(func(v *store.View) error {
		all, err := v.ServiceKeys(store.Page{})
		f.same("all", "newer root ", names(all, func(k account.ServiceKey) string { return k.Name }))
		rest, err2 := v.ServiceKeys(store.Page{After: string(again.ID)})
		f.same("rest", "root ", names(rest, func(k account.ServiceKey) string { return k.Name }))
		return errors.Join(err, err2)
	})
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteServiceKey(k.ID) })
}

func testIdempotency(t *testing.T, f *fixture) {
	put := func(hash byte) error {
		return f.update(func(tx *store.Tx) error {
			return tx.PutIdempotent("actor", "once", store.Replay{RequestHash: [32]byte{hash}, Key: "key"})
		})
	}
	f.must(put(1))
	got, err := f.replay("actor", "once")
	f.must(err)
	f.same("replay", store.Replay{RequestHash: [32]byte{1}, Key: "key", CreatedAt: f.now()}, got)
	if err := put(2); !errors.Is(err, store.ErrDuplicate) {
		t.Errorf("again: %v, want ErrDuplicate", err)
	}
	f.pass(store.IdempotencyLife)
	if _, err := f.replay("actor", "once"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after a day: %v, want ErrNotFound", err)
	}
	f.must(put(3))
	f.pass(store.IdempotencyLife)
	_, err = f.db.Purge(context.Background())
	f.must(err)
	f.same("rows after a purge", int64(0), f.count("idempotency"))
}

func (f *fixture) replay(scope, key string) (p store.Replay, err error) {
	err = f.db.View(context.Background(), func(v *store.View) (err error) {
		p, err = v.Idempotent(scope, key)
		return err
	})
	return p, err
}

// A sealed copy ends with its time, and with every change that replaces the value or takes the key away. The request
// itself stays known, and the client's word for it is stored as a hash.
func testSealed(t *testing.T, f *fixture) {
	ends := map[string]func(*store.Tx, apikey.Key) error{
		"nothing":  func(tx *store.Tx, k apikey.Key) error { k.Name = "renamed"; return tx.UpdateKey(k) },
		"its time": func(*store.Tx, apikey.Key) error { return nil },
		"rotation": func(tx *store.Tx, k apikey.Key) error {
			k.Rotate(f.aKey().Value, tx.Now(), time.Hour)
			return tx.UpdateKey(k)
		},
		"disabling":                func(tx *store.Tx, k apikey.Key) error { k.IsActive = false; return tx.UpdateKey(k) },
		"revocation":               func(tx *store.Tx, k apikey.Key) error { k.Revoked = true; return tx.UpdateKey(k) },
		"deletion":                 func(tx *store.Tx, k apikey.Key) error { return tx.DeleteKey(k.ID) },
		"the workspace's deletion": func(tx *store.Tx, k apikey.Key) error { return tx.DeleteWorkspace(k.Workspace) },
	}
	for _, name := range slices.Sorted(maps.Keys(ends)) {
		k := f.insert(nil)
		scope := string(k.Workspace) + " u"
		want := store.Replay{
			Key: k.ID, CreatedAt: f.now(), Sealed: []byte("sealed " + name), SealedUntil: f.now().Add(time.Minute),
		}
		f.must(f.update(func(tx *store.Tx) error { return tx.PutIdempotent(scope, name, want) }))
		got, err := f.replay(scope, name)
		f.must(err)
		f.same("before "+name, want, got)
		f.same(
			"rows that show the client's word", int64(0),
			f.count("idempotency WHERE idem_key = '"+strings.ReplaceAll(name, "'", "''")+"'"),
		)

		f.must(f.update(func(tx *store.Tx) error { return ends[name](tx, k) }))
		left := int64(0)
		switch name {
		case "nothing":
			left = 1
		case "its time":
			f.pass(time.Minute)
			if got, err = f.replay(scope, name); err != nil || got.Sealed != nil {
				t.Errorf("after its time: %q, %v", got.Sealed, err)
			}
			_, err = f.db.Purge(context.Background())
			f.must(err)
		}
		f.same(
			"sealed copies after "+name, left, f.count("idempotency WHERE sealed IS NOT NULL AND key_id = '"+string(k.ID)+"'"),
		)
		got, err = f.replay(scope, name)
		if err != nil || got.Key != k.ID || (got.Sealed != nil) != (left == 1) {
			t.Errorf("after %s: %+v, %v", name, got, err)
		}
	}
}
