package lease

import "github.com/keyward/keyward/internal/ratelimit"

// alone decides by the policy. The admitted units are owed to Redis.
func (t *turn) alone(now int64) (ratelimit.Outcome, int64) {
	s := t.s
	switch {
	case t.l.policy == Closed, t.l.policy == Share && t.recentOver(now):
		t.l.counts.refusedAlone.Add(1)
		o, retry, _ := t.aloneRefused(now)
		return o, retry
	case t.spends():
		t.l.counts.admittedAlone.Add(t.cost)
		s.recent.add(now/1000, t.cost, t.cost)
	}
	t.tellShare(now)
	return ratelimit.Admitted, 0
}

// share is this node's part of the limit: 0 if there are fewer units than nodes.
func (t *turn) share() int64 { return t.limit / t.l.standing.Sharers() }

func (t *turn) tellShare(now int64) {
	t.w.Remaining = max(t.share()-t.s.recent.sum(now/1000), 0)
	t.w.ResetAt = t.l.clock.Wall() + window*1000
}

func (t *turn) recentOver(now int64) bool {
	return t.s.recent.sum(now/1000)+max(t.cost, 1) > t.share()
}

func (t *turn) aloneRefused(now int64) (ratelimit.Outcome, int64, bool) {
	t.w.ResetAt = t.l.clock.Wall() + window*1000
	if t.l.policy == Closed {
		left := t.l.standing.Cold.Load() - now
		return ratelimit.MinuteSpent, t.l.clock.Wall() + max(left, 1000), true
	}
	ahead := t.s.recent.fits(now/1000, t.share(), max(t.cost, 1))
	if ahead < 0 {
		return ratelimit.MinuteSpent, ratelimit.Never, true
	}
	return ratelimit.MinuteSpent, t.l.clock.Wall() + max(ahead, 1)*1000, true
}
