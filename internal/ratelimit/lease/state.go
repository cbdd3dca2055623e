package lease

import (
	"sync"
	"time"
)

// grant is a lease: units that were charged in Redis and are not spent yet.
type grant struct {
	left  int64
	until instant // not to be spent from then on
	lot   int64   // by which the bank knows it
}

// instant is one reading of both clocks of this node, in milliseconds. The monotonic clock does not see a suspended
// machine, and the wall clock may be set back: an end has passed once either of them is there.
type instant struct{ mono, wall int64 }

func (i instant) before(end instant) bool { return i.mono < end.mono && i.wall < end.wall }

func (i instant) add(d time.Duration) instant {
	return instant{i.mono + d.Milliseconds(), i.wall + d.Milliseconds()}
}

// state is a node's knowledge of one key, or of one workspace with a plan, that was used in the last minute.
type state struct {
	of     Account
	mu     sync.Mutex
	dead   bool          // swept: look the key up again
	flight chan struct{} // closed when the question that is under way has been Answer; nil where none is

	lease, next grant
	back        []grant // rests of earlier ones, to be given back with the next question
	limit       int64   // under which they were granted
	size        int64   // of the next lease to ask for
	taken       int64   // of the present lease, when it was granted
	grantedAt   int64   // monotonic milliseconds

	charged int64 // in Redis as of the last answer
	reset   int64 // Unix milliseconds
	refused refusal

	recent recent
	epoch  uint64 // the count of epochs up to which debts are charged
	used   int64  // monotonic milliseconds of the last question
}

// refusal is remembered for a moment, so that a flood of refused calls does not become a flood of questions.
type refusal struct {
	until int64 // monotonic milliseconds
	limit int64
	cost  int64
	retry int64 // Unix milliseconds, or Never
}

// recent counts this node's own admissions by the second, on its monotonic clock: they bound its admissions without
// Redis, and are charged there afterwards.
type recent struct{ cells [window]cell }

type cell struct {
	second int64
	units  int64
	owed   int64 // admitted and not charged in Redis
}

// Owing is an amount that is to be charged to an instant some seconds ago.
type Owing struct{ Ago, Units int64 }

// add counts in a second. One that another has taken the place of counts no more.
func (r *recent) add(second, units, owed int64) {
	c := &r.cells[second%window]
	switch {
	case c.second > second:
		return
	case c.second < second:
		*c = cell{second: second}
	}
	c.units += units
	c.owed += owed
}

// sum is the number of units that count now.
func (r *recent) sum(now int64) (n int64) {
	for i := range r.cells {
		if c := &r.cells[i]; now-c.second < window {
			n += c.units
		}
	}
	return n
}

// fits tells after how many seconds a cost fits under a limit: 0 for now, -1 for never.
func (r *recent) fits(now, limit, cost int64) int64 {
	if cost > limit {
		return -1
	}
	for ahead := int64(0); ; ahead++ {
		if r.sum(now+ahead)+cost <= limit {
			return ahead
		}
	}
}

// forgotten marks units as owed that a forward step of the clock has made too old to count in Redis, and that still
// count.
func (r *recent) forgotten(now, step int64) {
	for i := range r.cells {
		if c := &r.cells[i]; now-c.second < window && now-c.second+step/1000 >= window-1 {
			c.owed = c.units
		}
	}
}

// owing lists the units to charge, and marks them as charged.
func (r *recent) owing(now int64) (all []Owing) {
	for i := range r.cells {
		if c := &r.cells[i]; c.owed > 0 && now-c.second < window {
			all = append(all, Owing{Ago: now - c.second, Units: c.owed})
		}
		r.cells[i].owed = 0
	}
	return all
}

// usable replaces a lease that is over or too small by the next one, and reports whether the cost fits into the rest.
func (s *state) usable(now instant, cost int64) bool {
	if s.lease.left >= cost && now.before(s.lease.until) {
		return true
	}
	if s.next.left < cost || !now.before(s.next.until) {
		return false
	}
	s.giveBack(s.lease)
	s.start(s.next, now.mono)
	s.next = grant{}
	return true
}

// start begins to spend a lease.
func (s *state) start(g grant, now int64) { s.lease, s.taken, s.grantedAt = g, g.left, now }

// maxBack is the number of leases that wait to be given back. Further ones stay charged until their time is over,
// which refuses too much for a moment and never admits too much.
const maxBack = 4

func (s *state) giveBack(g grant) {
	if g.left > 0 && len(s.back) < maxBack {
		s.back = append(s.back, g)
	}
}

// rests are leases as the bank takes them back.
func rests(grants []grant) (all []Rest) {
	for _, g := range grants {
		all = append(all, Rest{Lot: g.lot, Units: g.left})
	}
	return all
}

// settle takes along all that is not to be spent any more.
func (s *state) settle() []Rest {
	s.giveBack(s.lease)
	s.giveBack(s.next)
	all := rests(s.back)
	s.lease, s.next, s.back = grant{}, grant{}, nil
	return all
}

// owe puts a debt back that Redis may not have taken: charged twice rather than not at all.
func (s *state) owe(owed []Owing, now int64) {
	for _, o := range owed {
		s.recent.add(now/1000-o.Ago, 0, o.Units)
	}
}
