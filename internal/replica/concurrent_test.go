package replica_test

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/replica"
)

const readers = 4

// whileReading runs write, and read over and over in several goroutines until it is done.
func whileReading(t *testing.T, read func(reader int) error, write func()) {
	t.Helper()
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range readers {
		wg.Go(func() {
			for {
				if err := read(i); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	write()
	close(done)
	wg.Wait()
}

func TestReadersNeverMissAKeyWhileOthersComeAndGo(t *testing.T) {
	t.Parallel()
	r := house()
	whileReading(t, func(int) error {
		if !finds(r, "k") {
			return fmt.Errorf("a key that nobody changes was not found")
		}
		return nil
	}, func() {
		revision := int64(1)
		for round := range 4 {
			for i := range 2000 {
				revision++
				r.Apply(at(revision, key("w", "ann", fmt.Sprint(round, "/", i))))
			}
			for i := range 2000 {
				revision++
				r.Apply(at(revision, keyGone(fmt.Sprint(round, "/", i))))
			}
			r.Sweep(revision)
		}
	})
	if r.Size() != 1 {
		t.Errorf("%d keys are left", r.Size())
	}
}

func TestReadersSeeAKeyGrowOlderAndNeverInPieces(t *testing.T) {
	t.Parallel()
	r := house()
	numbered := func(n int64) feed.Change {
		return key("w", "ann", "k", func(k *apikey.Key) {
			k.Name, k.Metadata, k.ExpiresAt = fmt.Sprint(n), fmt.Sprint(n), time.UnixMilli(n)
		})
	}
	r.Apply(at(2, numbered(2)))
	var seen [readers]int64
	whileReading(t, func(reader int) error {
		var v replica.View
		r.Lookup(sum("k"), &v)
		n, err := strconv.ParseInt(v.Name, 10, 64)
		switch {
		case err != nil:
			return fmt.Errorf("the key has the name %q", v.Name)
		case v.Metadata != v.Name || v.ExpiresAt != n:
			return fmt.Errorf("name %s, metadata %s, expiry %d are of different revisions", v.Name, v.Metadata, v.ExpiresAt)
		case n < seen[reader]:
			return fmt.Errorf("revision %d came after %d", n, seen[reader])
		}
		seen[reader] = n
		return nil
	}, func() {
		for n := int64(3); n < 20_000; n++ {
			r.Apply(at(n, numbered(n)))
		}
	})
}

func TestAKeyThatIsHandedOverAlwaysHasACreatorWhoIsPresent(t *testing.T) {
	t.Parallel()
	r := house()
	r.Apply(at(2, member("w", "bob", "r")))
	whileReading(t, func(int) error {
		var v replica.View
		if !r.Lookup(sum("k"), &v) || !v.CreatorPresent {
			return fmt.Errorf("the key of %s was seen without its creator", v.User)
		}
		return nil
	}, func() {
		from, to := id.User("ann"), id.User("bob")
		for n := int64(3); n < 20_000; n += 2 {
			r.Apply(at(n, memberGone("w", from), key("w", to, "k")))
			r.Apply(at(n+1, member("w", from, "r")))
			from, to = to, from
		}
	})
}

func TestACreatorIsNeverSeenWithTheLaterPermissionsOfARoleTheyHadBefore(t *testing.T) {
	t.Parallel()
	r := house()
	r.Apply(
		at(2, capped("w"), role("w", "low", "calls:read"), role("w", "high", "calls:read"), member("w", "ann", "high")),
	)
	whileReading(t, func(int) error {
		var v replica.View
		if r.Lookup(sum("k"), &v); v.CreatorHolds != set("calls:read") {
			return fmt.Errorf("the creator was seen with %v", catalogue.Names(v.CreatorHolds))
		}
		return nil
	}, func() {
		for n := int64(3); n < 20_000; n += 4 {
			r.Apply(at(n, member("w", "ann", "low")))
			r.Apply(at(n+1, role("w", "high", "calls:read", "calls:write")))
			r.Apply(at(n+2, role("w", "high", "calls:read")))
			r.Apply(at(n+3, member("w", "ann", "high")))
		}
	})
}

// Without an overlap a key has one value at every instant: a reader that misses one knows that the next has come.
func TestARotationLeavesNoInstantWithoutAValueAndNoneWithTwo(t *testing.T) {
	t.Parallel()
	r := house()
	var begun atomic.Int64
	word := func(n int64) string { return fmt.Sprint("value ", n) }
	r.Apply(at(2, key("w", "ann", "k", value(word(0)))))
	var current [readers]int64
	whileReading(t, func(reader int) error {
		n := current[reader]
		if finds(r, word(n)) {
			if n > 0 && finds(r, word(n-1)) {
				return fmt.Errorf("value %d was found after value %d", n-1, n)
			}
			return nil
		}
		if begun.Load() == n {
			return fmt.Errorf("value %d was not found, and the next had not come", n)
		}
		current[reader]++
		return nil
	}, func() {
		for n := int64(1); n < 20_000; n++ {
			begun.Store(n)
			r.Apply(at(n+2, key("w", "ann", "k", value(word(n)))))
		}
	})
}
