package ratelimit

// askShared decides where the minutes are kept elsewhere. The days are charged first, in memory, since that can be
// undone without a trace; then the minutes, which are asked even when a day has refused, so that the contract's order
// of the two holds.
func (l *Limiter) askShared(q *question, s *Status) Outcome {
	shared := q.who.shared()
	minutes := PerMinute{Key: q.limits.PerMinute, Workspace: shared.PerMinute}
	days := q.limits.PerDay > 0 || shared.PerDay > 0
	o := Admitted
	if days {
		day := *q
		day.limits.PerMinute = 0
		day.daysOnly = true
		if o = l.askOwn(&day, s); o == Unavailable || o == WouldWait {
			return o
		}
	}
	byPlan := s.ByPlan
	s.ByPlan = false
	var m Outcome
	if q.spend == 0 || o != Admitted {
		m = l.minutes.Peek(q.who, minutes, q.need, s)
	} else {
		m = l.minutes.Take(q.who, minutes, q.spend, s)
	}
	if m == Admitted {
		s.ByPlan = byPlan
		return o
	}
	if o == Admitted && q.spend > 0 && days {
		l.undo(q, s)
	}
	if m == Unavailable || m == WouldWait {
		*s = Status{}
	}
	return m
}

// undo puts back the units charged to the days, unless a day has ended.
func (l *Limiter) undo(q *question, s *Status) {
	if q.limits.PerDay > 0 {
		l.undoDay(&q.who.ID, q.spend, &s.Day)
	}
	if q.who.shared().PerDay > 0 {
		l.undoDay(&q.who.Plan.ID, q.spend, &s.WorkspaceDay)
	}
}

func (l *Limiter) undoDay(id *[16]byte, units int64, w *Window) {
	h := spread(id)
	sh := &l.shards[h>>(64-shardBits)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e := sh.find(h, id); e != nil && e.loaded && e.ends() == w.ResetAt {
		e.unspent += uint32(units)
		w.Remaining += units
		return
	}
	l.stats.forfeited.Add(units)
}
