package replica_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/replica"
)

// model is the expected state of a replica: for each object the newest change, in plain maps.
type model struct {
	newest map[string]feed.Change
	ended  map[id.Workspace]bool
}

func newModel() *model {
	return &model{newest: map[string]feed.Change{}, ended: map[id.Workspace]bool{}}
}

func subject(c feed.Change) string {
	switch {
	case c.Workspace != nil:
		return "w/" + string(c.Workspace.ID)
	case c.Role != nil:
		return "r/" + string(c.Role.ID)
	case c.RoleGone != "":
		return "r/" + string(c.RoleGone)
	case c.Member != nil:
		return "m/" + string(c.Member.Workspace) + "/" + string(c.Member.User)
	case c.MemberGone != nil:
		return "m/" + string(c.MemberGone.Workspace) + "/" + string(c.MemberGone.User)
	case c.Key != nil:
		return "k/" + string(c.Key.ID)
	}
	return "k/" + string(c.KeyGone)
}

// apply takes a transaction: the last of each object's changes, if it is newer than the known one.
func (m *model) apply(changes []feed.Change) {
	last := map[string]feed.Change{}
	for _, c := range changes {
		if c.WorkspaceGone != "" {
			m.ended[c.WorkspaceGone] = true
			continue
		}
		last[subject(c)] = c
	}
	for name, c := range last {
		old, known := m.newest[name]
		if !known || c.Revision > old.Revision || c.Revision == 0 && old.Revision == 0 {
			m.newest[name] = c
		}
	}
}

// lookup reads the answer off the maps.
func (m *model) lookup(d keyfmt.Digest) (replica.View, bool) {
	for _, c := range m.newest {
		if c.Key == nil {
			continue
		}
		values := append([]apikey.Value{c.Key.Value}, c.Key.Previous...)
		i := slices.IndexFunc(values, func(v apikey.Value) bool { return v.Digest.Sum == d })
		w := m.newest["w/"+string(c.Key.Workspace)].Workspace
		if i < 0 || w == nil || m.ended[w.ID] {
			continue
		}
		return m.view(c.Key, w, values[i].Until), true
	}
	return replica.View{}, false
}

func (m *model) view(k *apikey.Key, w *account.Workspace, until time.Time) replica.View {
	u, _ := id.Parse(string(k.ID))
	v := replica.View{
		UUID: u, Workspace: k.Workspace, User: k.User, Name: k.Name, Environment: k.Environment, IsActive: k.IsActive,
		Permissions: k.Permissions, WorkspaceActive: w.IsActive, Capped: w.Settings.PermissionMode == account.Capped,
	}
	if !until.IsZero() {
		v.Until = until.UnixMilli()
	}
	if c := m.newest["m/"+string(w.ID)+"/"+string(k.User)].Member; c != nil {
		v.CreatorPresent = true
		if r := m.newest["r/"+string(c.Role)].Role; r != nil && v.Capped {
			v.CreatorHolds = r.Permissions
		}
	}
	v.Effective = v.Permissions
	if v.Capped {
		v.Effective = v.Permissions.And(v.CreatorHolds)
	}
	return v
}

func (m *model) size() int {
	n := 0
	for _, c := range m.newest {
		if c.Key != nil && !m.ended[c.Key.Workspace] {
			n++
		}
	}
	return n
}

const (
	modelWorkspaces = 2
	modelUsers      = 2
	modelRoles      = 2
	modelKeys       = 4 // in each workspace
	modelValues     = 3 // of each key
)

func valueName(k string, i int) string { return fmt.Sprintf("%s value %d", k, i) }

// drawChange draws something that can happen in a workspace.
func drawChange(t *rapid.T) feed.Change {
	w := id.Workspace(fmt.Sprint("w", rapid.IntRange(0, modelWorkspaces-1).Draw(t, "workspace")))
	user := id.User(fmt.Sprint("u", rapid.IntRange(0, modelUsers-1).Draw(t, "user")))
	r := id.Role(fmt.Sprint(w, "r", rapid.IntRange(0, modelRoles-1).Draw(t, "role")))
	k := fmt.Sprint(w, "k", rapid.IntRange(0, modelKeys-1).Draw(t, "key"))
	held := rapid.SampledFrom([]string{"calls:read", "calls:write", "agents:read"}).Draw(t, "permission")
	switch rapid.IntRange(0, 15).Draw(t, "what") {
	case 0:
		return feed.Change{RoleGone: r}
	case 1:
		return memberGone(w, user)
	case 2, 3:
		return keyGone(k)
	case 4, 5:
		return role(w, r, held)
	case 6, 7:
		return member(w, user, r)
	case 8, 9, 10:
		c := workspace(w)
		c.Workspace.IsActive = rapid.Bool().Draw(t, "active")
		if rapid.Bool().Draw(t, "capped") {
			c.Workspace.Settings.PermissionMode = account.Capped
		}
		return c
	case 11:
		if rapid.IntRange(0, 9).Draw(t, "really") == 0 {
			return feed.Change{WorkspaceGone: w}
		}
	}
	return drawKey(t, w, user, k, held)
}

func drawKey(t *rapid.T, w id.Workspace, user id.User, word, held string) feed.Change {
	values := rapid.Permutation([]int{0, 1, 2}).Draw(t, "values")
	return key(w, user, word, value(valueName(word, values[0])), func(k *apikey.Key) {
		k.IsActive = rapid.Bool().Draw(t, "active")
		k.Permissions = set(held)
		for i := range rapid.IntRange(0, 2).Draw(t, "earlier values") {
			previous(valueName(word, values[1+i]), time.UnixMilli(int64(1+i)))(k)
		}
	})
}

// drawDeliveries draws transactions and the order in which they come: late, twice, or as the initial load.
func drawDeliveries(t *rapid.T) [][]feed.Change {
	n := rapid.IntRange(1, 25).Draw(t, "transactions")
	deliveries := make([][]feed.Change, 0, 2*n)
	for i := range n {
		changes := rapid.SliceOfN(rapid.Custom(drawChange), 1, 4).Draw(t, "changes")
		deliveries = append(deliveries, at(int64(1+i), changes...))
		switch rapid.IntRange(0, 5).Draw(t, "again") {
		case 0:
			deliveries = append(deliveries, changes)
		case 1:
			load := slices.DeleteFunc(slices.Clone(changes), func(c feed.Change) bool {
				return c.Workspace == nil && c.Role == nil && c.Member == nil && c.Key == nil
			})
			deliveries = append(deliveries, at(0, load...))
		}
	}
	if rapid.Bool().Draw(t, "in order") {
		return deliveries
	}
	return rapid.Permutation(deliveries).Draw(t, "order")
}

func TestT27InWhateverOrderChangesComeTheNewestOfEachObjectHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, r := newModel(), replica.New()
		for _, changes := range drawDeliveries(t) {
			m.apply(changes)
			r.Apply(changes)
			if rapid.IntRange(0, 4).Draw(t, "sweep") == 0 {
				r.Sweep(0)
			}
			compare(t, m, r)
		}
	})
}

// compare looks every value up that a key can have.
func compare(t *rapid.T, m *model, r *replica.Replica) {
	for w := range modelWorkspaces {
		for k := range modelKeys {
			for i := range modelValues {
				d := sum(valueName(fmt.Sprint("w", w, "k", k), i))
				var got replica.View
				found := r.Lookup(d, &got)
				want, known := m.lookup(d)
				if found != known {
					t.Fatalf("key w%dk%d, value %d: found %v, want %v", w, k, i, found, known)
				}
				if d := diff(want, got); d != "" {
					t.Fatalf("key w%dk%d, value %d (-want +got):\n%s", w, k, i, d)
				}
			}
		}
	}
	if r.Size() != m.size() {
		t.Fatalf("size %d, want %d", r.Size(), m.size())
	}
}

// lives tells whether nothing in a change is in a workspace that is gone: its id is never used again.
func (m *model) lives(c feed.Change) bool {
	var w id.Workspace
	switch {
	case c.Workspace != nil:
		w = c.Workspace.ID
	case c.Role != nil:
		w = c.Role.Workspace
	case c.Member != nil:
		w = c.Member.Workspace
	case c.Key != nil:
		w = c.Key.Workspace
	}
	return !m.ended[w]
}

// The same where changes come in order and everything is swept that is settled: members and roles that are gone are
// forgotten, and come back as new ones, and their keys say so.
func TestT27WhatASweepForgetsIsGoneAndMayComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, r := newModel(), replica.New()
		var earlier [][]feed.Change
		for i := range rapid.IntRange(1, 40).Draw(t, "transactions") {
			changes := at(int64(1+i), rapid.SliceOfN(rapid.Custom(drawChange), 1, 4).Draw(t, "changes")...)
			changes = slices.DeleteFunc(changes, func(c feed.Change) bool { return !m.lives(c) })
			if slices.ContainsFunc(changes, func(c feed.Change) bool { return c.WorkspaceGone != "" }) {
				changes = slices.DeleteFunc(changes, func(c feed.Change) bool { return c.WorkspaceGone == "" })
			}
			m.apply(changes)
			r.Apply(changes)
			if rapid.IntRange(0, 2).Draw(t, "sweep") == 0 {
				r.Sweep(r.Revision())
			}
			if earlier = append(earlier, changes); rapid.IntRange(0, 4).Draw(t, "again") == 0 {
				r.Apply(rapid.SampledFrom(earlier).Draw(t, "late")) // which the model has
			}
			compare(t, m, r)
		}
	})
}
