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

	// At is when the question came, on the clock that the limiter goes by, where the one who asks has just read it; 0 has the limiter
	// read it. An earlier time than another question's is taken for that one's.
	At time.Duration
}

// Outcome says which limit refused, if one did. The minute is looked at before the day.
type Outcome uint8

// The outcomes. Only Admitted spends anything.
const (
	Admitted Outcome = iota
	MinuteSpent
	DaySpent
	Unavailable // nobody can tell now: what the decision needs cannot be reached
)

// Window is one limit as it stands after a decision.
type Window struct {
	Limit     int64 // 0: there is none, and the rest says nothing
	Remaining int64 // what could still be admitted at this instant, never below 0
	ResetAt   int64 // Unix milliseconds at which nothing of what is used now counts any more
}

// Status is both limits of a key as they stand after a decision.
type Status struct {
	Minute, Day Window
	// RetryAt is set after a refusal: Unix milliseconds before which the same cost cannot be admitted, Never where it never can. Else 0.
	RetryAt int64
}

// Never is the RetryAt of a cost that is higher than the limit itself: only another limit or a lower cost admits it.
const Never = math.MaxInt64
