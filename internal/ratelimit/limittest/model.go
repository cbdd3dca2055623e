package limittest

import (
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
)

// Model is a workspace and its keys, and what was admitted of them: a limiter is held to it decision by decision, each
// no earlier than the one before.
type Model struct {
	// Slack is by how much longer than a minute an admission may count.
	Slack time.Duration

	keys map[[16]byte]*counted
	plan counted
}

// counted is what one side has admitted while it had a limit.
type counted struct {
	window    Witness
	day, used int64
}

// standing is how one side stands towards a question. Between must and may lies the slack.
type standing struct{ mustMinute, mayMinute, overDay bool }

func (m *Model) stand(c *counted, at time.Duration, day int64, limits ratelimit.Limits, need int64) (s standing) {
	w := &c.window
	w.sure.age(w.history, at, Minute)
	w.perhaps.age(w.history, at, Minute+m.Slack)
	if day > c.day {
		c.day = day
		c.used = 0
	}
	if limits.PerMinute > 0 {
		s.mustMinute = w.sure.sum+need > limits.PerMinute
		s.mayMinute = w.perhaps.sum+need > limits.PerMinute
	}
	s.overDay = limits.PerDay > 0 && c.used+need > limits.PerDay
	return s
}

// take counts an admission under the limits that there are.
func (c *counted) take(at time.Duration, limits ratelimit.Limits, cost int64) {
	if limits.PerMinute > 0 {
		c.window.history = append(c.window.history, Admission{at, cost})
		c.window.sure.sum += cost
		c.window.perhaps.sum += cost
	}
	if limits.PerDay > 0 {
		c.used += cost
	}
}

// Saw judges one decision, and counts it.
func (m *Model) Saw(
	c *Clock, who ratelimit.Subject, limits ratelimit.Limits, cost int64, o ratelimit.Outcome, s *ratelimit.Status,
) error {
	at, day, need := c.Elapsed(), c.Wall().Unix()/86_400, max(cost, 1)
	key := m.key(who.ID)
	var shared ratelimit.Limits
	if who.Plan != nil {
		shared = who.Plan.Limits
	}
	own, all := m.stand(key, at, day, limits, need), m.stand(&m.plan, at, day, shared, need)
	told := fmt.Sprintf(
		"at %v, cost %d, limits %+v of the key (%d today) and %+v of the workspace (%d today), outcome %d, %+v", at, cost,
		limits, key.used, shared, m.plan.used, o, *s,
	)
	switch {
	case o == ratelimit.Admitted && (own.mustMinute || all.mustMinute || own.overDay || all.overDay):
		return fmt.Errorf("too many were admitted: %s", told)
	case o == ratelimit.MinuteSpent && (!s.ByPlan && !own.mayMinute || s.ByPlan && !all.mayMinute):
		return fmt.Errorf("the minute had room: %s", told)
	case o == ratelimit.DaySpent && (own.mustMinute || all.mustMinute):
		return fmt.Errorf("the minute is looked at first: %s", told)
	case o == ratelimit.DaySpent && (!s.ByPlan && !own.overDay || s.ByPlan && (own.overDay || !all.overDay)):
		return fmt.Errorf("the day had room: %s", told)
	case o > ratelimit.DaySpent:
		return fmt.Errorf("no answer: %s", told)
	}
	if o == ratelimit.Admitted {
		key.take(at, limits, cost)
		m.plan.take(at, shared, cost)
	}
	if (o != ratelimit.Admitted) != (s.RetryAt != 0) {
		return fmt.Errorf("the moment to come back: %s", told)
	}
	for _, side := range []struct {
		limits      ratelimit.Limits
		minute, day ratelimit.Window
		used        int64
	}{{limits, s.Minute, s.Day, key.used}, {shared, s.WorkspaceMinute, s.WorkspaceDay, m.plan.used}} {
		if side.minute.Limit != side.limits.PerMinute || side.day.Limit != side.limits.PerDay {
			return fmt.Errorf("the limits that are told: %s", told)
		}
		if side.day.Limit > 0 && side.day.Remaining != max(0, side.day.Limit-side.used) {
			return fmt.Errorf("what remains of a day: %s", told)
		}
	}
	return nil
}

func (m *Model) key(id [16]byte) *counted {
	c := m.keys[id]
	if c == nil {
		if m.keys == nil {
			m.keys = map[[16]byte]*counted{}
		}
		c = &counted{}
		m.keys[id] = c
	}
	return c
}

// Forget drops what was admitted of minutes, as a crash does.
func (m *Model) Forget() {
	m.plan.window = Witness{}
	for _, c := range m.keys {
		c.window = Witness{}
	}
}
