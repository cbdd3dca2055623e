package replica

import (
	"sync/atomic"
	"time"
)

// freshness says since when the copy is known to be complete, where it is told of changes by a feed that can be cut off. Both clocks
// of the machine are asked and the less favourable one counts: the monotonic one does not see that the wall clock was set back, and
// stands still while a virtual machine is suspended.
type freshness struct {
	limit     time.Duration
	now       func() time.Time
	base      time.Time
	monotonic atomic.Int64 // of the last confirmation, in nanoseconds after base
	wall      atomic.Int64 // of the last confirmation, Unix nanoseconds
}

// LimitAge makes Ready depend on the last confirmation: older than the limit, it is no, until ConfirmFresh comes again. So a process
// that was stopped and goes on is fenced before it can answer. now is read at each Ready. Call it before the replica is used.
func (r *Replica) LimitAge(limit time.Duration, now func() time.Time) {
	f := &freshness{limit: limit, now: now, base: now()}
	f.monotonic.Store(-int64(limit) - 1)
	r.fresh = f
}

// ConfirmFresh says that the copy has everything that was committed before an instant: the start of the look at the feed, not its
// end. An earlier instant than one that was told changes nothing.
func (r *Replica) ConfirmFresh(at time.Time) {
	if f := r.fresh; f != nil {
		raise(&f.monotonic, int64(at.Sub(f.base)))
		raise(&f.wall, at.UnixNano())
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
	now := f.now()
	return max(now.Sub(f.base)-time.Duration(f.monotonic.Load()), time.Duration(now.UnixNano()-f.wall.Load()))
}

func raise(a *atomic.Int64, to int64) {
	for {
		old := a.Load()
		if to <= old || a.CompareAndSwap(old, to) {
			return
		}
	}
}
