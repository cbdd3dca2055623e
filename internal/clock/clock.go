// Package clock owns the time that expiry is judged by. Time never runs backwards, except that a jump ahead that did
// not last is taken back. It does not own where the state is kept between starts (store).
package clock

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Tolerance is the largest lead of a reading over the monotonic clock that does not count as a jump.
	Tolerance = time.Minute
	// near is how far behind a reading may be while time stands still and waits for it. Beyond that, time goes on by
	// the monotonic clock.
	near = 30 * time.Second
	// Trial is how long a jump is provisional: so long has to be run with it, all starts together.
	Trial = time.Hour
)

// Clock tells the time from a reference clock, which can be set, and from a monotonic one. It has a floor, which is a
// time that is known to have come plus the monotonic time since. It is safe for concurrent use.
type Clock struct {
	read   func() (wall time.Time, elapsed time.Duration)
	mark   atomic.Int64 // Unix milliseconds of the latest time that was told
	floor  atomic.Int64 // Unix milliseconds of the floor at elapsed 0
	remote bool         // the reference is not the machine's clock, but what Learn was told
	behind atomic.Int64 // Unix milliseconds of the remote reference at elapsed 0

	mu      sync.Mutex
	state   State
	stepped time.Duration // when Step was last taken over
}

// State is the part of a clock that is stored between starts. Times are Unix milliseconds.
type State struct {
	Mark   int64 // a time that is known to have come
	Ahead  int64 // the latest time that was told, while that is provisional; else 0
	Ran    int64 // milliseconds that were run since the jump
	Resets int64 // how often the mark was moved back by command
}

// New reads both clocks through wall. Where its readings have no monotonic part, as in a test, every step ahead counts
// as time that has passed.
func New(wall func() time.Time) *Clock {
	began := wall()
	var most atomic.Int64
	return NewWith(func() (time.Time, time.Duration) {
		t := wall()
		return t, time.Duration(highest(&most, int64(t.Sub(began))))
	})
}

// NewWith takes both clocks from one function. elapsed must not run backwards.
func NewWith(read func() (wall time.Time, elapsed time.Duration)) *Clock {
	c := &Clock{read: read}
	t, _ := read()
	c.mark.Store(t.UnixMilli())
	return c
}

// FollowRemote makes the clock go by the times given to Learn instead of the machine's wall clock. Call it before the
// clock is shared.
func (c *Clock) FollowRemote() {
	t, elapsed := c.read()
	c.remote = true
	c.behind.Store(t.UnixMilli() - elapsed.Milliseconds()) // until the first Learn
}

// Learn takes in a reading of the remote clock that was made just now.
func (c *Clock) Learn(reading time.Time) {
	_, elapsed := c.read()
	c.behind.Store(reading.UnixMilli() - elapsed.Milliseconds())
}

// Now is the time in UTC, in whole milliseconds.
func (c *Clock) Now() time.Time {
	ms, _ := c.Look()
	return time.UnixMilli(ms).UTC()
}

// Look is Now in Unix milliseconds, and the reading of the monotonic clock that goes with it.
func (c *Clock) Look() (ms int64, elapsed time.Duration) {
	t, elapsed := c.read()
	run := elapsed.Milliseconds()
	if ms = t.UnixMilli(); c.remote {
		ms = c.behind.Load() + run
	}
	if floor := c.floor.Load() + run; ms < floor-near.Milliseconds() {
		ms = floor
	}
	return c.raise(ms), elapsed
}

// Elapsed reads the monotonic clock.
func (c *Clock) Elapsed() time.Duration {
	_, elapsed := c.read()
	return elapsed
}

// raise lifts the mark to ms where that is later, and answers where the mark stands. A mark that is far ahead of ms was
// told by a jump that is over: it comes down.
func (c *Clock) raise(ms int64) int64 {
	for {
		mark := c.mark.Load()
		if ms <= mark && mark-ms <= Tolerance.Milliseconds() {
			return mark
		}
		if c.mark.CompareAndSwap(mark, ms) {
			return ms
		}
	}
}

// Floor is a time that is known to have come: about Now, except while a jump ahead is provisional.
func (c *Clock) Floor() time.Time {
	ms, elapsed := c.Look()
	return time.UnixMilli(min(ms, c.floor.Load()+elapsed.Milliseconds())).UTC()
}

// Reference reads the settable clock, regardless of the floor.
func (c *Clock) Reference() time.Time {
	t, elapsed := c.read()
	if c.remote {
		return time.UnixMilli(c.behind.Load() + elapsed.Milliseconds()).UTC()
	}
	return t.UTC().Truncate(time.Millisecond)
}

// highest raises a to at least v and answers where it stands.
func highest(a *atomic.Int64, v int64) int64 {
	for {
		old := a.Load()
		if v <= old {
			return old
		}
		if a.CompareAndSwap(old, v) {
			return v
		}
	}
}
