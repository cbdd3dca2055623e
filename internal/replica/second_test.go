package replica_test

import (
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/replica"
)

func second(pepper keyfmt.PepperID, of string) keyfmt.Stored {
	return keyfmt.Stored{Pepper: pepper, Sum: sum("second of " + of)}
}

func withSecond(pepper keyfmt.PepperID) func(*apikey.Key) {
	return func(k *apikey.Key) {
		k.Value.Second = second(pepper, "current")
		for i := range k.Previous {
			k.Previous[i].Second = second(pepper, "earlier")
		}
	}
}

func TestSecondDigestsAreKeptUnderThePeppersThatAreToldOf(t *testing.T) {
	t.Parallel()
	r := replica.New()
	r.KeepSecond([]keyfmt.PepperID{"now", "before"})
	r.Apply(at(1, workspace("w"), role("w", "r"), member("w", "ann", "r")))
	later := time.UnixMilli(1_900_000_000_000)
	reach := func(w ...id.Workspace) *account.Reach { return &account.Reach{Workspaces: w} }
	untold := func(want int64, when string) {
		t.Helper()
		if got := r.Untold(reach("w"), true); got != want {
			t.Errorf("%s: %d untold, want %d", when, got, want)
		}
		if got := r.Untold(reach("other"), true); got != 0 {
			t.Errorf("%s: %d untold of another workspace", when, got)
		}
		if got := r.Untold(&account.Reach{}, false); got != 0 {
			t.Errorf("%s: %d foreign", when, got)
		}
	}
	has := func(value string, want bool, when string) {
		t.Helper()
		if got := find(t, r, value).Second; got != want {
			t.Errorf("%s: has a second digest %v", when, got)
		}
	}
	r.Apply(at(2, key("w", "ann", "k")))
	untold(1, "without one")
	has("k", false, "without one")
	r.Apply(at(3, key("w", "ann", "k", previous("e", later), withSecond("now"))))
	untold(0, "with both")
	has("k", true, "with both")
	has("e", true, "the earlier one, with both")
	var told apikey.Key
	if err := r.Each(func(c feed.Change) error {
		if c.Key != nil {
			told = *c.Key
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if told.Value.Second != second("now", "current") || told.Previous[0].Second != second("now", "earlier") ||
		told.Name != "key k" {
		t.Errorf("told %+v", told)
	}
	r.Apply(at(4, key("w", "ann", "k", withSecond("before"))))
	untold(0, "under an earlier pepper")
	has("k", false, "under an earlier pepper")
	r.Apply(at(5, key("w", "ann", "k", withSecond("unknown"))))
	untold(1, "under a pepper that is not kept")
	r.Apply(at(6, key("w", "ann", "k", previous("e", later), func(k *apikey.Key) { k.Value.Second = second("now", "x") })))
	untold(1, "without that of the earlier value")
	has("k", true, "the current one alone")
	has("e", false, "the earlier one alone")
	r.Apply(at(7, keyGone("k")))
	untold(0, "gone")
	r.Apply(at(8, key("w", "ann", "l")))
	r.Apply(at(9, feed.Change{WorkspaceGone: "w"}))
	untold(0, "with the workspace")
}

func TestSecondDigestsAreWantedWhereAFollowerIsBound(t *testing.T) {
	t.Parallel()
	r := house()
	put := func(revision int64, workspaces int, scopes ...account.Scope) {
		k := &account.ServiceKey{ID: "s", Scopes: scopes}
		for i := range workspaces {
			k.Bounds.Workspaces = append(k.Bounds.Workspaces, id.Workspace("w"+string(rune('0'+i))))
		}
		r.Apply(at(revision, feed.Change{ServiceKey: k}))
	}
	for i, c := range []struct {
		workspaces int
		scope      account.Scope
		want       bool
	}{{0, account.ScopeFollow, false}, {1, account.ScopeFollow, true}, {8, account.ScopeFollow, true},
		{9, account.ScopeFollow, false}, {1, account.ScopeVerify, false}} {
		put(int64(10+i), c.workspaces, c.scope)
		if got := r.Bound("w0"); got != c.want {
			t.Errorf("%d workspaces and %s: %v", c.workspaces, c.scope, got)
		}
	}
	put(20, 1, account.ScopeFollow)
	r.Apply(at(21, feed.Change{ServiceKeyGone: "s"}))
	if r.Bound("w0") {
		t.Error("after the service key")
	}
}
