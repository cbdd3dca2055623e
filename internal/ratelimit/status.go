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

	// At is the time of the question, on the limiter's clock, if the caller has just read it; 0 has the limiter read
	// it. A time before another question's is replaced by that one's.
	At time.Duration

	// Wait bounds the time of the answer if it depends on another store: 0 is the limiter's own bound, and NoWait is
	// no wait at all. A question of several keys asks with NoWait first, so that their claims are fetched together.
	Wait time.Duration
}

// NoWait is the Wait of a question that is answered WouldWait if the answer is not in memory. The missing part is
// requested all the same, as far as that costs nothing.
const NoWait = time.Duration(-1)

// Outcome says which limit refused, if one did. The minute is looked at before the day.
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

// Status is both limits of a key as they stand after a decision.
type Status struct {
	Minute, Day Window
	// RetryAt is set after a refusal: Unix milliseconds before which the same cost cannot be admitted, Never where it
	// never can. Else 0.
	RetryAt int64
}

// Never is the RetryAt of a cost that is higher than the limit itself: only another limit or a lower cost admits it.
const Never = math.MaxInt64
