package ratelimit

import "github.com/keyward/keyward/internal/id"

// Subject is whose limits are asked: one key, under its UUID as 16 bytes, in its workspace.
type Subject struct {
	ID        [16]byte
	Workspace id.Workspace
}

// Outcome says which limit refused, if one did. The minute is looked at before the day.
type Outcome uint8

// The outcomes. Only Admitted spends anything.
const (
	Admitted Outcome = iota
	MinuteSpent
	DaySpent
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
	RetryAt     int64 // after a refusal: Unix milliseconds before which the same cost cannot be admitted; else 0
}
