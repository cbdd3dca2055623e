package ratelimit

import "sync/atomic"

// counters are off the hot path: none is touched by a decision that waits for nothing.
type counters struct {
	waits, timeouts, failures, claims, granted, returned, forfeited atomic.Int64
}

func (c *counters) settled(claim *Claim) {
	c.claims.Add(1)
	c.granted.Add(claim.Granted)
	c.returned.Add(claim.Give)
}

// Stats are counted since the limiter was made.
type Stats struct {
	Waits     int64 // requests that waited for a block of their day
	Timeouts  int64 // and in vain
	Claims    int64 // blocks that were asked for or given back
	Failures  int64 // transactions of the ledger that failed
	Granted   int64 // requests that were reserved
	Returned  int64 // and given back
	Forfeited int64 // and known to be lost: their day ended while they were being reserved, or were given back
}

// Stats costs next to nothing.
func (l *Limiter) Stats() Stats {
	c := &l.stats
	return Stats{
		Waits: c.waits.Load(), Timeouts: c.timeouts.Load(), Claims: c.claims.Load(), Failures: c.failures.Load(),
		Granted: c.granted.Load(), Returned: c.returned.Load(), Forfeited: c.forfeited.Load(),
	}
}

// Size is the number of keys that have state, and the bytes that it takes. It takes each part's lock for a moment.
func (l *Limiter) Size() (states, bytes int64) {
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		states += int64(sh.live)
		bytes += sh.bytes()
		sh.mu.Unlock()
	}
	return states, bytes + l.pool.held()
}
