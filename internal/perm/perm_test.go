package perm_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/perm"
)

func TestTheBuiltInCatalogueIsTheReferences(t *testing.T) {
	t.Parallel()
	c := perm.Builtin()
	if c.Len() != 101 {
		t.Fatalf("%d permissions", c.Len())
	}
	first, last := c.Entries()[0].Name(), c.Entries()[100].Name()
	if first != "agents:read" || last != "speech-filter:preview" {
		t.Errorf("runs from %s to %s", first, last)
	}
	for _, e := range c.Entries() {
		if e.Description == "" {
			t.Errorf("%s has no description", e.Name())
		}
	}
	if !c.Holds(c.Reads(), "calls:cdr-read") || c.Holds(c.Reads(), "versions:publish") {
		t.Error("the read actions are wrong")
	}
}

// A set of permissions behaves as a set of names does.
func TestSetsBehaveAsSetsOfNames(t *testing.T) {
	t.Parallel()
	c := perm.Builtin()
	var names []string
	for _, e := range c.Entries() {
		names = append(names, e.Name())
	}
	some := rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID)
	rapid.Check(t, func(t *rapid.T) {
		a, b := some.Draw(t, "a"), some.Draw(t, "b")
		sa, _, _ := c.Set(a)
		sb, _, _ := c.Set(b)
		in := func(l []string) func(string) bool { return func(n string) bool { return slices.Contains(l, n) } }
		pick := func(keep func(string) bool) []string {
			return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !keep(n) })
		}
		same := func(what string, got perm.Set, want []string) {
			if !slices.Equal(c.Names(got), append([]string{}, want...)) {
				t.Fatalf("%s: got %v, want %v", what, c.Names(got), want)
			}
			if again, _, _ := c.Set(want); again != got {
				t.Fatalf("%s: equal sets differ", what)
			}
		}
		same("and", sa.And(sb), pick(func(n string) bool { return in(a)(n) && in(b)(n) }))
		same("or", sa.Or(sb), pick(func(n string) bool { return in(a)(n) || in(b)(n) }))
		same("without", sa.Without(sb), pick(func(n string) bool { return in(a)(n) && !in(b)(n) }))
		if sa.Within(sb) != sa.Without(sb).IsEmpty() || sa.Meets(sb) == sa.And(sb).IsEmpty() || sa.Len() != len(a) {
			t.Fatal("within, meets or len is wrong")
		}
		d := perm.Demand{All: sa, Any: sb}
		held, _, _ := c.Set(some.Draw(t, "held"))
		if d.Met(held) != d.Missing(held).IsEmpty() {
			t.Fatalf("demand met %v but missing %v", d.Met(held), c.Names(d.Missing(held)))
		}
	})
}

func TestAnUnknownNameIsNamedByItsPlace(t *testing.T) {
	t.Parallel()
	c := perm.Builtin()
	for _, bad := range []string{"calls:*", "*", "Calls:read", "calls:read ", "", "nope:read"} {
		if _, at, ok := c.Set([]string{"calls:read", bad}); ok || at != 1 {
			t.Errorf("%q: index %d, ok %v", bad, at, ok)
		}
	}
}

func TestACatalogueRefusesWhatIsNotAName(t *testing.T) {
	t.Parallel()
	for _, e := range [][]perm.Entry{
		nil, {{Resource: "A", Action: "b"}}, {{Resource: "a", Action: ""}}, {{Resource: "a:b", Action: "c"}},
		{{Resource: "a", Action: "b"}, {Resource: "a", Action: "b"}}, {{Resource: "a", Action: "*"}},
	} {
		if _, err := perm.New(e); err == nil {
			t.Errorf("%v is let through", e)
		}
	}
}
