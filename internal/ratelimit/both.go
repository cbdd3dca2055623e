package ratelimit

// side is one of the two states that a decision under a plan looks at: the key's or its workspace's. No method stores a
// pointer in it, so that it stays on the stack.
type side struct {
	question          // under this side's limits
	hash     uint64   // of the id that the state is kept under
	id       [16]byte // of the key or of the workspace
	sh       *shard
	e        *entry
	runs     []run
	wait     int64 // milliseconds for which the minute refuses: 0 for none, -1 for ever
	full     bool  // the day refuses
}

func (l *Limiter) side(q *question, limits Limits, id [16]byte) side {
	s := side{question: *q, id: id, hash: spread(&id)}
	s.limits = limits
	s.sh = &l.shards[s.hash>>(64-shardBits)]
	return s
}

// decideBoth is decide for a key whose workspace has a plan. It holds the locks of both states, so the decision falls
// at one instant: nothing is taken from one limit before the other has admitted, and nothing has to be put back. The
// part that comes first in the table is locked first.
func (l *Limiter) decideBoth(q *question, s *Status) (Outcome, *batch) {
	own := l.side(q, q.limits, q.who.ID)
	all := l.side(q, q.plan(), q.who.Plan.ID)
	a, b := own.hash>>(64-shardBits), all.hash>>(64-shardBits)
	first := &l.shards[min(a, b)]
	second := &l.shards[max(a, b)]
	first.mu.Lock()
	defer first.mu.Unlock()
	if second != first {
		second.mu.Lock()
		defer second.mu.Unlock()
	}
	if own.sh.closed || all.sh.closed {
		return Unavailable, nil
	}
	first.latest = max(first.latest, second.latest)
	t := l.now(first, q.who.At)
	second.latest = t.elapsed
	var none [2]entry
	own.e = own.open(&none[0])
	all.e = all.open(&none[1])
	own.e = own.open(&none[0]) // the workspace's state may have moved it
	own.e.touched = t.seconds
	all.e.touched = t.seconds
	claimed := l.load(&own, &t, nil)
	if claimed = l.load(&all, &t, claimed); claimed != nil {
		return Unavailable, claimed
	}
	own.runs = own.sh.runs(own.e)
	all.runs = all.sh.runs(all.e)
	return l.decideOnBoth(&own, &all, &t, s)
}

// open finds the state, makes it where the decision needs one, and answers none where it does not.
func (s *side) open(none *entry) *entry {
	if s.limits == (Limits{}) {
		return none
	}
	if e := s.sh.find(s.hash, &s.id); e != nil {
		return e
	}
	if s.limits.PerDay > 0 || s.spend > 0 {
		return s.sh.insert(s.hash, &s.id)
	}
	return none
}

// load sees to it that the day is known, and answers the batch that brings it. Claims are settled in their order, so
// with the later batch the earlier one is there, too.
func (l *Limiter) load(s *side, t *instant, earlier *batch) *batch {
	if s.limits.PerDay == 0 {
		return earlier
	}
	if s.e.turn(t.today); !s.e.loaded {
		return l.claim(s.e, &s.question, t)
	}
	return earlier
}

// judge asks both limits of one side, and says which of them refuse.
func (l *Limiter) judge(s *side, t *instant, out *Status) {
	if s.limits.PerMinute > 0 {
		s.e.expire(s.runs, t.now)
		if s.wait = l.minuteWait(s.e, s.runs, &s.question, t); s.wait != 0 {
			out.RetryAt = max(out.RetryAt, after(t, s.wait))
		}
	}
	if s.limits.PerDay > 0 && s.e.left(s.limits.PerDay) < s.need {
		s.full = true
		l.lookAgain(s.e, &s.question, t)
		out.RetryAt = max(out.RetryAt, s.e.retry(s.limits.PerDay, s.need))
	}
}

// lacking asks for the day's next block where the one in hand does not suffice.
func (l *Limiter) lacking(s *side, t *instant, earlier *batch) *batch {
	if s.limits.PerDay > 0 && int64(s.e.unspent) < s.spend {
		return l.claim(s.e, &s.question, t)
	}
	return earlier
}

// decideOnBoth is the decision: a function of both states, the instant and the question.
func (l *Limiter) decideOnBoth(own, all *side, t *instant, s *Status) (o Outcome, b *batch) {
	l.judge(own, t, s)
	l.judge(all, t, s)
	switch {
	case own.wait != 0 || all.wait != 0:
		o = MinuteSpent
		s.ByPlan = own.wait == 0
	case own.full || all.full:
		o = DaySpent
		s.ByPlan = !own.full
	default:
		b = l.lacking(own, t, nil)
		if b = l.lacking(all, t, b); b != nil {
			return Unavailable, b
		}
		if own.spend > 0 {
			l.spend(own.sh, own.e, own.runs, &own.question, t)
			l.spend(all.sh, all.e, all.runs, &all.question, t)
		}
	}
	all.sh.tell(all.e, all.limits, t, s)
	s.WorkspaceMinute, s.WorkspaceDay = s.Minute, s.Day
	s.Minute, s.Day = Window{}, Window{}
	own.sh.tell(own.e, own.limits, t, s)
	return o, nil
}
