package dashboard

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
)

// ownWay is the choice for a single key of a leaving member.
type ownWay struct {
	Key string
	Way string // stop, keep or transfer
}

// ways are the choices for a single key beside the one for all of them.
func (b *leaveBody) ways() [][2]string {
	all := [][2]string{{"", "As chosen"}, {"stop", "Stop"}, {"keep", "Keep"}, {"transfer", "Hand over"}}
	if !b.hasHeirs() {
		all = all[:3]
	}
	return all
}

// ownField begins the name of a field with the choice for a single key; the key's id follows.
const ownField = "then-"

// readOwn reads the choices for single keys; "" is as all.
func (b *leaveBody) readOwn(given url.Values) error {
	known := []string{"stop", "keep", "transfer"}
	for _, field := range slices.Sorted(maps.Keys(given)) {
		key, own := strings.CutPrefix(field, ownField)
		way := given[field]
		if !own || len(way) == 1 && way[0] == "" {
			continue
		}
		if _, ok := id.Parse(key); !ok || len(way) != 1 || !slices.Contains(known, way[0]) {
			b.Own = nil
			return fault.Invalid("then", "the choice for a single key must be stop, keep or transfer")
		}
		b.Own = append(b.Own, ownWay{key, way[0]})
	}
	return nil
}

// forget leaves out the choices for keys that the page does not list: they could not be seen.
func (b *leaveBody) forget(listed []control.SettledKey) {
	named := map[string]bool{}
	for i := range listed {
		named[string(listed[i].ID)] = true
	}
	was := len(b.Own)
	b.Own = slices.DeleteFunc(b.Own, func(o ownWay) bool { return !named[o.Key] })
	b.lost = len(b.Own) < was
}

func (b *leaveBody) ownOf(key string) string {
	for _, o := range b.Own {
		if o.Key == key {
			return o.Way
		}
	}
	return ""
}

// hands tells whether a key is to go to another member.
func (b *leaveBody) hands() bool {
	return b.Way == "transfer" || slices.ContainsFunc(b.Own, func(o ownWay) bool { return o.Way == "transfer" })
}

func (b *leaveBody) lacksHeir() error {
	if b.hands() && b.Heir == "" {
		return fault.Invalid("keys", "choose who takes them over")
	}
	return nil
}

// choiceMade is the whole choice in one text. The script of the page makes the same.
func (b *leaveBody) choiceMade() string {
	own := make([]string, len(b.Own))
	for i, o := range b.Own {
		own[i] = o.Key + "." + settle(o.Way, b.Heir)
	}
	slices.Sort(own)
	return strings.Join(append([]string{settle(b.Way, b.Heir)}, own...), ",")
}

// undecided lists the keys under a choice that cannot be done.
func (v *request) undecided(b *leaveBody, cause error) (*problem, error) {
	wrong, err := problemOf(cause, map[string]string{"keys": "heir", "overrides": "heir"})
	if err != nil {
		return nil, err
	}
	b.Fate.Problem, b.Fate.Heir = wrong.Message, wrong.Of("heir")
	out, err := v.tryRemoval(b, control.RemoveMember{})
	if err != nil {
		return wrong, nil // the reason is the removal, whatever becomes of the keys
	}
	for _, k := range out.Keys {
		b.Fate.Keys = append(b.Fate.Keys, fateRow{ID: string(k.ID), Name: k.Name, Masked: k.Masked, Working: k.Working,
			Then: "not decided yet", Own: b.ownOf(string(k.ID))})
	}
	err = v.measure(b.Fate.Keys, &out)
	b.Fate.shorten(&out)
	return wrong, err
}

// maxLeaving is how many keys of a leaving member a page lists: it stays below 100 KB.
const maxLeaving = 100

// shorten leaves out the least busy keys of many, but none with a choice of its own, and counts those that are not
// named.
func (f *fate) shorten(out *control.Removed) {
	room := maxLeaving
	for i := range f.Keys {
		if f.Keys[i].Own != "" {
			room--
		}
	}
	f.Keys = slices.DeleteFunc(f.Keys, func(row fateRow) bool {
		if row.Own != "" {
			return false
		}
		room--
		return room < 0
	})
	if more := out.Stopped + out.Kept + out.Transferred - len(f.Keys); more > 0 {
		f.More = "and " + number(more) + " more, as chosen for all. For single ones of them: keyward members remove --key."
	}
}

// deed is the outcome for the keys as the button says it: the choice for all first, the rest in brackets.
func (b *leaveBody) deed(out *control.Removed, heir string) string {
	type part struct {
		way         string
		n           int
		deed, aside string
	}
	parts := []part{
		{"transfer", out.Transferred, "hand " + many(out.Transferred, "key") + " to " + heir,
			many(out.Transferred, "goes|go") + " to " + heir},
		{"stop", out.Stopped, "stop " + many(out.Stopped, "key"), many(out.Stopped, "stops|stop")},
		{"keep", out.Kept, "keep " + many(out.Kept, "key"), many(out.Kept, "stays|stay")},
	}
	first := slices.IndexFunc(parts, func(p part) bool {
		return p.way == b.Way && (p.n > 0 || p.way == "transfer" && out.Stopped > 0)
	})
	if first < 0 {
		first = slices.IndexFunc(parts, func(p part) bool { return p.n > 0 })
	}
	if first < 0 {
		return ""
	}
	var rest []string
	for i, p := range parts {
		if i != first && p.n > 0 {
			rest = append(rest, p.aside)
		}
	}
	said := " and " + parts[first].deed
	if len(rest) > 0 {
		said += " (" + strings.Join(rest, ", ") + ")"
	}
	return said
}
