package ratelimit_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/limittest"
)

// A caller may read the clock, be held up, and be overtaken: then its time has passed, and units that counted then
// may be forgotten.
func TestAQuestionThatWasOvertakenIsDecidedAtTheLaterTimeT36(t *testing.T) {
	t.Parallel()
	clock := limittest.NewClock()
	l := local(t, clock, nil)
	who, limits := limittest.Someone(), ratelimit.Limits{PerMinute: 2}
	var s ratelimit.Status
	ask := func(at time.Duration, cost int64) ratelimit.Outcome {
		who.At = at
		return l.Take(who, limits, cost, &s)
	}
	start := clock.Elapsed()
	if o := ask(start, 2); o != ratelimit.Admitted {
		t.Fatal(o)
	}
	clock.Pass(time.Minute)
	if o := ask(0, 0); o != ratelimit.Admitted || s.Minute.Remaining != 2 { // lets go of both
		t.Fatal(o, s)
	}
	if o := ask(start+time.Minute-time.Millisecond, 1); o != ratelimit.Admitted {
		t.Fatal(o, s)
	}
	if ends := clock.Wall().Add(time.Minute).UnixMilli(); s.Minute.ResetAt != ends {
		t.Errorf("it counts until %d, want %d: it was let in a minute after the first and not before", s.Minute.ResetAt, ends)
	}
}

func TestASweepIsNotOvertakenByAnEarlierQuestionT36(t *testing.T) {
	t.Parallel()
	clock := limittest.NewClock()
	l := local(t, clock, nil)
	who, limits := limittest.Someone(), ratelimit.Limits{PerMinute: 2}
	var s ratelimit.Status
	start := clock.Elapsed()
	l.Take(who, limits, 2, &s)
	swept(clock, l, time.Minute)
	who.At = start + time.Minute - time.Millisecond
	if o := l.Take(who, limits, 1, &s); o != ratelimit.Admitted ||
		s.Minute.ResetAt != clock.Wall().Add(time.Minute).UnixMilli() {
		t.Errorf("outcome %d, %+v", o, s)
	}
}

// Callers with any delays: the admitted units keep to the limit at the times at which they are decided.
func TestQuestionsInAnyOrderKeepToTheLimitT36(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{1, 7, 300, 2000} {
		clock := limittest.NewClock()
		l := local(t, clock, nil)
		r := rand.New(rand.NewPCG(uint64(limit), 1))
		who := limittest.Someone()
		w := limittest.Witness{Slack: slack(limit)}
		var s ratelimit.Status
		latest := time.Duration(0)
		for range 20_000 {
			clock.Pass(time.Duration(r.Int64N(int64(2*time.Minute) / limit)))
			who.At = clock.Elapsed() - time.Duration(r.ExpFloat64()*float64(time.Second))
			latest = max(latest, who.At)
			if err := w.Saw(latest, limit, 1,
				l.Take(who, ratelimit.Limits{PerMinute: limit}, 1, &s) == ratelimit.Admitted); err != nil {
				t.Fatalf("limit %d: %v", limit, err)
			}
		}
		if err := limittest.Check(w.History(), limit); err != nil || len(w.History()) < 1000 {
			t.Errorf("limit %d: %v, and %d were admitted", limit, err, len(w.History()))
		}
	}
}

// Above 1,024 a minute admissions share a cell, and all of them count until the latest is a minute old, wherever the
// cell begins.
func TestACellCountsUntilItsLatestAdmissionIsAMinuteOldT36(t *testing.T) {
	t.Parallel()
	clock := limittest.NewClock()
	l := local(t, clock, nil)
	const limit = 2000
	for range 20 {
		who, limits := limittest.Someone(), ratelimit.Limits{PerMinute: limit}
		var s ratelimit.Status
		if o := l.Take(who, limits, 1, &s); o != ratelimit.Admitted {
			t.Fatal(o)
		}
		clock.Pass(50 * time.Millisecond)
		if o := l.Take(who, limits, limit-1, &s); o != ratelimit.Admitted {
			t.Fatal(o)
		}
		clock.Pass(time.Minute - 50*time.Millisecond) // the first is a minute old, the others are not
		if l.Peek(who, limits, 0, &s); s.Minute.Remaining > 1 {
			t.Fatalf("%d more are admitted within a minute of %d", s.Minute.Remaining, limit-1)
		}
		clock.Pass(7 * time.Millisecond) // another phase of the cells
	}
}
