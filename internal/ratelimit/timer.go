package ratelimit

import (
	"sync/atomic"
	"time"
)

// timer reads both clocks: the monotonic one by which windows are measured, which no step of the wall clock touches,
// and the wall clock by which days are told. The latter is looked at every few milliseconds only, and carried on by the
// former in between.
type timer struct {
	elapsed func() time.Duration
	wall    func() time.Time

	read  atomic.Int64 // when the wall clock was looked at, in nanoseconds of the monotonic one
	ahead atomic.Int64 // by how much it was ahead then
}

const lookEvery = 10 * time.Millisecond

// instant is one reading.
type instant struct {
	elapsed    int64  // nanoseconds
	now, stamp uint32 // milliseconds, modulo 2^32: rounded down and up, so that a run never counts too short
	seconds    uint16
	wall       int64 // Unix milliseconds
	today      uint16
}

func newTimer(elapsed func() time.Duration, wall func() time.Time) *timer {
	t := &timer{elapsed: elapsed, wall: wall}
	t.look()
	return t
}

func (t *timer) look() {
	m := int64(t.elapsed())
	t.ahead.Store(t.wall().UnixNano() - m)
	t.read.Store(m)
}

// instant reads the clock.
func (t *timer) instant() instant { return t.at(int64(t.elapsed())) }

// at is the instant at so many nanoseconds of the monotonic clock.
func (t *timer) at(m int64) instant {
	if m-t.read.Load() >= int64(lookEvery) {
		t.look()
	}
	wall := (m + t.ahead.Load()) / int64(time.Millisecond)
	return instant{
		elapsed: m,
		now:     uint32(m / int64(time.Millisecond)),
		stamp:   uint32((m + int64(time.Millisecond) - 1) / int64(time.Millisecond)),
		seconds: uint16(m / int64(time.Second)),
		wall:    wall,
		today:   uint16(max(0, wall) / dayMillis),
	}
}
