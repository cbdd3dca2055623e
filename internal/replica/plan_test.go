package replica_test

import (
	"testing"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
)

func TestAKeyKnowsItsWorkspacesPlan(t *testing.T) {
	t.Parallel()
	const ws = id.Workspace("019a5c3e-7b10-7a44-9c1d-2f6b8e0d4a11")
	planned := func(l ratelimit.Limits) feed.Change {
		return feed.Change{Workspace: &account.Workspace{ID: ws, IsActive: true, Plan: account.Plan{Shared: l}}}
	}
	r := house()
	r.Apply(at(1, workspace(ws), role(ws, "r"), member(ws, "ann", "r"), key(ws, "ann", "planned")))
	uuid, _ := id.Parse(string(ws))
	for i, l := range []ratelimit.Limits{{}, {PerMinute: 5}, {PerMinute: 5, PerDay: 7}, {PerDay: 1}, {},
		{PerMinute: ratelimit.Max}} {
		r.Apply(at(int64(i+2), planned(l)))
		v := find(t, r, "planned")
		switch {
		case l == ratelimit.Limits{}:
			if v.Plan != nil {
				t.Errorf("without a plan: %+v", *v.Plan)
			}
		case v.Plan == nil || *v.Plan != ratelimit.Plan{ID: uuid, Limits: l}:
			t.Errorf("want %+v, got %+v", l, v.Plan)
		}
	}
}
