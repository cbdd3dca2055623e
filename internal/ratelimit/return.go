package ratelimit

// Return resumes an earlier day after the wall clock was put right: the units of the later day that the jump began
// are given back, and the ledger is asked about the earlier day. Call it every few seconds.
func (l *Limiter) Return() {
	t := l.timer.instant()
	if last := l.day.Swap(uint32(t.today)); uint32(t.today) >= last {
		return
	}
	for i := range l.shards {
		l.returnTo(&l.shards[i])
	}
}

func (l *Limiter) returnTo(sh *shard) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return
	}
	t := l.now(sh, 0)
	for i := range sh.entries {
		e := &sh.entries[i]
		if !e.live || e.day <= t.today {
			continue
		}
		l.giveBack(e, &t)
		e.day, e.unspent, e.reserved, e.loaded = t.today, 0, 0, false
	}
}
