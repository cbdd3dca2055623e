// Package limittest owns the duties of every limiter, as one suite, and the tools to judge one: a clock that is moved
// by hand, a ledger in memory, the checker of windows. It does not own the specifics of one limiter: its memory, its
// restart, its wire.
package limittest

import (
	"fmt"
	"slices"
	"time"
)

// Minute is the interval in which a limit per minute holds, wherever it begins.
const Minute = time.Minute

// Admission is something that was let through.
type Admission struct {
	At   time.Duration
	Cost int64
}

// Most is the largest sum of costs in any interval of the length, the first instant included and the last not, and
// where that interval begins. The order of the history does not matter.
func Most(history []Admission, length time.Duration) (most int64, from time.Duration) {
	h := slices.Clone(history)
	slices.SortFunc(h, func(a, b Admission) int { return int(a.At - b.At) })
	var sum int64
	first := 0
	for _, a := range h {
		sum += a.Cost
		for h[first].At <= a.At-length {
			sum -= h[first].Cost
			first++
		}
		if sum > most {
			most, from = sum, h[first].At
		}
	}
	return most, from
}

// Check returns an error if more than limit was admitted in some minute.
func Check(history []Admission, limit int64) error {
	if most, from := Most(history, Minute); most > limit {
		return fmt.Errorf("%d were admitted in the minute from %v on, and the limit is %d", most, from, limit)
	}
	return nil
}

// Witness judges decisions one by one as they fall, each no earlier than the one before.
type Witness struct {
	Slack   time.Duration // by how much longer than a minute an admission may count; not to be changed
	history []Admission
	sure    tail // what counts
	perhaps tail // and what may
}

// tail is the end of a history: the admissions younger than some age.
type tail struct {
	from int
	sum  int64
}

func (t *tail) age(h []Admission, at, age time.Duration) {
	for t.from < len(h) && at-h[t.from].At >= age {
		t.sum -= h[t.from].Cost
		t.from++
	}
}

// Saw records a decision under a limit, and returns an error for a wrong one: an admission too many, or a refusal of
// a legal request.
func (w *Witness) Saw(at time.Duration, limit, cost int64, admitted bool) error {
	w.sure.age(w.history, at, Minute)
	w.perhaps.age(w.history, at, Minute+w.Slack)
	used, perhaps, need := w.sure.sum, w.perhaps.sum, max(cost, 1)
	if !admitted {
		if perhaps+need <= limit {
			return fmt.Errorf("at %v %d more were refused, %d were in use, and the limit is %d", at, need, perhaps, limit)
		}
		return nil
	}
	if cost > 0 {
		w.history = append(w.history, Admission{at, cost})
		w.sure.sum += cost
		w.perhaps.sum += cost
	}
	if used+need > limit {
		return fmt.Errorf("at %v %d more were admitted, %d were in use, and the limit is %d", at, need, used, limit)
	}
	return nil
}

// History is all that was admitted.
func (w *Witness) History() []Admission { return w.history }
