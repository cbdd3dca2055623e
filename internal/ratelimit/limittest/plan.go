package limittest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
)

// Customer is a workspace without any earlier question: a plan, and some keys that share it.
func Customer(keys int, limits ratelimit.Limits) (*ratelimit.Plan, []ratelimit.Subject) {
	plan := &ratelimit.Plan{ID: Someone().ID, Limits: limits}
	out := make([]ratelimit.Subject, keys)
	for i := range out {
		out[i] = Someone()
		out[i].Workspace = id.Workspace(id.Format(plan.ID))
		out[i].Plan = plan
	}
	return plan, out
}

// History is a random life of a workspace: its keys' limits, its plan's, and both as they change.
type History struct {
	Model Model
	plan  *ratelimit.Plan
	keys  []ratelimit.Subject
	each  []ratelimit.Limits
	of    *rapid.Generator[ratelimit.Limits]
}

// NewHistory draws a workspace. Limits are small, so that they are met.
func NewHistory(rt *rapid.T, slack func(int64) time.Duration, days bool) *History {
	minutes := rapid.SampledFrom([]int64{0, 0, 1, 2, 3, 7, 20, 60, 1024, 1025})
	perDay := rapid.Just(int64(0))
	if days {
		perDay = rapid.SampledFrom([]int64{0, 0, 1, 5, 30, 200})
	}
	h := &History{of: rapid.Custom(func(t *rapid.T) ratelimit.Limits {
		return ratelimit.Limits{PerMinute: minutes.Draw(t, "minute"), PerDay: perDay.Draw(t, "day")}
	})}
	h.Model.Slack = slack(1025)
	h.plan, h.keys = Customer(rapid.IntRange(1, 4).Draw(rt, "keys"), h.of.Draw(rt, "plan"))
	for range h.keys {
		h.each = append(h.each, h.of.Draw(rt, "limits"))
	}
	return h
}

// Step is one of a key's questions, several times, after some time and perhaps a change of limits. A limit that is
// changed stays one: the units that pass while there is none are not known afterwards.
func (h *History) Step(rt *rapid.T, clock *Clock, l Limiter) error {
	clock.Pass(
		rapid.OneOf(rapid.Just(time.Duration(0)),
			rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 20 * time.Second,
				59_999 * time.Millisecond, time.Minute, 61 * time.Second, 7 * time.Hour})).
			Draw(rt, "pass"),
	)
	switch rapid.IntRange(0, 11).Draw(rt, "change") {
	case 0:
		changed := *h.plan
		changed.Limits = h.of.Draw(rt, "plan")
		h.plan = &changed
	case 1:
		i := rapid.IntRange(0, len(h.keys)-1).Draw(rt, "whose")
		h.each[i] = h.of.Draw(rt, "limits")
	}
	i := rapid.IntRange(0, len(h.keys)-1).Draw(rt, "key")
	who := h.keys[i]
	who.Plan = h.plan
	cost := rapid.SampledFrom([]int64{0, 1, 1, 1, 2, 5, 40}).Draw(rt, "cost")
	var s ratelimit.Status
	for range rapid.IntRange(1, 8).Draw(rt, "times") {
		if err := h.Model.Saw(clock, who, h.each[i], cost, l.Take(who, h.each[i], cost, &s), &s); err != nil {
			return err
		}
		if err := h.unspent(clock, l, who, h.each[i]); err != nil {
			return err
		}
	}
	return nil
}

// unspent asks how things stand, which must take nothing.
func (h *History) unspent(clock *Clock, l Limiter, who ratelimit.Subject, limits ratelimit.Limits) error {
	var s ratelimit.Status
	if err := h.Model.Saw(clock, who, limits, 0, l.Peek(who, limits, 0, &s), &s); err != nil {
		return fmt.Errorf("a look: %w", err)
	}
	return nil
}

func testPlanRandom(t testing.TB, f *fixture) {
	rapid.Check(t.(rapid.TB), func(rt *rapid.T) {
		h := NewHistory(rt, f.Slack, f.Days)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			if err := h.Step(rt, f.clock, f.limiter); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

// A customer's keys that all ask at once: exactly the plan's limit is admitted, and the refused have cost no key
// anything.
func testPlanConcurrent(t testing.TB, f *fixture) {
	const keys, callers, each = 10, 40, 30
	const limit, own = 500, 1000
	_, who := Customer(keys, perMinute(limit))
	var mu sync.Mutex
	var admitted [keys]int64
	var callersDone sync.WaitGroup
	for c := range callers {
		callersDone.Go(func() {
			for n := range each {
				k := (c + n) % keys
				if f.take(who[k], perMinute(own), 1) {
					mu.Lock()
					admitted[k]++
					mu.Unlock()
				}
			}
		})
	}
	callersDone.Wait()
	var sum int64
	for k, n := range admitted {
		sum += n
		alone := who[k]
		alone.Plan = nil
		if left := int64(f.many(alone, perMinute(own), own+5)); left != own-n {
			t.Errorf("key %d had %d admitted of %d, and %d more without the plan", k, n, own, left)
		}
	}
	if sum != limit {
		t.Errorf("%d of %d were admitted, and the plan's limit is %d", sum, callers*each, limit)
	}
}

// The plan's refusal leaves the key's limits as they were, and the key's the plan's.
func testPlanTogether(t testing.TB, f *fixture) {
	_, who := Customer(2, ratelimit.Limits{PerMinute: 5})
	a, b := who[0], who[1]
	if n := f.many(a, perMinute(3), 10); n != 3 {
		t.Errorf("the first key: %d of 3", n)
	}
	if n := f.many(b, perMinute(10), 10); n != 2 {
		t.Errorf("the second key: %d, and 2 were left of the plan", n)
	}
	var s ratelimit.Status
	if o := f.limiter.Take(b, perMinute(10), 1, &s); o != ratelimit.MinuteSpent || !s.ByPlan ||
		s.WorkspaceMinute.Remaining != 0 ||
		s.RetryAt == 0 {
		t.Errorf("outcome %d, %+v: want the plan's refusal", o, s)
	}
	b.Plan = nil
	if n := f.many(b, perMinute(10), 20); n != 8 {
		t.Errorf("without the plan the second key had %d more, and 8 were left of its own", n)
	}
	f.clock.Pass(Minute + f.Slack(5))
	if n := f.many(a, perMinute(3), 3); n != 3 {
		t.Errorf("a minute later the first key: %d of 3", n)
	}
}
