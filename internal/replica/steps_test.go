package replica_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/replica"
)

// disturbances are all that can befall a key while it is looked up; each leaves a lookup that had looked before it in
// the wrong.
func disturbances() map[string]func(*replica.Replica) {
	one := func(c ...feed.Change) func(*replica.Replica) {
		return func(r *replica.Replica) { r.Apply(at(2, slices.Clone(c)...)) } // many do so at once
	}
	edit := func(f func(*apikey.Key)) func(*replica.Replica) { return one(key("w", "ann", "k", f)) }
	off := workspace("w")
	off.Workspace.IsActive = false
	return map[string]func(*replica.Replica){
		"disabled":           edit(func(k *apikey.Key) { k.IsActive = false }),
		"renamed":            edit(func(k *apikey.Key) { k.Name = "another" }),
		"expiring":           edit(func(k *apikey.Key) { k.ExpiresAt = time.UnixMilli(1) }),
		"rotated":            edit(value("next")),
		"narrowed":           edit(func(k *apikey.Key) { k.Permissions = set("agents:read") }),
		"handed over":        one(member("w", "bob", "r"), key("w", "bob", "k")),
		"gone":               one(keyGone("k")),
		"creator gone":       one(memberGone("w", "ann")),
		"creator moved":      one(role("w", "other"), member("w", "ann", "other")),
		"workspace off":      one(off),
		"workspace capped":   one(capped("w")),
		"workspace gone":     one(feed.Change{WorkspaceGone: "w"}),
		"written as it was":  edit(func(*apikey.Key) {}),
		"gone and forgotten": func(r *replica.Replica) { one(keyGone("k"))(r); r.Sweep(2) },
		"gone, and its record another's": func(r *replica.Replica) {
			one(keyGone("k"))(r)
			r.Sweep(2)
			r.Apply(at(3, key("w", "ann", "another")))
		},
		"gone with its workspace, and all its numbers others'": func(r *replica.Replica) {
			one(feed.Change{WorkspaceGone: "w"})(r)
			r.Sweep(2)
			r.Apply(at(3, workspace("v"), member("v", "eve", "r"), key("v", "eve", "another")))
		},
	}
}

// A change falls between any two steps of a lookup: what was looked at before it does not stand after it.
func TestT27NoLookupStandsThatBeganBeforeAChangeAndEndsAfterIt(t *testing.T) {
	t.Parallel()
	for name, disturb := range disturbances() {
		for _, after := range []string{"look", "tell"} {
			t.Run(name+" after "+after, func(t *testing.T) {
				t.Parallel()
				r := house()
				var v replica.View
				s := r.BeginSteps()
				if !s.Look(sum("k")) {
					t.Fatal("the key could not be looked at")
				}
				if after == "tell" {
					s.Tell(sum("k"), &v)
				}
				if !s.Stands() {
					t.Fatal("without a change it does not stand")
				}
				disturb(r)
				if after == "look" {
					s.Tell(sum("k"), &v)
				}
				if s.Stands() {
					t.Error("it stands")
				}
			})
		}
	}
}

// A role is looked at once, in between: what it holds then is what is told.
func TestT27ARoleIsSeenAsItIsAtTheInstantOfTheLookup(t *testing.T) {
	t.Parallel()
	r := house()
	r.Apply(at(2, capped("w")))
	var v replica.View
	s := r.BeginSteps()
	s.Look(sum("k"))
	r.Apply(at(3, role("w", "r", "agents:read")))
	if s.Tell(sum("k"), &v); !s.Stands() || v.CreatorHolds != set("agents:read") {
		t.Errorf("it holds %v", catalogue.Names(v.CreatorHolds))
	}
}

// Texts move and numbers of chunks are given again between the first step and the second: what is told is the key's own
// text, or it is read again.
func TestT27ATextIsTheKeysOwnOrIsReadAgain(t *testing.T) {
	t.Parallel()
	r := house()
	stood, again := 0, 0
	random := rand.New(rand.NewPCG(27, 27))
	for n := int64(2); n < 2000; n++ {
		s := r.BeginSteps()
		for range random.IntN(12) { // each takes more than half a chunk
			r.Apply(
				at(
					n,
					key(
						"w", "ann", fmt.Sprint("fat ", random.IntN(8)),
						func(k *apikey.Key) { k.Metadata = long(fmt.Sprint(1000+n%1000), 8000) },
					),
				),
			)
		}
		r.Apply(at(n, key("w", "ann", "k", func(k *apikey.Key) { k.Metadata = fmt.Sprint(n) })))
		if n%5 == 0 {
			r.Sweep(n)
		}
		var v replica.View
		if !s.Look(sum("k")) {
			again++
			continue
		}
		if s.Tell(sum("k"), &v); !s.Stands() {
			again++
			continue
		}
		stood++
		if v != find(t, r, "k") {
			t.Fatalf("after %d changes it stands and tells %+v", n, v)
		}
	}
	if stood < 50 || again < 50 {
		t.Errorf("%d lookups stood, %d did not", stood, again)
	}
}

// Every order in which a load, a load that is begun anew, and changes from the feed can come.
func TestT27InEveryInterleavingOfLoadsAndChangesTheNewestHolds(t *testing.T) {
	t.Parallel()
	off := func(k *apikey.Key) { k.IsActive = false }
	load := func() [][]feed.Change {
		return [][]feed.Change{
			at(0, workspace("w")), at(0, role("w", "r", "calls:read")), at(0, member("w", "ann", "r")),
			at(0, key("w", "ann", "k")),
		}
	}
	endings := map[string][][]feed.Change{
		"revoked": {at(1, key("w", "ann", "k", value("other"))), at(2, key("w", "ann", "k", off))},
		"gone":    {at(1, key("w", "ann", "k", off)), at(2, keyGone("k"))},
		"left":    {at(1, member("w", "ann", "other")), at(2, memberGone("w", "ann"))},
		"closed":  {at(1, workspace("w")), at(2, feed.Change{WorkspaceGone: id.Workspace("w")})},
	}
	for name, changes := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 0
			interleave(nil, [][][]feed.Change{load(), load()[2:], changes}, func(order [][]feed.Change) {
				n++
				r := replica.New()
				for _, c := range order {
					r.Apply(c)
				}
				var v replica.View
				if found := r.Lookup(sum("k"), &v); found && v.IsActive && v.CreatorPresent && v.WorkspaceActive ||
					r.Revision() != 2 {
					t.Fatalf("order %d: %+v at revision %d", n, v, r.Revision())
				}
			})
			if n != 8*7/2*15 { // (4+2+2)! / (4! 2! 2!)
				t.Errorf("%d orders", n)
			}
		})
	}
}

// interleave calls f with every order of the steps that keeps the order within each row.
func interleave[T any](done []T, rows [][]T, f func([]T)) {
	ended := true
	for i, row := range rows {
		if len(row) == 0 {
			continue
		}
		ended = false
		rest := append([][]T(nil), rows...)
		rest[i] = row[1:]
		interleave(append(done[:len(done):len(done)], row[0]), rest, f)
	}
	if ended {
		f(done)
	}
}

// A key that is changed without end, or looked up without end, is nobody else's trouble: no lookup of another is in the
// wrong for it.
func TestT42AChangeToOneKeyLeavesLookupsOfOthersStanding(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"disabled", "renamed", "expiring", "rotated", "narrowed", "gone"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := house()
			r.Apply(at(1, key("w", "ann", "other")))
			s := r.BeginSteps()
			if !s.Look(sum("other")) {
				t.Fatal("the other key could not be looked at")
			}
			disturbances()[name](r)
			if !s.Stands() {
				t.Error("a lookup of another key has to begin anew")
			}
		})
	}
}
