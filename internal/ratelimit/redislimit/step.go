package redislimit

import "sync"

// stepSlack is by how many milliseconds Redis's clock may run away from this node's monotonic clock between two
// answers. Clocks that are slewed stay far below it; a machine that is suspended for longer looks like a step, and is
// treated as one.
const stepSlack = 500

// pace compares Redis's wall clock with this node's monotonic clock. Redis's minutes are seconds of the former, which
// can be set: after a forward step, recent admissions look a minute old; after a step back, they count until the
// clock is there again.
type pace struct {
	mu     sync.Mutex
	known  bool
	lo, hi int64 // bounds of the difference between the two, in milliseconds
}

// step tells by how much Redis's clock was set since the last answer, where that is certain; 0 for not at all. Redis
// read its clock at some instant between sent and got of this node's.
func (p *pace) step(redis, sent, got int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	lo, hi := redis-got-1, redis-sent+1
	switch {
	case !p.known:
		return 0
	case lo > p.hi+stepSlack:
		return lo - p.hi
	case hi < p.lo-stepSlack:
		return hi - p.lo
	}
	return 0
}

// learn takes an answer for how Redis's clock goes now.
func (p *pace) learn(redis, sent, got int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lo, hi := redis-got-1, redis-sent+1
	if p.known && lo <= p.hi && p.lo <= hi { // clocks drift: the earlier bounds are a little wider now
		lo, hi = max(lo, p.lo-1), min(hi, p.hi+1)
	}
	p.known, p.lo, p.hi = true, lo, hi
}
