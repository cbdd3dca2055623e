package auditreplay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
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

// overrides chooses otherwise for some keys of a user.
func (h *house) overrides(user string) (out []control.KeyOverride) {
	for _, name := range h.keys {
		k, err := h.GetKey(h.t.Context(), h.root, name)
		if err != nil || string(k.User) != user || rapid.IntRange(0, 2).Draw(h.draw, "alone") > 0 {
			continue
		}
		out = append(out, control.KeyOverride{
			Key: name, Keys: h.pick([]string{"stop", "keep", "transfer:" + h.pick(h.users, "new owner")}, "way"),
		})
	}
	return out
}

// step makes a change that may be refused: the test goes by the log of the accepted ones.
func (h *house) step() {
	ctx, ws, user := h.t.Context(), h.pick(h.workspaces, "workspace"), h.pick(h.users, "user")
	steps := map[string]func(){
		"create": func() { h.create(ws, user) },
		"member": func() { h.join(ws, user) },
		"leave": func() {
			keys := h.pick([]string{"", "stop", "keep", "transfer:" + h.pick(h.users, "heir")}, "keys")
			_, _ = h.RemoveMember(ctx, h.root, ws, user, control.RemoveMember{Keys: keys, Overrides: h.overrides(user)})
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
	for _, field := range rapid.SliceOfN(rapid.SampledFrom([]string{"active", "expiry", "limits", "networks", "text"}), 1,
		2).Draw(h.draw, "fields") {
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
	if k, err := h.CreateServiceKey(h.t.Context(), h.root,
		control.CreateServiceKey{Name: "s", Scopes: []string{"verify"}}); err == nil {
		h.services = append(h.services, string(k.ServiceKey.ID))
		h.values = append(h.values, k.Secret.Reveal())
	}
}

// journal is the export of the log, newest first.
func (h *house) journal() []byte {
	var out bytes.Buffer
	lines := json.NewEncoder(&out)
	lines.SetEscapeHTML(false)
	check(h.t, h.db.View(h.t.Context(), func(v *store.View) error {
		events, err := v.Logs(store.LogFilter{All: true})
		for _, e := range events {
			line := map[string]any{
				"id": e.ID, "workspaceId": e.Workspace, "eventType": e.Type, "eventDescription": e.Description,
				"actorId": e.ActorID, "actorEmail": e.ActorEmail, "createdAt": e.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z"),
				"metadata": json.RawMessage(e.Metadata), "seq": e.Seq, "hash": audit.Hex(e.Hash),
			}
			check(h.t, lines.Encode(line))
		}
		return err
	}))
	return out.Bytes()
}
