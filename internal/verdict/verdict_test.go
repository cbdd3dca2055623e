package verdict_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/verdict"
)

func TestEveryCodeIsCountedButUnavailable(t *testing.T) {
	t.Parallel()
	var counted []verdict.Code
	columns := map[string]bool{}
	for _, c := range verdict.Counted {
		counted = append(counted, c.Code)
		columns[c.Column] = true
	}
	want := slices.DeleteFunc(verdict.Codes(), func(c verdict.Code) bool { return c == verdict.Unavailable })
	slices.Sort(want)
	if d := cmp.Diff(want, slices.Sorted(slices.Values(counted))); d != "" {
		t.Errorf("codes (-all of them +counted):\n%s", d)
	}
	if len(columns) != len(counted) {
		t.Errorf("%d codes are counted in %d columns", len(counted), len(columns))
	}
	last := len(verdict.Counted) - 1
	if verdict.Counted[0].Code != verdict.Valid || verdict.Counted[last].Code != verdict.Malformed ||
		verdict.Counted[last-1].Code != verdict.NotFound {
		t.Error("the places of VALID, NOT_FOUND and MALFORMED have names in package usage")
	}
}

func TestEveryCodeButValidIsARefusal(t *testing.T) {
	t.Parallel()
	for _, c := range append(verdict.Codes(), "A_CODE_OF_LATER") {
		f := c.Refusal()
		if (f == nil) != (c == verdict.Valid) {
			t.Errorf("%s: %v", c, f)
			continue
		}
		if f != nil && f.Message == "" {
			t.Errorf("%s has no sentence", c)
		}
	}
	// A stranger learns no more than that the key is not good.
	for _, c := range []verdict.Code{verdict.NotFound, verdict.Disabled, verdict.Expired} {
		if d := cmp.Diff(verdict.Malformed.Refusal().Error(), c.Refusal().Error()); d != "" {
			t.Errorf("%s is told apart: %s", c, d)
		}
	}
	if fault.Unauthenticated != verdict.Code("A_CODE_OF_LATER").Refusal().Code {
		t.Error("an unknown code is another refusal")
	}
}
