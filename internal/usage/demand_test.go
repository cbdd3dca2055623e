package usage_test

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/keyward/keyward/internal/usage"
)

// TestDemandsAreToldApart: uses of one key in one minute are counted by demand, whatever the order, and together as the
// key's. A key that is asked with too many demands is counted all the same.
func TestDemandsAreToldApart(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(15, 35))
	_, ws := place(0)
	for _, most := range []int{1, 3, 31, 32, 200} {
		s := usage.NewBuffer(1 << 16)
		want, total, unnoted := map[usage.Demand]int64{}, int64(0), int64(0)
		for range 2000 {
			d := usage.Demand(r.IntN(most + 1))
			if s.Add(key(1), ws, usage.Verified, d, noon+int64(r.IntN(60_000))) {
				want[d]++
			} else {
				unnoted++
			}
			total++
			s.Add(key(2), ws, disabled, d, noon) // a neighbour, never verified
		}
		if most < 32 && unnoted > 0 || most == 200 && unnoted == 0 {
			t.Errorf("%d demands: %d uses are counted without one", most, unnoted)
		}
		want[0] += unnoted
		whole := series(t, noon, noon+60_000, func(x *usage.Series) { s.Key(key(1), x) }).Total()
		if whole.Total() != total {
			t.Errorf("%d demands: the key has %d uses, want %d", most, whole.Total(), total)
		}
		s.Demands(key(2), func(d usage.Demand, _ int64) { t.Errorf("%d demands: %d was verified of a refused key", most, d) })
		seen := map[usage.Demand]bool{}
		s.Demands(key(1), func(d usage.Demand, _ int64) { seen[d] = true })
		got := map[usage.Demand]int64{}
		for _, e := range drain(s) {
			if e.Key == key(1) {
				got[e.Demand] += e.Counts[usage.Verified]
			}
		}
		for d, n := range want {
			if got[d] != n || d != 0 && !seen[d] {
				t.Errorf("%d demands: number %d has %d uses, seen %t, want %d", most, d, got[d], seen[d], n)
			}
		}
		s.Demands(key(1), func(d usage.Demand, _ int64) { t.Errorf("%d demands: %d waits after it was written", most, d) })
	}
}

// TestKeylessOutcomesKeepTheirPlace: a cell has room for the outcomes of a key or for those without one, never mixed.
func TestKeylessOutcomesKeepTheirPlace(t *testing.T) {
	t.Parallel()
	s := usage.NewBuffer(1 << 10)
	_, ws := place(0)
	for code := range usage.NotFound {
		for range code + 1 {
			s.Add(key(1), ws, code, 0, noon)
		}
	}
	for range 5 {
		s.AddUnknown(usage.NotFound, noon)
	}
	for range 7 {
		s.AddUnknown(usage.Malformed, noon)
	}
	var got usage.Counts
	for _, e := range drain(s) {
		got.Add(&e.Counts)
	}
	want := usage.Counts{usage.NotFound: 5, usage.Malformed: 7}
	for code := range usage.NotFound {
		want[code] = int64(code) + 1
	}
	if got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
	if size := unsafe.Sizeof(usage.Cell{}); size != 64 {
		t.Errorf("a cell has %d bytes, want one line of the cache", size)
	}
}
