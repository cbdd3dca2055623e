package control_test

import (
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/verdict"
)

// TestRefusalsOfTheInstallationAreOfEveryWorkspaceAndForItsOperatorsAlone: written ones and waiting ones, the newest
// first, and none for a person or for a key that is bound.
func TestRefusalsOfTheInstallationAreOfEveryWorkspaceAndForItsOperatorsAlone(t *testing.T) {
	t.Parallel()
	w := &refusing{}
	k := newKit(t, t.TempDir(), func(c *control.Config) { c.Recent = w })
	t.Cleanup(func() { must(t, k.db.Close()) })
	one, other := k.found(t), k.found(t)
	first, second := k.key(t, one, "owner"), k.key(t, other, "owner")
	now := time.Now()
	must(t, k.db.Count(t.Context(), func(c *store.Counting) error {
		return c.AddRefusals(
			first.Key.ID,
			[]store.Refusal{{Key: first.Key.ID, Workspace: id.Workspace(one), At: now.Add(-time.Minute),
				Code: string(verdict.Disabled), Why: "written"}},
		)
	}))
	w.all = []store.Refusal{
		{Key: second.Key.ID, Workspace: id.Workspace(other), At: now, Code: string(verdict.Expired), Why: "waits"},
	}
	all, err := k.Refusals(t.Context(), k.root, 0)
	must(t, err)
	if len(all) != 2 || all[0].Why != "waits" || all[0].Workspace != id.Workspace(other) || all[1].Why != "written" ||
		all[1].KeyName != "key" {
		t.Errorf("refusals: %+v", all)
	}
	if latest, err := k.Refusals(t.Context(), k.root, 1); err != nil || len(latest) != 1 || latest[0].Why != "waits" {
		t.Errorf("the latest: %+v %v", latest, err)
	}
	bound, err := k.CreateServiceKey(
		t.Context(), k.root,
		control.CreateServiceKey{Name: "bound", Scopes: []string{"manage"}, Workspaces: control.Some([]string{one})},
	)
	must(t, err)
	for name, c := range map[string]control.Caller{"an owner": person(one, "owner"),
		"a bound key": {ServiceKey: bound.ServiceKey.ID, Presented: bound.ServiceKey.Digest.Sum}} {
		if _, err := k.Refusals(t.Context(), c, 0); codeOf(err) != "permission_denied" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// refusing knows refusals that wait.
type refusing struct {
	waiting
	all []store.Refusal
}

func (r *refusing) RefusalsIn(ws id.Workspace) []store.Refusal {
	if ws != "" {
		return nil
	}
	return r.all
}
