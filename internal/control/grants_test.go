package control_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
)

// names is a set of permissions as a model has it: nothing of the product's own sets takes part.
type names map[string]bool

func (n names) within(o names) bool {
	for p := range n {
		if !o[p] {
			return false
		}
	}
	return true
}

func setOf(list []string) names {
	out := names{}
	for _, p := range list {
		out[p] = true
	}
	return out
}

// few are the permissions that the walk plays with: those that open doors, and two that are only held.
var few = []string{
	"api-keys:write", "api-keys:manage-others", "api-keys:delete", "members:invite", "members:role-change",
	"members:remove", "roles:write", "workspace:read", "workspace:settings-write", "calls:read", "calls:write",
}

// modelKey is the walk's model of a key.
type modelKey struct {
	id, user string
	holds    names
}

// walk is a model of one workspace, beside the real one.
type walk struct {
	*rapid.T
	k       *kit
	ws      string
	other   string            // a workspace that all users own
	members map[string]string // user → role
	roles   map[string]names
	keys    map[string]*modelKey
	system  map[string]string // name → id

	before    place           // the workspace before the step
	marks     map[string]bool // keys that are disabled by right of manage-others
	offByRoot bool
	enabled   bool   // the step has enabled a key
	revive    string // the key that the step is to enable
}

// someone is a caller and their permissions; key is nil for a person, and for the root, which holds everything.
type someone struct {
	control.Caller
	holds   names
	key     *modelKey
	reach   reach // of key, by the value that is presented
	owner   bool  // an owner in person, or the root
	portal  bool  // acts through a portal session: holds and reach are its ceiling
	may     names // of a portal session: its member's permissions
	earlier bool  // presents an earlier value
}

var users = []string{"owner", "u1", "u2", "u3"}

// T1, T2, T3, T5, T6, T10: over random roles, members, keys and operations no caller ever gets, or gives, permissions
// that they do not hold; granted sets are frozen; a derived key's limit lies within its parent's; there is always an
// owner.
func TestT1T3NobodyObtainsThroughAnyDoorWhatTheyDoNotHold(t *testing.T) {
	t.Parallel()
	var steps, changed atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "walk")
		must(rt, err)
		w := &walk{
			T: rt, k: newKit(rt, dir), members: map[string]string{}, roles: map[string]names{}, keys: map[string]*modelKey{},
			system: map[string]string{}, marks: map[string]bool{},
		}
		defer func() { must(t, w.k.db.Close()) }()
		w.start()
		for range 110 {
			steps.Add(1)
			if w.step() {
				changed.Add(1)
			}
		}
	})
	if !t.Failed() && (steps.Load() < 10_000 || changed.Load() < steps.Load()/10) {
		t.Errorf("only %d steps, of which %d changed anything", steps.Load(), changed.Load())
	}
}

func (w *walk) start() {
	w.ws, w.other = w.k.found(w.T), w.k.found(w.T)
	for _, u := range users[1:] {
		w.k.join(w.T, w.other, u, "Owner")
	}
	for name, r := range w.k.roles(w.T, w.ws) {
		w.roles[string(r.ID)] = setOf(catalogue.Names(r.Permissions))
		w.system[name] = string(r.ID)
	}
	w.members["owner"] = w.system["Owner"]
	plain := []string{"api-keys:write", "calls:read", "calls:write"} // writes their own keys, and does not manage others'
	r, err := w.k.CreateRole(context.Background(), w.k.root, w.ws, control.CreateRole{Name: "Plain", Permissions: plain})
	must(w.T, err)
	w.roles[string(r.ID)] = setOf(plain)
	for _, u := range users[1:3] {
		w.k.join(w.T, w.ws, u, "Plain")
		w.members[u] = string(r.ID)
		w.remember(w.k.key(w.T, w.ws, u))
	}
	w.remember(w.k.key(w.T, w.ws, "owner"))
	w.before = w.look()
}

func (w *walk) remember(r control.Revealed) *modelKey {
	k := &modelKey{id: string(r.Key.ID), user: string(r.Key.User), holds: setOf(catalogue.Names(r.Key.Permissions))}
	w.keys[k.id] = k
	return k
}

// pick draws one of a map's keys, in an order that replays.
func pick[V any](t *rapid.T, m map[string]V, label string) string {
	return rapid.SampledFrom(slices.Sorted(maps.Keys(m))).Draw(t, label)
}

func (w *walk) caller() someone {
	if len(w.keys) == 0 || rapid.IntRange(0, 9).Draw(w.T, "root") == 0 {
		all := names{}
		for _, e := range catalogue.Entries() {
			all[e.Name()] = true
		}
		return someone{Caller: w.k.root, holds: all, owner: true}
	}
	if rapid.IntRange(0, 5).Draw(w.T, "portal") == 0 {
		if c, ok := w.throughPortal(); ok {
			return c
		}
	}
	if rapid.IntRange(0, 2).
		Draw(w.T, "person") ==
		0 { // in a session of their own, in one of another workspace, or by a token
		user := pick(w.T, w.members, "who")
		c := person(w.ws, user)
		switch rapid.IntRange(0, 2).Draw(w.T, "how") {
		case 0:
			c.Person.Workspace = id.Workspace(w.other)
		case 1:
			c.Person.Workspace = ""
		}
		return someone{Caller: c, holds: w.roles[w.members[user]], owner: w.members[user] == w.system["Owner"]}
	}
	return w.withKey(w.keys[pick(w.T, w.keys, "caller")])
}

func (w *walk) real(key string) control.Key {
	k, err := w.k.GetKey(context.Background(), w.k.root, key)
	must(w.T, err)
	return k
}

func (w *walk) some() []string {
	return rapid.SliceOfDistinct(rapid.SampledFrom(few), rapid.ID).Draw(w.T, "permissions")
}

// step draws one operation, checks its effect against the rules, and reports whether it went through.
func (w *walk) step() bool {
	c := w.caller()
	dead := w.dead(c)
	steps := map[string]func(someone) bool{
		"create": w.create, "rotate": w.rotate, "update": w.update, "delete": w.remove,
		"role": w.role, "edit": w.edit, "put": w.put, "role-change": w.change, "remove": w.leave,
		"mode": w.mode, "switch": w.turn, "revive": w.update,
	}
	name := rapid.SampledFrom([]string{"create", "create", "rotate", "rotate", "update", "update", "update", "update",
		"delete", "role", "edit", "put", "put", "role-change", "remove", "mode", "switch", "revive", "revive"}).
		Draw(w.T, "operation")
	w.revive = ""
	if name == "revive" {
		c = w.reviver(c)
		dead = w.dead(c)
	}
	w.enabled = false
	done := steps[name](c)
	if done && c.portal && !slices.Contains([]string{"create", "rotate", "update", "revive", "delete"}, name) {
		w.Fatalf("%s through a portal session", name)
	}
	after := w.look()
	if done && dead {
		w.Fatalf("%s by a key that does not work", name)
	}
	w.judge(c, name, w.before, after)
	if w.enabled {
		for key, now := range after.keys {
			if now.on && !w.before.keys[key].on {
				delete(w.marks, key)
			}
		}
	}
	w.before = after
	w.check()
	return done
}

func (w *walk) create(c someone) bool {
	user := rapid.SampledFrom(users).Draw(w.T, "user")
	in := control.CreateKey{Workspace: w.ws, User: user, Name: "k"}
	if rapid.Bool().Draw(w.T, "named") {
		in.Permissions = control.Some(w.some())
	}
	if rapid.Bool().Draw(w.T, "limited") {
		in.RateLimit = control.Some(control.LimitsInput{PerMinute: aLimit(w.T), PerDay: aLimit(w.T)})
	}
	if rapid.Bool().Draw(w.T, "ends") {
		in.ExpiresAt = rapid.SampledFrom(ends).Draw(w.T, "end")
	}
	if box := rapid.SampledFrom(boxes).Draw(w.T, "networks"); !box.Null {
		in.AllowedIPs = box
	}
	out, err := w.k.CreateKey(context.Background(), c.Caller, in)
	if err != nil {
		return false
	}
	k := w.remember(out)
	creator, member := w.members[user]
	if !member || !k.holds.within(c.holds) || !k.holds.within(w.roles[creator]) {
		w.Fatalf("minted %v for %s (member %v), by one who holds %v", k.holds, user, member, c.holds)
	}
	if c.key != nil || c.portal {
		w.within(c, "create", w.look().keys[k.id])
	}
	return true
}

func (w *walk) rotate(c someone) bool {
	if len(w.keys) == 0 {
		return false
	}
	k := w.keys[pick(w.T, w.keys, "key")]
	if _, err := w.k.RotateKey(context.Background(), c.Caller, k.id,
		rapid.SampledFrom([]int64{0, 3600, 7200}).Draw(w.T, "overlap")); err != nil {
		return false
	}
	if c.earlier {
		w.Fatalf("an earlier value has rotated a key")
	}
	return true
}

func (w *walk) remove(c someone) bool {
	if len(w.keys) == 0 {
		return false
	}
	key := pick(w.T, w.keys, "key")
	if err := w.k.DeleteKey(context.Background(), c.Caller, key); err != nil {
		return false
	}
	delete(w.keys, key)
	return true
}

func (w *walk) role(c someone) bool {
	want := w.some()
	r, err := w.k.CreateRole(
		context.Background(), c.Caller, w.ws, control.CreateRole{Name: fmt.Sprintf("r%d", len(w.roles)), Permissions: want},
	)
	if err != nil {
		return false
	}
	w.given(c, setOf(want), "a new role")
	w.roles[string(r.ID)] = setOf(want)
	return true
}

func (w *walk) given(c someone, what names, door string) {
	if c.earlier {
		w.Fatalf("%s was given by an earlier value of a key", door)
	}
	if !what.within(c.holds) {
		w.Fatalf("%s with %v was given by one who holds %v", door, what, c.holds)
	}
}

func (w *walk) edit(c someone) bool {
	role, want := pick(w.T, w.roles, "role"), w.some()
	if _, err := w.k.UpdateRole(context.Background(), c.Caller, w.ws, role,
		control.UpdateRole{Permissions: control.Some(want)}); err != nil {
		return false
	}
	w.given(c, setOf(want), "an edited role")
	w.roles[role] = setOf(want)
	return true
}

func (w *walk) put(c someone) bool {
	user, role := rapid.SampledFrom(users).Draw(w.T, "user"), pick(w.T, w.roles, "role")
	_, _, err := w.k.PutMember(
		context.Background(), c.Caller, w.ws, user, control.PutMember{Email: user + "@example.org", Role: role},
	)
	if err != nil {
		return false
	}
	if w.members[user] != role {
		w.given(c, w.roles[role], "a member's role")
	}
	w.members[user] = role
	return true
}

func (w *walk) change(c someone) bool {
	user, role := pick(w.T, w.members, "user"), pick(w.T, w.roles, "role")
	if _, err := w.k.UpdateMember(context.Background(), c.Caller, w.ws, user,
		control.UpdateMember{Role: control.Some(role)}); err != nil {
		return false
	}
	if w.members[user] != role {
		w.given(c, w.roles[role], "a changed role")
	}
	w.members[user] = role
	return true
}

func (w *walk) leave(c someone) bool {
	user, heir := pick(w.T, w.members, "user"), rapid.SampledFrom(users).Draw(w.T, "heir")
	keys := rapid.SampledFrom([]string{"", "keep", "transfer:" + heir}).Draw(w.T, "keys")
	if _, err := w.k.RemoveMember(context.Background(), c.Caller, w.ws, user,
		control.RemoveMember{Keys: keys}); err != nil {
		return false
	}
	delete(w.members, user)
	for _, k := range w.keys {
		if k.user != user {
			continue
		}
		now := w.real(k.id)
		if string(now.User) != user {
			w.given(c, k.holds, "a transferred key")
			if !k.holds.within(w.roles[w.members[heir]]) || string(now.User) != heir {
				w.Fatalf("%s received a key with %v", now.User, k.holds)
			}
			k.user = heir
		} else if keys != "keep" && now.IsActive {
			w.Fatalf("a key of %s goes on", user)
		} else if keys != "keep" {
			w.marks[k.id] = true
		}
	}
	return true
}

// check holds the invariants.
func (w *walk) check() {
	for key, now := range w.before.keys {
		if k := w.keys[key]; !maps.Equal(now.granted, k.holds) {
			w.Fatalf("a key's permissions went from %v to %v", k.holds, now.granted)
		}
	}
	if !slices.Contains(slices.Collect(maps.Values(w.members)), w.system["Owner"]) {
		w.Fatalf("nobody owns the workspace: %v", w.members)
	}
}
