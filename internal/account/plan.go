package account

import (
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
)

// Plan is what an operator allows a workspace. A quota of 0 is none. A quota refuses new objects, and never a change
// that takes something away.
type Plan struct {
	Shared          ratelimit.Limits // of all keys of the workspace together
	Ceiling         Ceiling
	MaxKeys         int64 // that are there, whether they work or not
	MaxMembers      int64
	MaxRoles        int64 // beside the system roles
	MaxEventsPerDay int64 // in a UTC day
}

// Ceiling is what a single key of a workspace may have at most; a limit of 0 is no ceiling.
type Ceiling struct {
	Limits      ratelimit.Limits
	MaxLifetime time.Duration // from the making of the value
}

// Lower gives the limits, and in the place of those above the ceiling the ceiling's.
func (c Ceiling) Lower(l ratelimit.Limits) ratelimit.Limits {
	if !ratelimit.Within(l.PerMinute, c.Limits.PerMinute) {
		l.PerMinute = c.Limits.PerMinute
	}
	if !ratelimit.Within(l.PerDay, c.Limits.PerDay) {
		l.PerDay = c.Limits.PerDay
	}
	return l
}

// Allows tells whether an expiry of a value that was made then lies within the ceiling; a zero expiry is never.
func (c Ceiling) Allows(expires, made time.Time) bool {
	return c.MaxLifetime == 0 || !expires.IsZero() && !expires.After(made.Add(c.MaxLifetime))
}
