package lease

import (
	"testing"

	"pgregory.net/rapid"
)

// A node's knowledge of its own admissions is compared with a list of them: also if a debt is put back, because Redis
// did not take it, after other requests were admitted.
func TestWhatANodeAdmittedAndOwesIsKnownWhateverFailsT88(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type entry struct{ second, units, owed int64 }
		var (
			r    recent
			list []entry
			now  int64 = 1000
		)
		sums := func() (units, owed int64) {
			for _, e := range list {
				if now-e.second < window {
					units, owed = units+e.units, owed+e.owed
				}
			}
			return units, owed
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += rapid.SampledFrom([]int64{0, 0, 1, 1, 2, 30, 59, 60, 61, 62, 200}).Draw(t, "pass")
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				e := entry{second: now, units: rapid.Int64Range(1, 9).Draw(t, "units")}
				if rapid.Bool().Draw(t, "alone") {
					e.owed = e.units
				}
				r.add(e.second, e.units, e.owed)
				list = append(list, e)
			case 1: // a debt that is paid
				_, want := sums()
				if got := total(r.owing(now)); got != want {
					t.Fatalf("%d are owed, want %d", got, want)
				}
				for i := range list {
					list[i].owed = 0
				}
			case 2: // Redis does not take the debt, and something is admitted meanwhile
				Question, owed := now, r.owing(now)
				now += rapid.SampledFrom([]int64{0, 1, 2, 61}).Draw(t, "unanswered")
				e := entry{second: now, units: 7, owed: 7}
				r.add(e.second, e.units, e.owed)
				list = append(list, e)
				for _, o := range owed {
					r.add(Question-o.Ago, 0, o.Units)
				}
			}
			units, owed := sums()
			if got := r.sum(now); got != units {
				t.Fatalf("of %d admitted in the last minute %d are known", units, got)
			}
			if got := total(copied(r).owing(now)); got != owed {
				t.Fatalf("of %d that are owed %d are known", owed, got)
			}
		}
	})
}

func copied(r recent) *recent { return &r }

func total(all []Owing) (n int64) {
	for _, o := range all {
		n += o.Units
	}
	return n
}
