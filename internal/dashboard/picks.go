package dashboard

import (
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/perm"
)

// The segments of a resource in the form for a key. Read and Write name sets of permissions, so that a choice posts
// the same with scripts and without.
const (
	segmentNone   = "none"
	segmentRead   = "read"
	segmentWrite  = "write"
	segmentCustom = "custom"
)

// pick is one resource in the form for a key: a segment, and each permission for a choice of one's own.
type pick struct {
	Name        string
	Leaves      []leaf
	Segment     string
	Read, Write bool // whether the segment differs from the one before it
	Hidden      bool // the owner has nothing of it
}

// writes tells whether a permission belongs to the segment Write beside those that look: "write", or an action that
// ends in "-write". Deleting, exporting and the like are chosen one by one.
func writes(e perm.Entry) bool { return e.Action == "write" || strings.HasSuffix(e.Action, "-write") }

// segmentOf returns the permissions of a resource that a segment stands for, within a set.
func (d *Dashboard) segmentOf(g resource, segment string, within perm.Set) perm.Set {
	var names []string
	for _, e := range g.Entries {
		if e.IsRead() || segment == segmentWrite && writes(e) {
			names = append(names, e.Name())
		}
	}
	return d.catalogue.Known(names).And(within)
}

// picked returns the set that the posted segments and ticks stand for. A tick counts where the page shows it: under
// Custom, or where no segment was posted at all.
func (v *request) picked(grantable perm.Set) (perm.Set, error) {
	names := v.r.PostForm["perm"]
	ticked, at, ok := v.d.catalogue.Set(names)
	if !ok {
		return perm.Set{}, fault.Invalid("permissions", "%q is not in the catalogue", clipped(names[at]))
	}
	var out perm.Set
	for _, g := range v.d.groups {
		switch segment := v.form("seg." + g.Name); segment {
		case segmentNone:
		case segmentRead, segmentWrite:
			out = out.Or(v.d.segmentOf(g, segment, grantable))
		case segmentCustom, "":
			out = out.Or(ticked.And(v.d.whole(g)))
		default:
			return perm.Set{}, fault.Invalid("permissions", "want none, read, write or custom for %s", g.Name)
		}
	}
	return out, nil
}

// whole is every permission of a resource.
func (d *Dashboard) whole(g resource) perm.Set {
	names := make([]string, len(g.Entries))
	for i, e := range g.Entries {
		names[i] = e.Name()
	}
	return d.catalogue.Known(names)
}

// picks makes the rows of the form: chosen is what is ticked, why says of a permission why it cannot be chosen.
func (v *request) picks(chosen, grantable perm.Set, why func(perm.Entry) string) []pick {
	out := make([]pick, 0, len(v.d.groups))
	for i, b := range v.d.tree(chosen, why) {
		g := v.d.groups[i]
		own := v.d.whole(g)
		read, write := v.d.segmentOf(g, segmentRead, grantable), v.d.segmentOf(g, segmentWrite, grantable)
		p := pick{
			Name: b.Name, Leaves: b.Leaves, Read: !read.IsEmpty(), Write: write != read, Hidden: own.And(grantable).IsEmpty(),
		}
		switch on := own.And(chosen); {
		case v.form("seg."+g.Name) == segmentCustom && v.form("do") != doUndo && !v.fills():
			p.Segment = segmentCustom
		case on.IsEmpty():
			p.Segment = segmentNone
		case on == read:
			p.Segment = segmentRead
		case on == write:
			p.Segment = segmentWrite
		default:
			p.Segment = segmentCustom
		}
		out = append(out, p)
	}
	return out
}

// lacking is a group of permissions that cannot be chosen, and the reason.
type lacking struct {
	Text  string   `json:"text"` // "34 hidden: Dora Marsden doesn't have them"
	Items []lacked `json:"items"`
}

// lacked is one of them.
type lacked struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// lacks lists the permissions that cannot be chosen, by reason.
func (d *Dashboard) lacks(why func(perm.Entry) string) []lacking {
	out := []lacking{}
	at := map[string]int{}
	for _, e := range d.catalogue.Entries() {
		reason := why(e)
		if reason == "" {
			continue
		}
		i, ok := at[reason]
		if !ok {
			i = len(out)
			at[reason] = i
			out = append(out, lacking{Text: reason})
		}
		out[i].Items = append(out[i].Items, lacked{e.Name(), e.Description})
	}
	for i := range out {
		out[i].Text = number(len(out[i].Items)) + " hidden: " + out[i].Text
	}
	return out
}

// reason says of a permission why the key cannot get it, as the end of a sentence about several.
func (v *request) reason(f *newKeyForm) func(perm.Entry) string {
	cat, user := v.d.catalogue, f.creator(v)
	name := v.ownerName(f)
	return func(e perm.Entry) string {
		switch {
		case !cat.Holds(f.grant.Creator, e.Name()) && user == "":
			return "choose the owner first"
		case !cat.Holds(f.grant.Creator, e.Name()) && user == string(v.may.User):
			return "you don't have them"
		case !cat.Holds(f.grant.Creator, e.Name()):
			return name + " doesn't have them"
		case !cat.Holds(f.grant.Caller, e.Name()):
			return "you don't have them, so you can't pass them on"
		}
		return ""
	}
}

// ownerName is the name to show of the key's owner.
func (v *request) ownerName(f *newKeyForm) string {
	user := f.creator(v)
	for _, m := range f.Creators {
		if string(m.User) == user {
			return nameOf(m.Member)
		}
	}
	if user != "" && user == string(v.may.User) && v.may.DisplayName != "" {
		return v.may.DisplayName
	}
	return user
}

// power says in words how much a set can do, as in "3 permissions, read only".
func (d *Dashboard) power(s perm.Set) string {
	n := s.Len()
	if n == 0 {
		return "No permissions yet"
	}
	return many(n, "permission") + ", " + powers[d.risk(s).Level]
}

var powers = []string{"identifies only", "read only", "can change things", "can delete", "can administer"}

// mayOwn tells whether the visitor can make keys for other people.
func (v *request) mayOwn() bool { return v.may.May(account.APIKeysManageOthers) }
