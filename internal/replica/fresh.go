package replica

import (
	"sync/atomic"
	"time"
)

// freshness says since when the copy is known to be complete, where it is told of changes by a feed that can be cut
// off. Both clocks of the machine are asked and the less favourable one counts: the monotonic one does not see that the
// wall clock was set back, and stands still while a virtual machine is suspended.
type freshness struct {
	limit time.Duration
	now   func() time.Time
	base  time.Time
	last  atomic.Pointer[confirmation]
}

// confirmation is one reading of both clocks. They stay together: the latest of each would let a wall clock that was
// ahead once hide that of every later confirmation.
type confirmation struct {
	monotonic int64 // nanoseconds after base
	wall      int64 // Unix nanoseconds
}

// LimitAge makes Ready depend on the last confirmation: older than the limit, it is no, until ConfirmFresh comes again.
// So a process that was stopped and goes on is fenced before it can answer. now is read at each Ready. Call it before
// the replica is used.
func (r *Replica) LimitAge(limit time.Duration, now func() time.Time) {
	f := &freshness{limit: limit, now: now, base: now()}
	f.last.Store(&confirmation{monotonic: -int64(limit) - 1})
	r.fresh = f
}

// ConfirmFresh says that the copy has everything that was committed before an instant: the start of the look at the
// feed, not its end. An earlier instant, by the monotonic clock, than one that was told changes nothing.
func (r *Replica) ConfirmFresh(at time.Time) {
	f := r.fresh
	if f == nil {
		return
	}
	c := &confirmation{int64(at.Sub(f.base)), at.UnixNano()}
	for {
		old := f.last.Load()
		if c.monotonic <= old.monotonic || f.last.CompareAndSwap(old, c) {
			return
		}
	}
}

// Age is how old the last confirmation is; 0 where nothing limits it.
func (r *Replica) Age() time.Duration {
	if r.fresh == nil {
		return 0
	}
	return r.fresh.age()
}

func (f *freshness) age() time.Duration {
	now, c := f.now(), f.last.Load()
	return max(now.Sub(f.base)-time.Duration(c.monotonic), time.Duration(now.UnixNano()-c.wall))
}
