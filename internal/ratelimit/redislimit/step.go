package redislimit

import (
	"maps"
	"sync"

	"github.com/redis/rueidis"
)

// stepSlack is by how many milliseconds Redis's clock may run away from this node's monotonic clock between two
// answers. Clocks that are slewed stay far below it; a machine that is suspended for longer looks like a step, and is
// treated as one.
const stepSlack = 500

// pace compares the wall clock of a server of Redis with this node's monotonic clock. Redis's minutes are seconds of
// the former, which can be set: after a forward step, recent admissions look a minute old; after a step back, they
// count until the clock is there again.
type pace struct{ lo, hi int64 } // bounds of the difference between the two, in milliseconds

// paceOf gives the bounds that an answer tells: Redis read its clock at some instant between sent and got of this
// node's.
func paceOf(redis, sent, got int64) pace { return pace{redis - got - 1, redis - sent + 1} }

// step tells by how much the clock was set between two answers, where that is certain; 0 for not at all.
func (p pace) step(now pace) int64 {
	switch {
	case now.lo > p.hi+stepSlack:
		return now.lo - p.hi
	case now.hi < p.lo-stepSlack:
		return now.hi - p.lo
	}
	return 0
}

// learn takes an answer for how the clock goes now.
func (p pace) learn(now pace) pace {
	if now.lo <= p.hi && p.lo <= now.hi { // clocks drift: the earlier bounds are a little wider now
		return pace{max(now.lo, p.lo-1), min(now.hi, p.hi+1)}
	}
	return now
}

// paces holds the pace of each server, by its address; without a cluster there is one, under "".
type paces struct {
	mu sync.Mutex
	of map[string]pace
}

// step tells by how much a server's clock was set since its last answer, and takes this answer for how it goes now.
func (p *paces) step(server string, now pace) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.of[server]
	if !known {
		p.of[server] = now
		return 0
	}
	p.of[server] = before.learn(now)
	return before.step(now)
}

// strange reports whether an answer that came from one of the servers fits the pace of none. It learns from an answer
// of the only one.
func (p *paces) strange(now pace) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for server, before := range p.of {
		if before.step(now) == 0 {
			if len(p.of) == 1 {
				p.of[server] = before.learn(now)
			}
			return false
		}
	}
	return len(p.of) > 0
}

// keep forgets the servers that are not among these.
func (p *paces) keep(servers map[string]rueidis.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.of, func(server string, _ pace) bool { return servers[server] == nil })
}
