package replica_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/replica"
)

// follow looks a text up in the way that remembers.
func follow(r *replica.Replica, text string, v *replica.View) (found, hinted bool) {
	t := r.Begin(text)
	_, hinted = r.Prefetch(&t)
	return r.Find(&t, sum(text), v), hinted
}

func TestATextThatWasFoundLeadsToItsRecordAndStateBeforeItsDigestIsKnown(t *testing.T) {
	t.Parallel()
	r := house()
	var v replica.View
	if found, hinted := follow(r, "k", &v); !found || hinted {
		t.Fatalf("at first: found %v, hinted %v", found, hinted)
	}
	trace := r.Begin("k")
	if place, ok := r.Prefetch(&trace); !ok || place != ratelimit.SlotOf(uuid("k")) {
		t.Errorf("it leads to the state at %x, %v", place, ok)
	}
	if !r.Find(&trace, sum("k"), &v) || v != find(t, r, "k") {
		t.Errorf("what it leads to is another key: %+v", v)
	}
}

func TestATextThatIsNobodysLeavesNoHint(t *testing.T) {
	t.Parallel()
	r := house()
	v := find(t, r, "k")
	for range 3 {
		if found, hinted := follow(r, "nobody's", &v); found || hinted || v != (replica.View{}) {
			t.Fatalf("found %v, hinted %v, %+v", found, hinted, v)
		}
	}
}

// With any hint, the answer is that of the digest.
func TestAWrongHintChangesNoAnswer(t *testing.T) {
	t.Parallel()
	r := house()
	r.Apply(at(2, key("w", "ann", "other")))
	var v replica.View
	follow(r, "k", &v)
	trace := func() *replica.Trace {
		t.Helper()
		tr := r.Begin("k")
		if _, ok := r.Prefetch(&tr); !ok {
			t.Fatal("there is no hint to be wrong")
		}
		return &tr
	}
	if !r.Find(trace(), sum("other"), &v) || v != find(t, r, "other") {
		t.Errorf("another key's digest leads to %+v", v)
	}
	if r.Find(trace(), sum("nobody's"), &v) || v != (replica.View{}) {
		t.Errorf("nobody's digest leads to %+v", v)
	}
	late := trace()
	r.Apply(at(3, keyGone("k"), keyGone("other")))
	if r.Find(late, sum("k"), &v) || v != (replica.View{}) {
		t.Errorf("the digest of a key that is gone leads to %+v", v)
	}
}

// TestLookingUpWithHintsIsLookingUp has keys come, change their values, go, and take each other's records and values.
func TestLookingUpWithHintsIsLookingUp(t *testing.T) {
	t.Parallel()
	r := house()
	dice := rand.New(rand.NewPCG(1, 2))
	const words, names = 300, 200
	revision, hits, traced := int64(1), 0, 0
	owner := map[string]string{} // of values
	old := make([]replica.Trace, words)
	for i := range old {
		old[i] = r.Begin(fmt.Sprint("value ", i))
	}
	for range 6000 {
		revision++
		name, word := fmt.Sprint("name ", dice.IntN(names)), fmt.Sprint("value ", dice.IntN(words))
		switch dice.IntN(4) {
		case 0:
			r.Apply(at(revision, keyGone(name)))
			for w, n := range owner {
				if n == name {
					delete(owner, w)
				}
			}
		case 1:
			r.Sweep(revision - int64(dice.IntN(3)))
		default:
			if n, taken := owner[word]; taken && n != name {
				break
			}
			for w, n := range owner {
				if n == name {
					delete(owner, w)
				}
			}
			owner[word] = name
			r.Apply(at(revision, key("w", "ann", name, value(word), previous("earlier "+name, time.UnixMilli(revision)))))
		}
		for range 4 {
			i := dice.IntN(words)
			text := fmt.Sprint("value ", i)
			if dice.IntN(5) == 0 {
				text = fmt.Sprint("earlier name ", dice.IntN(names))
			}
			var want, got replica.View
			found := r.Lookup(sum(text), &want)
			ok, hinted := follow(r, text, &got)
			if ok != found || got != want {
				t.Fatalf("%s: found %v, want %v: %s", text, ok, found, diff(want, got))
			}
			if hinted && ok {
				hits++
			}
			// One that began long ago, when the text led elsewhere, and may end in a set that is not in use any more.
			text = fmt.Sprint("value ", i)
			found = r.Lookup(sum(text), &want)
			if tr := old[i]; r.Find(&tr, sum(text), &got) != found || got != want {
				t.Fatalf("%s, traced long ago: %s", text, diff(want, got))
			}
			old[i] = r.Begin(text)
			if _, ok := r.Prefetch(&old[i]); ok {
				traced++
			}
		}
	}
	if hits < 1000 || traced < 1000 {
		t.Errorf("only %d and %d were led by a hint", hits, traced)
	}
}

// Nine of ten keys keep their hints where all are in use, also when the keys have become more.
func TestHintsHaveRoomForMostKeys(t *testing.T) {
	t.Parallel()
	r := house()
	var v replica.View
	revision := int64(1)
	for n := range 5000 {
		revision++
		r.Apply(at(revision, key("w", "ann", fmt.Sprint(n))))
		if n%500 != 499 {
			continue
		}
		for range 2 {
			for i := range n {
				follow(r, fmt.Sprint(i), &v)
			}
		}
		hits := 0
		for i := range n {
			if _, hinted := follow(r, fmt.Sprint(i), &v); hinted {
				hits++
			}
		}
		if hits < n*85/100 {
			t.Errorf("%d of %d keys have a hint", hits, n)
		}
	}
	if m := r.Memory(); m.Hints > 16*5000 {
		t.Errorf("%d bytes of hints for 5000 keys", m.Hints)
	}
}

// A record that is given to another key meanwhile is not taken for the one that the hint meant.
func TestReadersWithHintsNeverTakeOneKeyForAnother(t *testing.T) {
	t.Parallel()
	r := house()
	const keys = 40
	var texts [keys]string
	for i := range texts {
		texts[i] = fmt.Sprint("value ", i)
	}
	whileReading(t, func(int) error {
		for i, text := range texts {
			var v replica.View
			if found, _ := follow(r, text, &v); found && v.User != id.User(fmt.Sprint("user ", i)) {
				return fmt.Errorf("value %d led to the key of %q", i, v.User)
			}
			if found, _ := follow(r, "k", &v); !found {
				return fmt.Errorf("a key that nobody changes was not found")
			}
		}
		return nil
	}, func() {
		revision := int64(1)
		for round := range 60 {
			for i, text := range texts {
				revision++
				user := id.User(fmt.Sprint("user ", i))
				r.Apply(at(revision, key("w", user, fmt.Sprint(round, "/", i), value(text))))
			}
			for i := range texts {
				revision++
				r.Apply(at(revision, keyGone(fmt.Sprint(round, "/", (i*7+round)%keys))))
			}
			r.Sweep(revision)
		}
	})
}

// Not parallel: allocations of other tests would count.
func TestT29FollowingAllocatesNothing(t *testing.T) {
	r := house()
	var v replica.View
	for _, word := range []string{"k", "nobody's"} {
		d := sum(word)
		if n := testing.AllocsPerRun(1000, func() {
			tr := r.Begin(word)
			r.Prefetch(&tr)
			r.Find(&tr, d, &v)
		}); n != 0 {
			t.Errorf("following %q allocates %v times", word, n)
		}
	}
}
