package ratelimit

import (
	"math"
	"time"

	"github.com/keyward/keyward/internal/id"
)

// Subject is whose limits are asked: one key, under its UUID as 16 bytes, in its workspace.
type Subject struct {
	ID        [16]byte
	Workspace id.Workspace

	// Plan holds the limits that the keys of the workspace share, nil for none. It must not change.
	Plan *Plan

	// At is the time of the question, on the limiter's clock, if the caller has just read it; 0 has the limiter read
	// it. A time before another question's is replaced by that one's.
	At time.Duration

	// Wait bounds the time of the answer if it depends on another store: 0 is the limiter's own bound, and NoWait is
	// no wait at all. A question of several keys asks with NoWait first, so that their claims are fetched together.
	Wait time.Duration
}

// shared is the plan's limits.
func (s *Subject) shared() Limits {
	if s.Plan == nil {
		return Limits{}
	}
	return s.Plan.Limits
}

// NoWait is the Wait of a question that is answered WouldWait if the answer is not in memory. The missing part is
// requested all the same, as far as that costs nothing.
const NoWait = time.Duration(-1)

// Outcome says which limit refused, if one did. The minutes, the key's and the workspace's, are looked at before the
// days.
type Outcome uint8

// The outcomes. Only Admitted spends anything.
const (
	Admitted Outcome = iota
	MinuteSpent
	DaySpent
	Unavailable // nobody can tell now: what the decision needs cannot be reached
	WouldWait   // only to a question with NoWait, which has spent nothing: ask again without it
)

// Window is one limit as it stands after a decision.
type Window struct {
	Limit     int64 // 0: there is none, and the rest says nothing
	Remaining int64 // what could still be admitted at this instant, never below 0
	ResetAt   int64 // Unix milliseconds at which nothing of what is used now counts any more
}

// Status is the limits of a key, and those of its workspace's plan, as they stand after a decision.
type Status struct {
	Minute, Day                   Window
	WorkspaceMinute, WorkspaceDay Window
	// RetryAt is set after a refusal: Unix milliseconds before which the same cost cannot be admitted, Never where it
	// never can. Else 0.
	RetryAt int64
	// ByPlan tells after a refusal that the key's own limit of that span had room, and the workspace's did not.
	ByPlan bool
}

// reset clears what an earlier question left. Without a plan its windows are clear already.
func (s *Status) reset() {
	s.Minute = Window{}
	s.Day = Window{}
	s.RetryAt = 0
	if s.WorkspaceMinute.Limit|s.WorkspaceDay.Limit != 0 || s.ByPlan {
		*s = Status{}
	}
}

// Any tells whether there is any limit, of the key or of its workspace.
func (s *Status) Any() bool {
	return s.Minute.Limit|s.Day.Limit|s.WorkspaceMinute.Limit|s.WorkspaceDay.Limit != 0
}

// Refused is the limit that refused, after an outcome that is a refusal.
func (s *Status) Refused(o Outcome) *Window {
	switch {
	case o == MinuteSpent && s.ByPlan:
		return &s.WorkspaceMinute
	case o == MinuteSpent:
		return &s.Minute
	case s.ByPlan:
		return &s.WorkspaceDay
	}
	return &s.Day
}

// Never is the RetryAt of a cost that is higher than the limit itself: only another limit or a lower cost admits it.
const Never = math.MaxInt64
