package control_test

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/keyfmt"
)

// reach is the power of a key in the walk's own model: the product's classification takes no part.
type reach struct {
	user    string
	granted names
	works   bool // enabled, in a workspace that is on, with its creator or kept
	on      bool // enabled
	can     names
	minute  int64
	day     int64
	end     time.Time
	from    []netip.Prefix
	value   keyfmt.Digest
}

// place is the workspace and all of its keys at one moment.
type place struct {
	on, capped bool
	keys       map[string]reach
}

func (w *walk) look() place {
	ctx := context.Background()
	ws, err := w.k.GetWorkspace(ctx, w.k.root, w.ws)
	must(w.T, err)
	out := place{on: ws.IsActive, capped: ws.Settings.PermissionMode == "capped", keys: map[string]reach{}}
	for _, k := range w.keys {
		now := w.real(k.id)
		role, here := w.members[string(now.User)]
		r := reach{
			user: string(now.User), granted: setOf(catalogue.Names(now.Permissions)), on: now.IsActive,
			works: now.IsActive && out.on && (here || now.Orphan), can: k.holds, minute: now.Limits.PerMinute,
			day: now.Limits.PerDay, end: now.ExpiresAt, from: now.AllowedIPs, value: now.Value.Digest.Sum,
		}
		if out.capped {
			r.can = names{}
			for p := range k.holds {
				if w.roles[role][p] {
					r.can[p] = true
				}
			}
		}
		out.keys[k.id] = r
	}
	return out
}

func higher(n, than int64) bool { return than != 0 && (n == 0 || n > than) }

func later(t, than time.Time) bool { return !than.IsZero() && (t.IsZero() || t.After(than)) }

// probes are addresses, one in each piece of the networks that the walk plays with.
var probes = []netip.Addr{
	netip.MustParseAddr("10.1.1.1"), netip.MustParseAddr("10.1.9.1"), netip.MustParseAddr("10.9.9.9"),
	netip.MustParseAddr("192.0.2.1"),
}

func wider(nets, than []netip.Prefix) bool {
	lets := func(nets []netip.Prefix, a netip.Addr) bool {
		return len(nets) == 0 || slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return slices.ContainsFunc(probes, func(a netip.Addr) bool { return lets(nets, a) && !lets(than, a) })
}

// grown names the ways in which a key can do more now than before.
func (r reach) grown(was reach) (how []string) {
	add := func(yes bool, what string) {
		if yes {
			how = append(how, what)
		}
	}
	add(r.on && !was.on, "enabled")
	add(r.works && !was.works, "works")
	add(r.works && !r.can.within(was.can), "permissions")
	add(higher(r.minute, was.minute) || higher(r.day, was.day), "limits")
	add(later(r.end, was.end), "expiry")
	add(wider(r.from, was.from), "networks")
	add(r.value != was.value, "value")
	add(r.user != was.user, "creator")
	return how
}

// judge compares the effect of a step on every key with the caller's rights: no key's reach grows without a grant by
// a holder of it.
func (w *walk) judge(c someone, step string, before, after place) {
	for key, now := range after.keys {
		was, old := before.keys[key]
		how := now.grown(was)
		if !old || len(how) == 0 {
			continue
		}
		switch step {
		case "mode", "switch":
			if !c.owner {
				w.Fatalf("%s: a key has grown (%v) by one who is no owner", step, how)
			}
			continue
		case "edit", "put", "role-change": // a role was given: what is new of the key lies in it, and in the caller
			for p := range now.can {
				if !was.can[p] && !c.holds[p] {
					w.Fatalf("%s: a key can %s now, by one who holds %v", step, p, c.holds)
				}
			}
			continue
		}
		if !w.keys[key].holds.within(c.holds) {
			w.Fatalf("%s: a key with %v has grown (%v) by one who holds %v", step, w.keys[key].holds, how, c.holds)
		}
		if slices.Contains(how, "enabled") && w.marks[key] && !c.does()["api-keys:manage-others"] {
			w.Fatalf("%s: what was disabled by right of manage-others is enabled by one who holds %v", step, c.holds)
		}
		if c.key != nil || c.portal {
			w.within(c, step, now)
		}
	}
}

// within holds all that a key reaches against the bounds of the key that calls.
func (w *walk) within(c someone, step string, now reach) {
	if own := c.reach; higher(now.minute, own.minute) || higher(now.day, own.day) || later(now.end, own.end) ||
		wider(now.from, own.from) {
		w.Fatalf("%s: a key reaches %+v, by one that reaches %+v", step, now, own)
	}
}

var (
	ends  = []control.Optional[string]{control.Some("2090-01-01"), control.Some("2091-01-01"), control.Null[string]()}
	boxes = []control.Optional[[]string]{control.Some([]string{"10.0.0.0/8"}), control.Some([]string{"10.1.0.0/16"}),
		control.Some([]string{"10.1.1.0/24"}), control.Null[[]string]()}
)

func aLimit(t *rapid.T) control.Optional[int64] {
	if n := rapid.Int64Range(1, 20).Draw(t, "limit"); n < 20 {
		return control.Some(n)
	}
	return control.Null[int64]()
}

// update changes one field of a key, in either direction.
func (w *walk) update(c someone) bool {
	if len(w.keys) == 0 {
		return false
	}
	field := "enable"
	k := w.keys[w.revive]
	if k == nil {
		k = w.keys[pick(w.T, w.keys, "key")]
		field = rapid.SampledFrom([]string{"enable", "disable", "disable", "expiry", "minute", "day", "networks", "name"}).
			Draw(w.T, "field")
	}
	in := control.UpdateKey{ID: k.id}
	switch field {
	case "enable":
		in.IsActive = control.Some(true)
	case "disable":
		in.IsActive = control.Some(false)
	case "expiry":
		in.ExpiresAt = rapid.SampledFrom(ends).Draw(w.T, "end")
	case "minute":
		in.RateLimit = control.Some(control.LimitsInput{PerMinute: aLimit(w.T)})
	case "day":
		in.RateLimit = control.Some(control.LimitsInput{PerDay: aLimit(w.T)})
	case "networks":
		in.AllowedIPs = rapid.SampledFrom(boxes).Draw(w.T, "networks")
	case "name":
		in.Name = control.Some(rapid.SampledFrom([]string{"a", "b"}).Draw(w.T, "name"))
	}
	was := w.real(k.id).IsActive
	if w.k.one(c.Caller, in) != nil {
		return false
	}
	if in.IsActive.Set && !in.IsActive.Value {
		strong := c.root() || c.user() != k.user
		w.marks[k.id] = strong || !was && w.marks[k.id]
	}
	w.enabled = in.IsActive.Set && in.IsActive.Value
	return true
}

// reviver picks a key that is disabled, and has its creator come for it in person where they are here.
func (w *walk) reviver(c someone) someone {
	off := map[string]bool{}
	for key, r := range w.before.keys {
		if !r.on {
			off[key] = true
		}
	}
	if len(off) == 0 {
		return c
	}
	w.revive = pick(w.T, off, "off")
	user := w.keys[w.revive].user
	if role, here := w.members[user]; here && rapid.Bool().Draw(w.T, "creator") {
		return someone{Caller: person(w.ws, user), holds: w.roles[role], owner: role == w.system["Owner"]}
	}
	return c
}

// mode takes the workspace from one mode to the other.
func (w *walk) mode(c someone) bool {
	mode := rapid.SampledFrom([]string{"frozen", "capped"}).Draw(w.T, "mode")
	_, err := w.k.UpdateWorkspace(context.Background(), c.Caller, w.ws,
		control.UpdateWorkspace{Settings: control.Some(control.SettingsInput{PermissionMode: control.Some(mode)})})
	if err == nil && w.before.capped && mode == "frozen" && !c.owner {
		w.Fatalf("one who is no owner in person, or a key, has freed the keys of the workspace")
	}
	return err == nil
}

// turn switches the workspace off or on. After the root has switched it off, only the root switches it on.
func (w *walk) turn(c someone) bool {
	on := !w.before.on || rapid.IntRange(0, 3).Draw(w.T, "on") > 0
	_, err := w.k.UpdateWorkspace(
		context.Background(), c.Caller, w.ws, control.UpdateWorkspace{IsActive: control.Some(on)},
	)
	if err != nil {
		return false
	}
	switch {
	case on && !w.before.on && w.offByRoot && !c.root():
		w.Fatalf("a workspace that the root has switched off is on again")
	case on:
		w.offByRoot = false
	case c.root():
		w.offByRoot = true
	}
	return true
}

// root and user identify a caller.
func (c someone) root() bool { return c.ServiceKey != "" }

func (c someone) user() string {
	if c.key != nil {
		return c.key.user
	}
	if c.portal {
		return c.reach.user
	}
	return string(c.Person.User)
}

// withKey is a caller by a value of a key: the current one, or one from before a rotation that works on for a while.
func (w *walk) withKey(k *modelKey) someone {
	now := w.real(k.id)
	c := someone{
		Caller: by(control.Revealed{Key: now}), holds: w.before.keys[k.id].can, key: k, reach: w.before.keys[k.id],
	}
	if n := len(now.Previous); n > 0 && rapid.Bool().Draw(w.T, "earlier") {
		p := now.Previous[rapid.IntRange(0, n-1).Draw(w.T, "which")]
		c.Presented, c.earlier = p.Digest.Sum, true
		if later(c.reach.end, p.Until) {
			c.reach.end = p.Until
		}
	}
	c.Address = "10.1.1.1"
	return c
}

// dead tells whether a caller's credential is good for nothing.
func (w *walk) dead(c someone) bool { return c.key != nil && !w.before.keys[c.key.id].works }
