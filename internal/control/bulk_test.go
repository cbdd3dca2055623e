package control_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// Items of a bulk operation stand for themselves, whichever of them are refused: the good ones are done once, each with
// one event, the others leave nothing, and both are told in the order of the items.
func TestItemsStandAloneWhicheverAreRefused(t *testing.T) {
	t.Parallel()
	k, ws := inWorkspace(t)
	ctx := context.Background()
	total := 0
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		items := make([]control.ImportKey, 1+r.IntN(40))
		var good, bad []int
		for i := range items {
			items[i].Generate = true
			items[i].CreateKey = control.CreateKey{User: "owner", Name: fmt.Sprintf("seed %d item %d", seed, i)}
			if r.IntN(3) == 0 {
				items[i].User = "nobody"
				bad = append(bad, i)
			} else {
				good = append(good, i)
			}
		}
		done, failed, err := k.ImportKeys(ctx, k.root, ws, items)
		must(t, err)
		var gotGood, gotBad []int
		for _, d := range done {
			gotGood = append(gotGood, d.Index)
			key, err := k.GetKey(ctx, k.root, string(d.ID))
			must(t, err)
			if key.Name != items[d.Index].Name {
				t.Errorf("seed %d: item %d became %q", seed, d.Index, key.Name)
			}
		}
		for _, f := range failed {
			if gotBad = append(gotBad, f.Index); f.Fault.Code != fault.NotFound {
				t.Errorf("seed %d: item %d: %v", seed, f.Index, f.Fault)
			}
		}
		if d := cmp.Diff([][]int{good, bad}, [][]int{gotGood, gotBad}); d != "" {
			t.Errorf("seed %d: %s", seed, d)
		}
		total += len(good)
		logs, err := k.ListLogs(ctx, k.root, control.ListLogs{Workspace: ws, EventType: "api_key.created", Limit: 1})
		must(t, err)
		if logs.Total != int64(total) {
			t.Fatalf("seed %d: %d events for %d keys", seed, logs.Total, total)
		}
	}
}
