package verify_test

import (
	"testing"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/verify"
)

// reaches lists the possible demands and bounds in a world of two workspaces.
func reaches() []account.Reach {
	var out []account.Reach
	for _, ws := range [][]id.Workspace{nil, {"w"}, {"w2"}, {"w2", "w"}, {}} {
		for _, env := range [][]keyfmt.Environment{nil, {keyfmt.Live}, {keyfmt.Test}, {keyfmt.Test, keyfmt.Live}, {}} {
			out = append(out, account.Reach{Workspaces: ws, Environments: env})
		}
	}
	return out
}

func has[T comparable](list []T, one T) bool {
	for _, other := range list {
		if other == one {
			return true
		}
	}
	return list == nil
}

// T107: every key, in any state, against every demand and every bound: outside one of them the answer is the answer
// to an unknown key, whole; within both it is the answer without them.
func TestT107AKeyOutsideADemandOrABoundIsNotFoundAndNothingMoreIsTold(t *testing.T) {
	t.Parallel()
	states := map[string]func(*apikey.Key){
		"good": func(*apikey.Key) {}, "disabled": inactive, "expired": expiring(noon),
		"bound to a network":  networks("10.0.0.0/8"),
		"without permissions": func(k *apikey.Key) { k.Permissions = perm.Set{} },
	}
	for name, state := range states {
		for _, ws := range []id.Workspace{"w", "w2"} {
			for _, env := range []keyfmt.Environment{keyfmt.Live, keyfmt.Test} {
				b := newBench(t)
				b.apply(feed.Change{Workspace: &account.Workspace{ID: "w2", IsActive: true}},
					feed.Change{Role: &account.Role{ID: "r2", Workspace: "w2", Permissions: set("calls:read")}},
					feed.Change{Member: &account.Member{Workspace: "w2", User: "ann", Role: "r2"}})
				value := b.key(state, func(k *apikey.Key) { k.Workspace, k.Environment = ws, env })
				ask := verify.Question{Key: value, Demand: all("calls:read"), Cost: 1}
				plain, unknown := b.check(ask), verify.Verdict{Code: verify.NotFound}
				for _, where := range reaches() {
					for _, within := range reaches() {
						ask.Where, ask.Within = where, &within
						want := unknown
						if has(where.Workspaces, ws) && has(where.Environments, env) && has(within.Workspaces, ws) &&
							has(within.Environments, env) {
							want = plain
						}
						got := b.check(ask)
						if got != want {
							t.Fatalf("%s in %s, %s: demand %v, bound %v: %+v, want %+v", name, ws, env, where, within, got, want)
						}
						var foreseen verify.Verdict
						b.engine.Simulate(b.digester.Current(value), ask, &foreseen)
						if foreseen != want {
							t.Fatalf(
								"%s in %s, %s: demand %v, bound %v: foreseen %+v, want %+v", name, ws, env, where, within, foreseen, want,
							)
						}
					}
				}
			}
		}
	}
}

func TestADemandForAWorkspaceCostsNoAllocation(t *testing.T) {
	b := newBench(t)
	q := verify.Question{
		Key:   b.key(),
		Where: account.Reach{Workspaces: []id.Workspace{"w2", "w"}, Environments: []keyfmt.Environment{keyfmt.Live}},
	}
	var v verify.Verdict
	if n := testing.AllocsPerRun(100, func() { b.engine.Check(&q, &v) }); n != 0 || v.Code != verify.Valid {
		t.Errorf("%v allocations, %s", n, v.Code)
	}
}
