// Package clock owns the time that expiry is judged by: the wall clock, held up by a mark that it never goes below. Setting the
// machine's clock back revives nothing. It does not own where the mark is kept between starts (store).
package clock

import (
	"sync/atomic"
	"time"
)

// Clock is max(wall, mark): it never runs backwards. It is safe for concurrent use, and Now costs one atomic load more than the
// wall clock in most calls.
type Clock struct {
	wall func() time.Time
	mark atomic.Int64 // Unix milliseconds of the latest time that was told
}

// New reads the wall clock through wall.
func New(wall func() time.Time) *Clock {
	c := &Clock{wall: wall}
	c.mark.Store(wall().UnixMilli())
	return c
}

// Now is the time in UTC, in whole milliseconds, and never before a time that was told earlier.
func (c *Clock) Now() time.Time {
	return time.UnixMilli(c.raise(c.wall().UnixMilli())).UTC()
}

// Since is Now in Unix milliseconds and, by the same look at the wall clock, what has passed since an earlier reading of it. Where both
// readings have a monotonic part, as those of time.Now have, the latter does not notice that the clock was set.
func (c *Clock) Since(start time.Time) (ms int64, elapsed time.Duration) {
	t := c.wall()
	return c.raise(t.UnixMilli()), t.Sub(start)
}

// Advance moves the clock to the mark unless it is there already. A zero mark changes nothing.
func (c *Clock) Advance(mark time.Time) {
	if !mark.IsZero() {
		c.raise(mark.UnixMilli())
	}
}

// raise lifts the mark to ms where that is later, and answers where the mark stands.
func (c *Clock) raise(ms int64) int64 {
	for {
		mark := c.mark.Load()
		if ms <= mark {
			return mark
		}
		if c.mark.CompareAndSwap(mark, ms) {
			return ms
		}
	}
}
