package account_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

var (
	places = []id.Workspace{"a", "b", "c"}
	kinds  = []keyfmt.Environment{keyfmt.Live, keyfmt.Test}
)

// reach draws one, with lists that are absent, empty and filled.
func reach(t *rapid.T, label string) account.Reach {
	var r account.Reach
	if rapid.Bool().Draw(t, label+" names workspaces") {
		r.Workspaces = append([]id.Workspace{}, rapid.SliceOf(rapid.SampledFrom(places)).Draw(t, label+" workspaces")...)
	}
	if rapid.Bool().Draw(t, label+" names environments") {
		r.Environments = append(
			[]keyfmt.Environment{},
			rapid.SliceOf(rapid.SampledFrom(kinds)).Draw(t, label+" environments")...)
	}
	return r
}

// T107: the intersection of two reaches lies within each of them, also if it is empty.
func TestT107AReachAndAnotherCoverWhatBothCover(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := reach(t, "one"), reach(t, "other")
		both := a.And(b)
		for _, ws := range places {
			for _, e := range kinds {
				if got, want := both.Covers(ws, e), a.Covers(ws, e) && b.Covers(ws, e); got != want {
					t.Fatalf("%v and %v: %s in %s: %v, want %v", a, b, ws, e, got, want)
				}
			}
		}
	})
}
