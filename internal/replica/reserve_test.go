package replica_test

import (
	"fmt"
	"testing"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/replica"
)

// A copy that has room for its keys grows no table while they come, and one that has too little grows as ever.
func TestTablesThatAreReservedDoNotGrow(t *testing.T) {
	t.Parallel()
	const keys = 50_000
	fill := func(r *replica.Replica) {
		r.Apply(at(0, workspace("w"), role("w", "r"), member("w", "ann", "r")))
		for i := range keys {
			r.Apply(at(0, key("w", "ann", fmt.Sprint("key ", i))))
		}
		for i := 0; i < keys; i += 100 {
			if !finds(r, fmt.Sprint("key ", i)) {
				t.Fatalf("key %d is not found", i)
			}
		}
		if r.Size() != keys {
			t.Errorf("%d keys", r.Size())
		}
	}
	for _, about := range []int64{keys + keys/10, keys / 10, 0, -1} {
		r := replica.New()
		r.Reserve(about)
		before := r.Memory()
		fill(r)
		after := r.Memory()
		if reserved := before.Tables == after.Tables && before.Hints == after.Hints; reserved != (about > keys) {
			t.Errorf("room for %d keys: %+v, and filled %+v", about, before, after)
		}
		held := r.Memory()
		if r.Reserve(about); r.Memory() != held {
			t.Errorf("room for %d keys that are there: %+v, %+v", about, held, r.Memory())
		}
	}
}

func TestTheSizeWithinAReachCountsTheKeysOfItsWorkspacesOnce(t *testing.T) {
	t.Parallel()
	r := replica.New()
	for _, w := range []string{"v", "w"} {
		ws := id.Workspace(w)
		r.Apply(at(1, workspace(ws), role(ws, id.Role("r"+w)), member(ws, "ann", id.Role("r"+w)), key(ws, "ann", "k"+w)))
	}
	r.Apply(at(2, key("w", "ann", "another")))
	in := func(w ...id.Workspace) account.Reach { return account.Reach{Workspaces: w} }
	live := in("w")
	live.Environments = []keyfmt.Environment{keyfmt.Live}
	for _, one := range []struct {
		reach account.Reach
		want  int64
	}{{account.Reach{}, 3}, {in(), 3}, {in("w"), 2}, {in("w", "w", "v"), 3}, {in("x"), 0}, {live, 0}} {
		if got := r.SizeWithin(&one.reach); got != one.want {
			t.Errorf("%+v: %d keys, want %d", one.reach, got, one.want)
		}
	}
}
