package dashboard

import (
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/perm"
)

// resource is one resource of the catalogue.
type resource struct {
	Name    string
	Entries []perm.Entry
}

// grouped is the catalogue by resource, in its order.
func grouped(c *perm.Catalogue) []resource {
	var out []resource
	at := map[string]int{}
	for _, e := range c.Entries() {
		i, ok := at[e.Resource]
		if !ok {
			i = len(out)
			at[e.Resource] = i
			out = append(out, resource{Name: e.Resource})
		}
		out[i].Entries = append(out[i].Entries, e)
	}
	return out
}

// risk is how much harm a set could do in wrong hands: a word for people, from its strongest permission.
type risk struct {
	Level int // 0 nothing, 1 looks, 2 changes, 3 removes, 4 administers
	Word  string
}

// administers is the level of permissions that decide about other people's access.
const administers = 4

var risks = []string{"Identifies only", "Reads", "Writes", "Deletes", "Administers"}

func riskOf(e perm.Entry) int {
	own := slices.Contains(account.OwnPermissions(), e.Name()) || e.Resource == "billing" || e.Resource == "members"
	switch {
	case e.IsRead():
		return 1
	case own && e.Name() != account.APIKeysWrite && e.Name() != account.APIKeysDelete:
		return 4
	case strings.Contains(e.Action, "delete") || strings.Contains(e.Action, "remove"):
		return 3
	}
	return 2
}

func (d *Dashboard) risk(s perm.Set) risk {
	most := 0
	for _, e := range d.catalogue.Entries() {
		if d.catalogue.Holds(s, e.Name()) {
			most = max(most, riskOf(e))
		}
	}
	return risk{most, risks[most]}
}

// branch is one resource of a tree of permissions, with the chosen ones.
type branch struct {
	Name   string
	Leaves []leaf
	Chosen int
	Open   bool
}

// leaf is one permission: chosen or not, and why it cannot be.
type leaf struct {
	Name, Action, Text string
	Read, Write        bool
	Risk               int
	On                 bool
	Why                string // why it cannot be chosen, "" where it can
}

// tree makes the branches. why says of each permission why it cannot be chosen.
func (d *Dashboard) tree(chosen perm.Set, why func(perm.Entry) string) []branch {
	out := make([]branch, 0, len(d.groups))
	for _, g := range d.groups {
		b := branch{Name: g.Name}
		for _, e := range g.Entries {
			l := leaf{Name: e.Name(), Action: e.Action, Text: e.Description, Read: e.IsRead(), Write: writes(e), Risk: riskOf(e)}
			l.On = d.catalogue.Holds(chosen, l.Name)
			if why != nil {
				l.Why = why(e)
			}
			if l.On {
				b.Chosen++
			}
			b.Leaves = append(b.Leaves, l)
		}
		out = append(out, b)
	}
	return out
}

// held is a tree of the permissions in a set and no others.
func (d *Dashboard) held(s perm.Set) []branch {
	var out []branch
	for _, b := range d.tree(s, nil) {
		b.Leaves = slices.DeleteFunc(b.Leaves, func(l leaf) bool { return !l.On })
		if len(b.Leaves) > 0 {
			out = append(out, b)
		}
	}
	return out
}

// listed joins words as a sentence does.
func listed(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
