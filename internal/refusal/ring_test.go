package refusal_test

import (
	"encoding/binary"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/refusal"
	"github.com/keyward/keyward/internal/verdict"
)

// key is the n-th key of a workspace.
func key(ws, n int) (k [16]byte) {
	binary.LittleEndian.PutUint64(k[:8], uint64(ws))
	binary.LittleEndian.PutUint64(k[8:], uint64(ws*1_000_003+n)*0x9e3779b97f4a7c15)
	return k
}

func record(ws, n int, at int64) refusal.Record {
	return refusal.Record{Key: key(ws, n), Workspace: id.Workspace(strconv.Itoa(ws)), At: at, Code: verdict.Expired}
}

func times(records []refusal.Record) (out []int64) {
	for _, r := range records {
		out = append(out, r.At)
	}
	slices.Sort(out)
	return out
}

func TestOfEachKeyTheLatestAreKept(t *testing.T) {
	t.Parallel()
	r := refusal.NewRing()
	for i := range int64(1000) {
		r.Add(record(1, 1, i))
	}
	got := times(r.Of(key(1, 1)))
	if len(got) != refusal.RingOfKey || got[0] != 1000-refusal.RingOfKey || got[len(got)-1] != 999 {
		t.Errorf("%d records from %d to %d", len(got), got[0], got[len(got)-1])
	}
	if one := r.Of(key(1, 2)); len(one) > 0 {
		t.Errorf("another key has %v", one)
	}
}

// T105: however many keys of one workspace are refused however often, the refusals of other workspaces have room, each
// up to its share.
func TestT105AFloodInOneWorkspaceLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	r := refusal.NewRing()
	for _, mine := range []int{1, 3} { // before the flood, and after it
		for i := range int64(refusal.RingOfKey) {
			r.Add(record(mine, 1, i))
		}
		for n := range 2000 {
			for i := range int64(refusal.RingOfKey) {
				r.Add(record(2, n, i))
			}
		}
	}
	if n := r.Waiting(); n > refusal.RingSize {
		t.Errorf("%d records", n)
	}
	for _, mine := range []int{1, 3} {
		if got := len(r.Of(key(mine, 1))); got != refusal.RingOfKey {
			t.Errorf("of workspace %d %d records are left", mine, got)
		}
	}
	if n := len(r.In("2")); n == 0 || n > refusal.RingSize/2 {
		t.Errorf("the flood holds %d records", n)
	}
}

func TestTheRingNeverHoldsMoreThanItsSize(t *testing.T) {
	t.Parallel()
	r := refusal.NewRing()
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for ws := range 20_000 {
				r.Add(record(g*100_000+ws, 1, 1))
			}
		})
	}
	all.Wait()
	if n := r.Waiting(); n > refusal.RingSize {
		t.Errorf("%d records", n)
	}
	if r.Lost() == 0 {
		t.Error("nothing is told as lost")
	}
}

// What is taken is there until it is settled, is taken again where it is not, and what comes meanwhile waits for the
// next turn.
func TestWhatIsTakenStaysUntilItIsSettled(t *testing.T) {
	t.Parallel()
	r := refusal.NewRing()
	for n := range 50 {
		for i := range int64(10) {
			r.Add(record(1, n, i))
		}
	}
	r.Turn()
	first := r.Take(100)
	if count(first) < 100 || count(first) >= 110 || len(r.In("1")) != 500 {
		t.Fatalf("%d were taken, %d are there", count(first), len(r.In("1")))
	}
	r.Add(record(1, 0, 99)) // while the batch is being written
	r.Turn()                // of which the write failed
	total := 0
	for batch := r.Take(100); len(batch) > 0; batch = r.Take(100) {
		for _, records := range batch {
			if got := times(records); !slices.IsSorted(got) || slices.Contains(got, 99) {
				t.Errorf("a later one was taken: %v", got)
			}
		}
		total += count(batch)
		r.Settle(batch)
	}
	if total != 500 || r.Waiting() != 1 || len(r.Of(key(1, 0))) != 1 {
		t.Errorf("%d were settled, %d wait", total, r.Waiting())
	}
}

func count(batch [][]refusal.Record) (n int) {
	for _, records := range batch {
		n += len(records)
	}
	return n
}

func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct {
		name string
		keys int
	}{{"one key", 1}, {"a thousand keys", 1000}} {
		b.Run(c.name, func(b *testing.B) {
			r := refusal.NewRing()
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				r.Add(record(1, n%c.keys, int64(n)))
				n++
			}
		})
	}
}
