package limittest

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
)

// Limiter is the limiter under test.
type Limiter interface {
	Take(who ratelimit.Subject, limits ratelimit.Limits, cost int64, s *ratelimit.Status) ratelimit.Outcome
	Peek(who ratelimit.Subject, limits ratelimit.Limits, cost int64, s *ratelimit.Status) ratelimit.Outcome
}

// Promise holds the guarantees of a limiter.
type Promise struct {
	// Slack is by how much longer than a minute an admission may count under a limit.
	Slack func(limit int64) time.Duration
	// Days tells that it also keeps limits per day.
	Days bool
}

// Open makes a limiter that goes by the clock, and sees to its end.
type Open func(t testing.TB, clock *Clock) Limiter

// Run runs the suite.
func Run(t *testing.T, p Promise, open Open) {
	tests := map[string]func(testing.TB, *fixture){
		"T36 no interval holds more than the limit, on any schedule":      testSchedules,
		"T36 random schedules, costs and limits keep to what they should": testRandom,
		"T35 exactly so many of many concurrent callers are admitted":     testConcurrent,
		"T40 what is refused spends nothing":                              testRefusal,
		"T39 every limit and cost at its bounds":                          testBounds,
		"T41 a changed limit acts at once and forgets nothing":            testChange,
		"T31 setting the clock neither widens nor resets a window":        testWallSteps,
		"a cost of 0 and a look spend nothing":                            testPeek,
		"a refusal says when to come back, to the millisecond":            testRetry,
		"keys do not disturb each other":                                  testKeys,
		"a plan is taken together with the key or not at all":             testPlanTogether,
		"random lives of a workspace keep to its plan":                    testPlanRandom,
		"keys of one plan ask at once":                                    testPlanConcurrent,
	}
	if p.Days {
		tests["a day holds so many and not one more"] = testDay
		tests["minute and day are taken together or not at all"] = testTogether
		tests["T31 an earlier day is never opened again"] = testDayStepsBack
		tests["T41 a day's limit that changes forgets nothing"] = testDayChange
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, p, open))
		})
	}
}

// fixture is a limiter with its clock.
type fixture struct {
	Promise
	clock   *Clock
	limiter Limiter
}

func newFixture(t testing.TB, p Promise, open Open) *fixture {
	f := &fixture{Promise: p, clock: NewClock()}
	f.limiter = open(t, f.clock)
	return f
}

var subjects atomic.Uint64

// Someone is a key without any earlier question.
func Someone() ratelimit.Subject {
	var s ratelimit.Subject
	binary.BigEndian.PutUint64(s.ID[8:], subjects.Add(1)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(s.ID[:], subjects.Load())
	return s
}

func perMinute(n int64) ratelimit.Limits { return ratelimit.Limits{PerMinute: n} }

// take asks once and tells whether that was admitted.
func (f *fixture) take(who ratelimit.Subject, l ratelimit.Limits, cost int64) bool {
	var s ratelimit.Status
	return f.limiter.Take(who, l, cost, &s) == ratelimit.Admitted
}

// many asks n times and tells how often that was admitted.
func (f *fixture) many(who ratelimit.Subject, l ratelimit.Limits, n int) (admitted int) {
	for range n {
		if f.take(who, l, 1) {
			admitted++
		}
	}
	return admitted
}

func testSchedules(t testing.TB, f *fixture) {
	cases := 0
	for _, n := range []int{1, 2, 5, 60, 1024, 1025, 3000} {
		for name, schedule := range schedules(n) {
			cases++
			if err := f.follow(int64(n), schedule); err != nil {
				t.Errorf("%s, limit %d: %v", name, n, err)
			}
		}
	}
	if cases < 63 {
		t.Errorf("only %d schedules were followed", cases)
	}
}

// follow goes through a schedule with a key of its own.
func (f *fixture) follow(limit int64, schedule []arrival) error {
	who, w := Someone(), Witness{Slack: f.Slack(limit)}
	for _, a := range schedule {
		f.clock.Pass(a.after)
		for range a.times {
			if err := w.Saw(f.clock.Elapsed(), limit, a.cost, f.take(who, perMinute(limit), a.cost)); err != nil {
				return err
			}
		}
	}
	if len(w.History()) == 0 {
		return fmt.Errorf("nothing was admitted")
	}
	return Check(w.History(), limit)
}
