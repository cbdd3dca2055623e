package verify

import (
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/verdict"
)

// Simulate answers q for a key that is known by its digest instead of its value, as if it were presented now. It
// spends and records nothing.
func (e *Engine) Simulate(d keyfmt.Digest, q Question, v *Verdict) {
	*v = Verdict{}
	q.DryRun = true
	facts := e.replica.Load()
	if !facts.Ready() {
		v.Code = Unavailable
		return
	}
	if !facts.Lookup(d, &v.Key) {
		v.Code = NotFound
		return
	}
	e.judge(&q, v, e.Look())
}

// LimitStatus asks how the limits of a verdict's key stand, and spends nothing. ok is false where nothing is counted.
func (e *Engine) LimitStatus(v *Verdict) (s ratelimit.Status, ok bool) {
	if e.limiter == nil || !v.Known() {
		return s, false
	}
	e.limiter.Peek(ratelimit.Subject{ID: v.Key.UUID, Workspace: v.Key.Workspace, Plan: v.Key.Plan}, v.Key.Limits, 0, &s)
	return s, true
}

// PlanStatus asks how limits stand that all keys of a workspace share, and spends nothing. ok is false where there are
// none, or nothing is counted.
func (e *Engine) PlanStatus(ws id.Workspace, shared ratelimit.Limits) (s ratelimit.Status, ok bool) {
	s, ok = e.LimitsLeft("", ws, ratelimit.Limits{}, shared)
	return s, ok && s.Any()
}

// LimitsLeft asks how the limits of a key stand, with those that all keys of its workspace share, and spends nothing.
// Without a key ("") it asks about the shared ones alone. ok is false where nobody can tell now.
func (e *Engine) LimitsLeft(key id.Key, ws id.Workspace, own, shared ratelimit.Limits) (s ratelimit.Status, ok bool) {
	uuid, known := id.Parse(string(key))
	known = known || key == ""
	place, placed := id.Parse(string(ws))
	if own == (ratelimit.Limits{}) && shared == (ratelimit.Limits{}) {
		return s, true
	}
	if e.limiter == nil || !known || !placed {
		return s, false
	}
	who := ratelimit.Subject{ID: uuid, Workspace: ws}
	if shared != (ratelimit.Limits{}) {
		who.Plan = &ratelimit.Plan{ID: place, Limits: shared}
	}
	o := e.limiter.Peek(who, own, 0, &s)
	return s, o != ratelimit.Unavailable
}

// Step is one question of the decision.
type Step struct {
	Code    Code // what it refuses with
	Reached bool // the ones before it were passed
	Passed  bool
	Why     string // in plain words, with the values; set by Explain alone
}

// order is the one in which decide asks of a well-formed key.
var order = append([]Code{NotFound}, verdict.Refusals()...)

// Steps says how a verdict about a well-formed key came about: the questions up to the one that refused it, and those
// that were not asked any more.
func (v *Verdict) Steps() []Step {
	steps := make([]Step, len(order))
	refused := false
	for i, c := range order {
		steps[i] = Step{Code: c, Reached: !refused, Passed: !refused && c != v.Code}
		refused = refused || c == v.Code
	}
	return steps
}
