package ratelimit

import "math/bits"

const (
	sweeps  = 16  // calls of Sweep that go through all parts
	dayIdle = 600 // seconds after which a key that nobody uses gives back its block of the day
	worth   = 8   // a part is made anew when one in so many of its entries is idle
)

// Sweep frees idle entries in a sixteenth of the parts, and gives back their units of the day. Call it about once a
// second. It holds the lock of one part at a time.
func (l *Limiter) Sweep() {
	for range len(l.shards) / sweeps {
		l.sweep(&l.shards[l.next.Add(1)%uint32(len(l.shards))])
	}
}

func (l *Limiter) sweep(sh *shard) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed || sh.live == 0 {
		return
	}
	t := l.now(sh, 0)
	idle := 0
	for i := range sh.entries {
		if e := &sh.entries[i]; e.live {
			e.expire(sh.runs(e), t.now)
			if e.idle(&t) {
				idle++
			}
		}
	}
	if worth*idle < int(sh.live) || idle == 0 {
		return
	}
	for i := range sh.entries {
		if e := &sh.entries[i]; e.live && e.idle(&t) {
			l.giveBack(e, &t)
		}
	}
	sh.renew(idle, &t)
}

// idle reports whether a key's state holds no information. Its window has been cleared of units that do not count.
func (e *entry) idle(t *instant) bool {
	if e.n > 0 || e.pending {
		return false
	}
	today := e.loaded && e.day >= t.today
	return !today || t.seconds-e.touched >= dayIdle
}

// giveBack returns the unspent units of the day to the ledger: from here on the entry does not have them any more.
func (l *Limiter) giveBack(e *entry, t *instant) {
	if e.loaded && e.day >= t.today && e.unspent > 0 {
		l.desk.add(Claim{ID: e.id, Day: int64(e.day), Give: int64(e.unspent)})
	}
}

// renew makes table and rings anew, as small as the remaining entries need.
func (s *shard) renew(idle int, t *instant) {
	arenas, left := s.arenas, int(s.live)-idle
	s.arenas, s.live = nil, int32(left)
	if left == 0 {
		s.use(table{})
		return
	}
	now := s.pool.take(max(smallestTable, 1<<bits.Len(uint(2*left-1))))
	for i := range s.entries {
		e := &s.entries[i]
		if !e.live || e.idle(t) {
			continue
		}
		runs := e.inline[:]
		if e.class != 0 {
			runs = arenas[e.class].ring(e.class, e.ref)
		}
		fresh := firstFree(now.entries, spread(&e.id))
		*fresh = *e
		s.settle(fresh, e, runs)
	}
	s.use(now)
}

// settle copies the runs of an old entry into a ring of the right size for its new one.
func (s *shard) settle(fresh, old *entry, runs []run) {
	fresh.class, fresh.ref, fresh.head = 0, 0, 0
	into := fresh.inline[:]
	if int(old.n) > inlineRuns {
		into = s.ringFor(fresh, int(old.n))
	}
	for i := range int(old.n) {
		into[i] = runs[old.at(runs, i)]
	}
}

// ringFor gives an entry the smallest ring that holds n runs, more than lie within it.
func (s *shard) ringFor(e *entry, n int) []run {
	if s.arenas == nil {
		s.arenas = new([classes]arena)
	}
	class := uint8(1)
	for ringSize(class) < n {
		class++
	}
	e.class, e.ref = class, s.arenas[class].take(class)
	return s.arenas[class].ring(class, e.ref)
}
