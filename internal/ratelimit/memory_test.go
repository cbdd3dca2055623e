package ratelimit_test

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/limittest"
)

// numbered is the i-th of many keys.
func numbered(i uint64) (s ratelimit.Subject) {
	binary.BigEndian.PutUint64(s.ID[:], i>>20|0x0197<<48)
	binary.BigEndian.PutUint64(s.ID[8:], i*0x9e3779b97f4a7c15)
	return s
}

// swept lets time pass and sweeps through all parts.
func swept(clock *limittest.Clock, l *ratelimit.Limiter, d time.Duration) {
	clock.Pass(d)
	for range 16 {
		l.Sweep()
	}
}

func TestAMillionKeysThatWereUsedOnceLeaveNothingBehindT44(t *testing.T) {
	t.Parallel()
	clock, ledger := limittest.NewClock(), &limittest.Ledger{}
	l := local(t, clock, ledger)
	limits, n := ratelimit.Limits{PerMinute: 100}, uint64(1_000_000)
	var s ratelimit.Status
	for i := range n {
		l.Take(numbered(i), limits, 1, &s)
	}
	states, bytes := l.Size()
	if states != int64(n) || bytes/states > 171 {
		t.Errorf("%d states of %d bytes each", states, bytes/states)
	}
	swept(clock, l, 59*time.Second)
	if states, _ := l.Size(); states != int64(n) {
		t.Errorf("%d states within the minute", states)
	}
	swept(clock, l, 2*time.Second)
	if states, bytes := l.Size(); states != 0 || bytes != 0 {
		t.Errorf("after the minute %d states with %d bytes", states, bytes)
	}
}

func TestAnIdleKeyGivesItsBlockBackT44(t *testing.T) {
	t.Parallel()
	clock, ledger := limittest.NewClock(), &limittest.Ledger{}
	l := local(t, clock, ledger)
	who, limits := limittest.Someone(), ratelimit.Limits{PerMinute: 100, PerDay: 10_000}
	var s ratelimit.Status
	l.Take(who, limits, 7, &s)
	swept(clock, l, 9*time.Minute)
	if states, _ := l.Size(); states != 1 {
		t.Errorf("%d states after 9 minutes", states)
	}
	swept(clock, l, 2*time.Minute)
	if states, bytes := l.Size(); states != 0 || bytes != 0 {
		t.Errorf("%d states with %d bytes after 11 minutes", states, bytes)
	}
	if o := l.Take(who, limits, 0, &s); o != ratelimit.Admitted || s.Day.Remaining != 9_993 { // behind what was given back
		t.Errorf("outcome %d, %+v", o, s)
	}
	if _, reserved := ledger.Reserved(who); reserved != 7 {
		t.Errorf("%d stand reserved, and 7 were spent", reserved)
	}
}

func TestGuessesLeaveNoStateT44(t *testing.T) {
	t.Parallel()
	clock := limittest.NewClock()
	l := local(t, clock, nil)
	var s ratelimit.Status
	for i := range uint64(1000) {
		l.Peek(numbered(i), ratelimit.Limits{PerMinute: 5}, 1, &s)
		l.Take(numbered(i), ratelimit.Limits{PerMinute: 5}, 0, &s)
		l.Take(numbered(i), ratelimit.Limits{}, 1, &s)
	}
	if states, _ := l.Size(); states != 0 {
		t.Errorf("%d states of keys that spent nothing", states)
	}
}

// TestASweepChangesNoDecision goes through every size of a ring, and sweeps between, with other keys around that come
// and go.
func TestASweepChangesNoDecision(t *testing.T) {
	t.Parallel()
	clock := limittest.NewClock()
	l := local(t, clock, nil)
	limit := int64(1024)
	who, witness := limittest.Someone(), limittest.Witness{Slack: slack(limit)}
	var s ratelimit.Status
	next := uint64(0)
	r := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		clock.Pass(time.Duration(r.IntN(50_000)) * time.Microsecond)
		admitted := l.Take(who, ratelimit.Limits{PerMinute: limit}, 1, &s) == ratelimit.Admitted
		if err := witness.Saw(clock.Elapsed(), limit, 1, admitted); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			next++
			l.Take(numbered(next), ratelimit.Limits{PerMinute: 2}, 1, &s)
		}
		if r.IntN(20) == 0 {
			l.Sweep()
		}
		if r.IntN(800) == 0 {
			swept(clock, l, 40*time.Second)
		}
	}
	if len(witness.History()) < 1000 {
		t.Errorf("only %d were admitted", len(witness.History()))
	}
}

func TestTheMillisecondsWrapAround(t *testing.T) {
	t.Parallel()
	clock := limittest.NewClock()
	clock.Pass(1<<32*time.Millisecond - time.Hour - 90*time.Second)
	l := local(t, clock, nil)
	for _, limit := range []int64{10, 2000} {
		who, witness := limittest.Someone(), limittest.Witness{Slack: slack(limit)}
		var s ratelimit.Status
		for range 400 {
			clock.Pass(977 * time.Millisecond / 2)
			for range limit / 50 * 2 {
				admitted := l.Take(who, ratelimit.Limits{PerMinute: limit}, 1, &s) == ratelimit.Admitted
				if err := witness.Saw(clock.Elapsed(), limit, 1, admitted); err != nil {
					t.Fatal(err)
				}
			}
			if l.Take(who, ratelimit.Limits{PerMinute: limit}, 1, &s) == ratelimit.Admitted {
				if err := witness.Saw(clock.Elapsed(), limit, 1, true); err != nil {
					t.Fatal(err)
				}
			}
		}
		clock.Pass(-200 * time.Second)
		clock.Pass(70 * time.Second)
	}
}

func TestADecisionAllocatesNothing(t *testing.T) {
	clock := limittest.NewClock()
	l := local(t, clock, &limittest.Ledger{})
	var s ratelimit.Status
	_, customer := limittest.Customer(1, ratelimit.Limits{PerMinute: 400, PerDay: 1_000_000})
	for i, limits := range []ratelimit.Limits{{PerMinute: 500}, {PerMinute: 100_000}, {PerMinute: 500, PerDay: 1_000_000},
		{PerDay: 10},
		{}, {PerMinute: 500, PerDay: 1_000_000}} {
		who := limittest.Someone()
		if i >= 4 {
			who = customer[0]
		}
		for range 1000 {
			clock.Pass(50 * time.Millisecond)
			l.Take(who, limits, 1, &s)
		}
		runtime.GC()
		if n := testing.AllocsPerRun(200, func() {
			clock.Pass(50 * time.Millisecond)
			l.Take(who, limits, 1, &s)
			l.Peek(who, limits, 3, &s)
			l.Take(who, limits, 1_000_000_001, &s)
		}); n > 0 {
			t.Errorf("%+v: %v allocations", limits, n)
		}
	}
}
