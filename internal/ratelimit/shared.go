package ratelimit

// askShared decides where the minute is kept elsewhere. The day is charged first, in memory, since that can be undone
// without a trace; then the minute, which is asked even when the day has refused, so that the contract's order of the
// two holds.
func (l *Limiter) askShared(q *question, s *Status) Outcome {
	o := Admitted
	if q.limits.PerDay > 0 {
		day := *q
		day.limits.PerMinute = 0
		if o = l.askOwn(&day, s); o == Unavailable || o == WouldWait {
			return o
		}
	}
	var m Outcome
	var retry int64
	if q.spend == 0 || o != Admitted {
		m, retry = l.minutes.Peek(q.who, q.limits.PerMinute, q.need, &s.Minute)
	} else {
		m, retry = l.minutes.Take(q.who, q.limits.PerMinute, q.spend, &s.Minute)
	}
	if m == Admitted {
		return o
	}
	if o == Admitted && q.limits.PerDay > 0 {
		l.undo(q, s)
	}
	if m == Unavailable || m == WouldWait {
		*s = Status{}
		return m
	}
	s.RetryAt = max(s.RetryAt, retry)
	return MinuteSpent
}

// undo puts back the units charged to the day, unless that day has ended.
func (l *Limiter) undo(q *question, s *Status) {
	h := spread(&q.who.ID)
	sh := &l.shards[h>>(64-shardBits)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e := sh.find(h, &q.who.ID); e != nil && e.loaded && e.ends() == s.Day.ResetAt {
		e.unspent += uint32(q.spend)
		s.Day.Remaining += q.spend
		return
	}
	l.stats.forfeited.Add(q.spend)
}
