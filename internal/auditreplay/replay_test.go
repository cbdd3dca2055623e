package auditreplay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/auditreplay"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
	"github.com/keyward/keyward/internal/verify"
)

// house is a whole installation, whose keys' values are remembered.
type house struct {
	t    tester
	draw *rapid.T // of random histories
	*control.Service
	db       *store.DB
	root     control.Caller
	format   keyfmt.Format
	digester *keyfmt.Digester

	workspaces []string
	users      []string // of each workspace the same names
	roles      map[string][]string
	keys       []string // ids
	values     []string // every value that any key ever had
	services   []string
}

// tester is a *testing.T, or a *rapid.T within one.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Context() context.Context
}

func check(t tester, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func openStore(t tester, path string) *store.DB {
	t.Helper()
	d, err := sqlite.Open(path, sqlite.Options{Lock: true})
	check(t, err)
	db, err := store.Open(context.Background(), d, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
	check(t, err)
	return db
}

func newHouse(t tester, dir string, change ...func(*control.Config)) *house {
	h := &house{
		t: t, db: openStore(t, filepath.Join(dir, "keyward.db")), users: []string{"ada", "bob", "eve", "joe"},
		roles: map[string][]string{},
	}
	var err error
	h.format, err = keyfmt.NewFormat(keyfmt.DefaultPrefix)
	check(t, err)
	h.digester, err = keyfmt.NewDigester("")
	check(t, err)
	config := control.Config{DB: h.db, Catalogue: perm.Builtin(), Format: h.format, Digester: h.digester,
		IDs: id.NewGenerator(time.Now, rand.Reader), Rand: rand.Reader}
	for _, c := range change {
		c(&config)
	}
	h.Service = control.New(config)
	_, err = h.EnsureRoot(t.Context(), keyfmt.Secret{})
	check(t, err)
	check(t, h.db.View(t.Context(), func(v *store.View) error {
		roots, err := v.ServiceKeys(store.Page{Limit: 1})
		h.root = control.Caller{ServiceKey: roots[0].ID, Presented: roots[0].Digest.Sum}
		return err
	}))
	for range 2 {
		h.found()
	}
	return h
}

// lagging has no row of a removal written with it, so that the journal ends before the events of the keys.
func lagging(yes bool) func(*control.Config) {
	return func(c *control.Config) {
		if !yes {
			return
		}
		at := time.Now()
		c.AtOnce = -1
		c.Now = func() time.Time {
			at = at.Add(time.Hour)
			return at
		}
	}
}

func (h *house) found() {
	ws, err := h.CreateWorkspace(h.t.Context(), h.root, control.CreateWorkspace{Name: "w",
		Owner: control.Some(control.OwnerInput{User: "ada", Email: "ada@example.org"})})
	check(h.t, err)
	name := string(ws.ID)
	h.workspaces = append(h.workspaces, name)
	h.learnRoles(name)
	for i, u := range h.users[1:] {
		_, _, err := h.PutMember(
			h.t.Context(), h.root, name, u,
			control.PutMember{Role: h.roles[name][i%len(h.roles[name])], Email: u + "@example.org"},
		)
		check(h.t, err)
	}
}

func (h *house) learnRoles(ws string) {
	list, _, err := h.ListRoles(h.t.Context(), h.root, ws, control.Paging{Limit: 100})
	if err != nil {
		return
	}
	h.roles[ws] = nil
	for _, r := range list {
		h.roles[ws] = append(h.roles[ws], string(r.ID))
	}
}

func (h *house) join(ws, user string) {
	if len(h.roles[ws]) == 0 {
		return
	}
	_, _, _ = h.PutMember(
		h.t.Context(), h.root, ws, user, control.PutMember{Role: h.pick(h.roles[ws], "role"), Email: user + "@example.org"},
	)
}

func (h *house) pick(of []string, what string) string {
	return rapid.SampledFrom(of).Draw(h.draw, what)
}

// step makes a change that may be refused: the test goes by the log of the accepted ones.
func (h *house) step() {
	ctx, ws, user := h.t.Context(), h.pick(h.workspaces, "workspace"), h.pick(h.users, "user")
	steps := map[string]func(){
		"create": func() { h.create(ws, user) },
		"member": func() { h.join(ws, user) },
		"leave": func() {
			keys := h.pick([]string{"", "stop", "keep", "transfer:" + h.pick(h.users, "heir")}, "keys")
			_, _ = h.RemoveMember(ctx, h.root, ws, user, control.RemoveMember{Keys: keys})
		},
		"role": func() { h.changeRole(ws) },
		"workspace": func() {
			mode := h.pick([]string{"frozen", "capped"}, "mode")
			_, _ = h.UpdateWorkspace(
				ctx,
				h.root,
				ws,
				control.UpdateWorkspace{IsActive: control.Some(rapid.IntRange(0, 3).Draw(h.draw, "active") > 0),
					Settings: control.Some(control.SettingsInput{PermissionMode: control.Some(mode)})},
			)
		},
		"delete workspace": func() {
			if rapid.IntRange(0, 9).Draw(h.draw, "really") == 0 {
				_ = h.DeleteWorkspace(ctx, h.root, ws)
				h.found()
			}
		},
		"service key": func() { h.service() },
	}
	if len(h.keys) > 0 {
		k := h.pick(h.keys, "key")
		steps["update"] = func() { h.update(k) }
		steps["update again"] = steps["update"]
		steps["delete"] = func() { _, _, _ = h.DeleteKeys(ctx, h.root, []string{k}) }
		steps["rotate"] = func() {
			overlap := rapid.SampledFrom([]int64{0, 3600}).Draw(h.draw, "overlap")
			if r, err := h.RotateKey(ctx, h.root, k, overlap); err == nil {
				h.values = append(h.values, r.Secret.Reveal())
			}
		}
		steps["revoke"] = func() {
			if rapid.IntRange(0, 4).Draw(h.draw, "really") == 0 {
				_ = h.revoke(k)
			}
		}
	}
	steps[h.pick(slices.Sorted(maps.Keys(steps)), "step")]()
}

var (
	networks    = [][]string{nil, {"203.0.113.0/24"}, {"198.51.100.7/32"}, {"203.0.113.0/24", "198.51.100.0/24"}}
	permissions = [][]string{names[:1], names[1:3], names[:5], names}
	names       = perm.Builtin().Names(perm.Builtin().All())
)

// revoke revokes a key by its current value.
func (h *house) revoke(k string) error {
	var current keyfmt.Digest
	err := h.db.View(h.t.Context(), func(v *store.View) error {
		key, err := v.Key(id.Key(k))
		current = key.Value.Digest.Sum
		return err
	})
	if err != nil {
		return err
	}
	return h.RevokeByValue(h.t.Context(), h.root, id.Key(k), current)
}

func (h *house) create(ws, user string) {
	in := control.CreateKey{Workspace: ws, User: user, Name: "k"}
	if rapid.Bool().Draw(h.draw, "named") {
		in.Permissions = control.Some(rapid.SampledFrom(permissions).Draw(h.draw, "permissions"))
	}
	if k, err := h.CreateKey(h.t.Context(), h.root, in); err == nil {
		h.keys = append(h.keys, string(k.Key.ID))
		h.values = append(h.values, k.Secret.Reveal())
	}
}

func (h *house) update(k string) {
	in := control.UpdateKey{ID: k}
	for _, field := range rapid.SliceOfN(rapid.SampledFrom([]string{"active", "expiry", "limits", "networks", "text"}), 1, 2).Draw(h.draw, "fields") {
		switch field {
		case "active":
			in.IsActive = control.Some(rapid.Bool().Draw(h.draw, "on"))
		case "expiry":
			days := rapid.IntRange(1, 9).Draw(h.draw, "days")
			in.ExpiresAt = control.Some(time.Now().AddDate(0, 0, days).UTC().Format(time.RFC3339))
		case "limits":
			limit := control.LimitsInput{
				PerMinute: control.Some(rapid.Int64Range(1, 9).Draw(h.draw, "minute")),
				PerDay:    control.Some(rapid.Int64Range(10, 19).Draw(h.draw, "day")),
			}
			in.RateLimit = control.Some(limit)
		case "networks":
			in.AllowedIPs = control.Some(rapid.SampledFrom(networks).Draw(h.draw, "networks"))
		case "text":
			in.Description = control.Some("x")
			in.Metadata = control.Some(json.RawMessage(`{"a": 1}`))
		}
	}
	_, _, _ = h.UpdateKeys(h.t.Context(), h.root, []control.UpdateKey{in})
}

func (h *house) changeRole(ws string) {
	ctx, names := h.t.Context(), rapid.SampledFrom(permissions).Draw(h.draw, "held")
	what := h.pick([]string{"new", "change", "delete"}, "what")
	if what == "new" || len(h.roles[ws]) == 0 {
		name := fmt.Sprint("role ", rapid.IntRange(0, 3).Draw(h.draw, "name"))
		_, _ = h.CreateRole(ctx, h.root, ws, control.CreateRole{Name: name, Permissions: names})
		h.learnRoles(ws)
		return
	}
	role := h.pick(h.roles[ws], "role")
	if what == "change" {
		_, _ = h.UpdateRole(ctx, h.root, ws, role, control.UpdateRole{Permissions: control.Some(names)})
		return
	}
	_ = h.DeleteRole(ctx, h.root, ws, role)
	h.learnRoles(ws)
}

func (h *house) service() {
	if len(h.services) > 0 && rapid.Bool().Draw(h.draw, "end one") {
		_ = h.DeleteServiceKey(h.t.Context(), h.root, h.pick(h.services, "service"))
		return
	}
	if k, err := h.CreateServiceKey(h.t.Context(), h.root, control.CreateServiceKey{Name: "s", Scopes: []string{"verify"}}); err == nil {
		h.services = append(h.services, string(k.ServiceKey.ID))
		h.values = append(h.values, k.Secret.Reveal())
	}
}

// journal is the export of the log, newest first.
func (h *house) journal() []byte {
	var out bytes.Buffer
	check(h.t, h.db.View(h.t.Context(), func(v *store.View) error {
		events, err := v.Logs(store.LogFilter{All: true})
		for _, e := range events {
			line := map[string]any{
				"id": e.ID, "workspaceId": e.Workspace, "eventType": e.Type, "createdAt": e.CreatedAt,
				"metadata": json.RawMessage(e.Metadata),
			}
			raw, err := json.Marshal(line)
			check(h.t, err)
			out.Write(append(raw, '\n'))
		}
		return err
	}))
	return out.Bytes()
}

// powers are the rights of each value, from two networks, by the engine that answers verifications.
type power struct {
	code        verify.Code
	permissions perm.Set
	minute, day int64
	expires     int64
}

func (h *house) powers(db *store.DB) map[string]power {
	r := replica.New()
	check(h.t, r.Load(func(tell func(feed.Change) error) error { return db.LoadAll(h.t.Context(), tell) }))
	r.MarkReady()
	e := verify.New(verify.Config{Replica: r, Format: h.format, Digests: h.digester, Now: time.Now})
	out := map[string]power{}
	for _, value := range h.values {
		for _, from := range []string{"203.0.113.9", "198.51.100.7", "192.0.2.1"} {
			var v verify.Verdict
			e.Check(&verify.Question{Key: value, IP: netip.MustParseAddr(from)}, &v)
			p := power{code: v.Code}
			if v.Code == verify.Valid {
				p = power{v.Code, v.Permissions, v.Key.Limits.PerMinute, v.Key.Limits.PerDay, v.Key.ExpiresAt}
			}
			out[value+" from "+from] = p
		}
		var p verify.Principal
		out[value+" as a caller"] = power{code: e.Authenticate(value, netip.Addr{}, &p)}
	}
	return out
}

// more tells whether one power goes beyond another. A limit or an expiry of 0 is none.
func (p power) more(than power) bool {
	beyond := func(a, b int64) bool { return b != 0 && (a == 0 || a > b) }
	return p.code == verify.Valid && (than.code != verify.Valid || !p.permissions.Without(than.permissions).IsEmpty() ||
		beyond(p.minute, than.minute) || beyond(p.day, than.day) || beyond(p.expires, than.expires))
}

func TestT33AfterARestoreWithTheJournalNoKeyMayDoMoreThanBefore(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	n, stronger, same := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(base, strconv.Itoa(n))
		check(t, os.Mkdir(dir, 0o700))
		h := newHouse(t, dir, lagging(rapid.Bool().Draw(t, "rows of removals are written later")))
		h.draw = t
		defer h.db.Close()
		for range rapid.IntRange(3, 25).Draw(t, "before") {
			h.step()
		}
		backup := filepath.Join(dir, "backup.db")
		check(t, h.db.Backup(t.Context(), backup))
		for range rapid.IntRange(1, 25).Draw(t, "after") {
			h.step()
		}
		was := h.powers(h.db)
		restored := openStore(t, backup)
		defer restored.Close()
		for value, p := range h.powers(restored) {
			if p.more(was[value]) {
				stronger++
			}
		}
		repeat(t, restored, h.journal())
		for value, p := range h.powers(restored) {
			if p.more(was[value]) {
				t.Fatalf("%s: %+v after the restore, and %+v before", value, p, was[value])
			}
			if p.code == verify.Valid {
				same++
			}
		}
		if _, err := restored.VerifyLog(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if stronger == 0 || same == 0 {
		t.Errorf(
			"%d values would have been stronger without the journal, %d worked with it: the histories test nothing", stronger,
			same,
		)
	}
}

// takings are single changes after which a key, or a service key, may do less.
var takings = map[string]func(h *house, ws, key string) error{
	"a key is deleted": func(h *house, _, key string) error { return h.DeleteKey(h.t.Context(), h.root, key) },
	"a key is revoked": func(h *house, _, key string) error { return h.revoke(key) },
	"an earlier value of a key is revoked": func(h *house, _, key string) error {
		return h.RevokeByValue(h.t.Context(), h.root, id.Key(key), h.digester.Current(h.values[0]))
	},
	"a key is rotated": func(h *house, _, key string) error {
		_, err := h.RotateKey(h.t.Context(), h.root, key, 0)
		return err
	},
	"a key is disabled": change(control.UpdateKey{IsActive: control.Some(false)}),
	"a key expires": change(
		control.UpdateKey{ExpiresAt: control.Some(time.Now().AddDate(0, 0, 1).UTC().Format(time.RFC3339))},
	),
	"a key gets a limit per minute": change(
		control.UpdateKey{RateLimit: control.Some(control.LimitsInput{PerMinute: control.Some(int64(1))})},
	),
	"a key gets a limit per day": change(
		control.UpdateKey{RateLimit: control.Some(control.LimitsInput{PerDay: control.Some(int64(1))})},
	),
	"a key is bound to a network": change(control.UpdateKey{AllowedIPs: control.Some([]string{"203.0.113.0/24"})}),
	"its creator leaves":          leave(""),
	"its creator leaves, and comes back": func(h *house, ws, key string) error {
		err := leave("")(h, ws, key)
		h.admit(ws, "bob", "all")
		return err
	},
	"its creator leaves, comes back, and leaves again": func(h *house, ws, key string) error {
		err := leave("keep")(h, ws, key)
		h.admit(ws, "bob", "all")
		return errors.Join(err, leave("")(h, ws, key))
	},
	"its creator leaves, and its heir leaves": func(h *house, ws, key string) error {
		_, err := h.RemoveMember(h.t.Context(), h.root, ws, "joe", control.RemoveMember{})
		h.admit(ws, "joe", "all")
		err = errors.Join(err, leave("transfer:joe")(h, ws, key))
		_, left := h.RemoveMember(h.t.Context(), h.root, ws, "joe", control.RemoveMember{})
		return errors.Join(err, left)
	},
	"its creator is demoted": func(h *house, ws, _ string) error {
		_, err := h.UpdateWorkspace(h.t.Context(), h.root, ws, capped)
		return errors.Join(err, h.demote(ws, "bob", "Viewer"))
	},
	"its creator leaves, and one who inherited it is demoted": func(h *house, ws, key string) error {
		_, err := h.UpdateWorkspace(h.t.Context(), h.root, ws, capped)
		return errors.Join(err, h.demote(ws, "joe", "all"), leave("transfer:joe")(h, ws, key), h.demote(ws, "joe", "Viewer"))
	},
	"its creator is demoted to a role that is new": func(h *house, ws, _ string) error {
		_, err := h.UpdateWorkspace(h.t.Context(), h.root, ws, capped)
		if err != nil {
			return err
		}
		if _, err := h.CreateRole(h.t.Context(), h.root, ws, control.CreateRole{Name: "less", Permissions: names[:1]}); err != nil {
			return err
		}
		return h.demote(ws, "bob", "less")
	},
	"it is kept when its creator leaves, and gets a limit": func(h *house, ws, key string) error {
		limit := control.LimitsInput{PerMinute: control.Some(int64(3))}
		return errors.Join(leave("keep")(h, ws, key), change(control.UpdateKey{RateLimit: control.Some(limit)})(h, ws, key))
	},
	"its creator's role is narrowed": func(h *house, ws, _ string) error {
		if _, err := h.UpdateWorkspace(h.t.Context(), h.root, ws, capped); err != nil {
			return err
		}
		_, err := h.UpdateRole(
			h.t.Context(), h.root, ws, h.role(ws, "all"), control.UpdateRole{Permissions: control.Some(names[:1])},
		)
		return err
	},
	"it is kept, its creator comes back and leaves": func(h *house, ws, key string) error {
		if err := leave("keep")(h, ws, key); err != nil {
			return err
		}
		_, _, err := h.PutMember(
			h.t.Context(), h.root, ws, "bob", control.PutMember{Role: h.role(ws, "all"), Email: "bob@example.org"},
		)
		return errors.Join(err, leave("")(h, ws, key))
	},
	"the workspace stops": func(h *house, ws, _ string) error {
		_, err := h.UpdateWorkspace(h.t.Context(), h.root, ws, control.UpdateWorkspace{IsActive: control.Some(false)})
		return err
	},
	"the workspace is deleted": func(h *house, ws, _ string) error { return h.DeleteWorkspace(h.t.Context(), h.root, ws) },
	"a service key is deleted": func(h *house, _, _ string) error { return h.DeleteServiceKey(h.t.Context(), h.root, h.services[0]) },
}

var capped = control.UpdateWorkspace{
	Settings: control.Some(control.SettingsInput{PermissionMode: control.Some("capped")}),
}

func change(in control.UpdateKey) func(h *house, ws, key string) error {
	return func(h *house, _, key string) error {
		in := in
		in.ID = key
		_, failed, err := h.UpdateKeys(h.t.Context(), h.root, []control.UpdateKey{in})
		if len(failed) > 0 {
			err = failed[0].Fault
		}
		return err
	}
}

func leave(keys string) func(h *house, ws, key string) error {
	return func(h *house, ws, _ string) error {
		_, err := h.RemoveMember(h.t.Context(), h.root, ws, "bob", control.RemoveMember{Keys: keys})
		return err
	}
}

func (h *house) admit(ws, user, role string) {
	_, _, err := h.PutMember(
		h.t.Context(), h.root, ws, user, control.PutMember{Role: h.role(ws, role), Email: user + "@example.org"},
	)
	check(h.t, err)
}

func (h *house) demote(ws, user, role string) error {
	_, err := h.UpdateMember(h.t.Context(), h.root, ws, user, control.UpdateMember{Role: control.Some(h.role(ws, role))})
	return err
}

func (h *house) role(ws, name string) string {
	list, _, err := h.ListRoles(h.t.Context(), h.root, ws, control.Paging{Limit: 100})
	check(h.t, err)
	for _, r := range list {
		if r.Name == name {
			return string(r.ID)
		}
	}
	h.t.Fatalf("there is no role %s", name)
	return ""
}

func TestT33EachWayToTakeSomethingAwayIsRepeated(t *testing.T) {
	t.Parallel()
	for what, take := range takings {
		for _, later := range []bool{false, true} {
			if later {
				what += ", and rows of removals are written later"
			}
			t.Run(what, func(t *testing.T) { repeatTaking(t, take, later) })
		}
	}
}

func repeatTaking(t *testing.T, take func(h *house, ws, key string) error, later bool) {
	t.Parallel()
	h := newHouse(t, t.TempDir(), lagging(later))
	defer h.db.Close()
	ws := h.workspaces[0]
	_, err := h.CreateRole(t.Context(), h.root, ws, control.CreateRole{Name: "all", Permissions: names})
	check(t, err)
	check(t, h.demote(ws, "bob", "all"))
	k, err := h.CreateKey(
		t.Context(), h.root, control.CreateKey{Workspace: ws, User: "bob", Name: "k", Permissions: control.Some(names)},
	)
	check(t, err)
	s, err := h.CreateServiceKey(t.Context(), h.root, control.CreateServiceKey{Name: "s", Scopes: []string{"verify"}})
	check(t, err)
	next, err := h.RotateKey(t.Context(), h.root, string(k.Key.ID), 3600)
	check(t, err)
	h.values = []string{k.Secret.Reveal(), next.Secret.Reveal(), s.Secret.Reveal()}
	h.services = []string{string(s.ServiceKey.ID)}
	backup := filepath.Join(t.TempDir(), "backup.db")
	check(t, h.db.Backup(t.Context(), backup))
	check(t, take(h, ws, string(k.Key.ID)))
	was := h.powers(h.db)
	restored := openStore(t, backup)
	defer restored.Close()
	without := 0
	for value, p := range h.powers(restored) {
		if p.more(was[value]) {
			without++
		}
	}
	repeat(t, restored, h.journal())
	for value, p := range h.powers(restored) {
		if w := was[value]; p != w && (p.code == verify.Valid || w.code == verify.Valid) {
			t.Errorf("%s: %+v after the restore, and %+v before", value, p, was[value])
		}
	}
	if without == 0 {
		t.Error("it takes nothing away: the test could not fail")
	}
}

// The bound of a caller that is a key is not in the log: a key that such a caller handed over, and whose own event the
// journal does not reach, stops.
func TestABoundedTransferIsRepeatedAsFarAsTheJournalGoesT104(t *testing.T) {
	t.Parallel()
	for _, later := range []bool{false, true} {
		h := newHouse(t, t.TempDir(), lagging(later))
		defer h.db.Close()
		ws := h.workspaces[0]
		check(t, h.demote(ws, "bob", "Admin"))
		check(t, h.demote(ws, "joe", "Admin"))
		make := func(user string) control.Revealed {
			k, err := h.CreateKey(t.Context(), h.root, control.CreateKey{Workspace: ws, User: user, Name: "k",
				RateLimit: control.Some(control.LimitsInput{PerMinute: control.Some(int64(9))})})
			check(t, err)
			return k
		}
		k, caller := make("bob"), make("ada")
		h.values = []string{k.Secret.Reveal()}
		backup := filepath.Join(t.TempDir(), "backup.db")
		check(t, h.db.Backup(t.Context(), backup))
		out, err := h.RemoveMember(
			t.Context(), control.Caller{APIKey: caller.Key.ID, Presented: caller.Key.Value.Digest.Sum}, ws, "bob",
			control.RemoveMember{Keys: "transfer:joe"},
		)
		check(t, err)
		if out.Transferred != 1 {
			t.Fatalf("nothing was handed over: %+v", out)
		}
		restored := openStore(t, backup)
		defer restored.Close()
		repeat(t, restored, h.journal())
		want := verify.Valid
		if later {
			want = verify.Disabled
		}
		for value, p := range h.powers(restored) {
			if p.code != want && !strings.HasSuffix(value, "as a caller") {
				t.Errorf("rows later: %v: %s is %s after the restore", later, value, p.code)
			}
		}
	}
}

func repeat(t tester, db *store.DB, journal []byte) {
	t.Helper()
	all, err := auditreplay.Read(bytes.NewReader(journal))
	check(t, err)
	known := map[id.Event]bool{}
	var last id.Event
	check(t, db.View(t.Context(), func(v *store.View) error {
		events, err := v.Logs(store.LogFilter{All: true, Ascending: true})
		for _, e := range events {
			known[e.ID] = true
			last = e.ID
		}
		return err
	}))
	later, err := auditreplay.After(all, last, func(e id.Event) bool { return known[e] })
	check(t, err)
	_, err = auditreplay.Repeat(t.Context(), db, perm.Builtin(), later)
	check(t, err)
}

// Every type of event that the program writes is one that a restore can repeat, or that takes nothing away.
func TestEveryTypeOfEventIsKnownToARestore(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../audit/audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		kind, err := strconv.Unquote(literal.Value)
		if err == nil && strings.Contains(kind, ".") {
			found++
			if !auditreplay.Knows(audit.Type(kind)) {
				t.Errorf("a restore does not know events of type %s: add it to verbs", kind)
			}
		}
		return true
	})
	if found < 19 {
		t.Errorf("only %d types were found", found)
	}
}

func TestT102AJournalThatDoesNotReachBackIsRefused(t *testing.T) {
	t.Parallel()
	line := func(e string) string {
		return `{"id": "` + e + `", "eventType": "session.started", "createdAt": "2026-11-24T12:00:00.000Z", "metadata": {}}` + "\n"
	}
	for journal, want := range map[string]error{
		line("e1") + line("e2") + line("e3"):              nil,
		line("e3") + line("e2"):                           nil, // newest first
		line("e2") + line("e3") + line("e2") + line("e3"): nil, // two exports
		line("e1"): nil, // older than the backup: nothing to repeat
		line("e3"): auditreplay.ErrGap,
	} {
		all, err := auditreplay.Read(strings.NewReader(journal))
		if err != nil {
			t.Fatal(err)
		}
		later, err := auditreplay.After(all, "e2", func(e id.Event) bool { return e <= "e2" })
		if !errors.Is(err, want) || err == nil && len(later) > 1 || len(later) == 1 && later[0].ID != "e3" {
			t.Errorf("%s: %v, %v", journal, later, err)
		}
	}
}

func TestAnEventOfANewerProgramRepeatsNothing(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(base, strconv.Itoa(n))
		check(t, os.Mkdir(dir, 0o700))
		h := newHouse(t, dir)
		h.draw = t
		defer h.db.Close()
		h.create(h.workspaces[0], "ada")
		line := `{"id": "x", "workspaceId": "` + h.workspaces[0] + `", "createdAt": "2026-11-24T12:00:00.000Z", "metadata": {"target": "` + h.keys[0] + `", ` +
			`"after": {"newer": 1}}, "eventType": "` + h.pick(
			[]string{"api_key.updated", "api_key.narrowed"},
			"type",
		) + `"}`
		all, err := auditreplay.Read(strings.NewReader(line))
		check(t, err)
		if _, err := auditreplay.Repeat(t.Context(), h.db, perm.Builtin(), all); !errors.Is(err, auditreplay.ErrNewer) {
			t.Fatalf("%v, want ErrNewer", err)
		}
	})
}
