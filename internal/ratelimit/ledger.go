package ratelimit

import "context"

// Ledger reserves blocks of a day. A grant is durable before it is answered.
type Ledger interface {
	// Settle does all claims in their order, in one transaction, and fills in their results. After an error nothing of
	// it may be taken for granted.
	Settle(ctx context.Context, claims []Claim) error
}

// Claim reserves requests of one key on one day, or gives some back that were not spent.
type Claim struct {
	ID    [16]byte
	Day   int64 // since 1970, UTC
	Limit int64 // the sum of what is reserved stays within it
	Want  int64 // reserve up to so many; 0 only asks how things stand
	Give  int64 // return so many, if the ledger still stands at that day

	Granted  int64 // were reserved: at most Want
	Reserved int64 // stand reserved on day Stands afterwards
	Stands   int64 // Day, or a later day that somebody has begun: then nothing is granted
}

// Grant is the rule of every ledger: the outcome of a claim, given the reserved units of a day. A later claim's day
// begins at nothing, an earlier one is over. It fills the results in, and reports whether the row has to be written.
func (c *Claim) Grant(day, reserved int64) (write bool) {
	if c.Day < day {
		c.Granted, c.Reserved, c.Stands = 0, reserved, day
		return false
	}
	if c.Day > day {
		reserved = 0
	}
	back := min(c.Give, reserved)
	if c.Day > day {
		back = 0
	}
	c.Granted = max(0, min(c.Want, c.Limit-reserved))
	c.Reserved, c.Stands = reserved-back+c.Granted, c.Day
	return back > 0 || c.Granted > 0
}
