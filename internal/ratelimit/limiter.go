package ratelimit

import (
	"sync/atomic"
	"time"
)

// Config holds the parts of a Limiter. Elapsed and Wall are needed, and a Ledger if keys have limits per day.
type Config struct {
	Elapsed func() time.Duration // since some moment, by a clock that is never set
	Wall    func() time.Time     // by which days are told; it must not run backwards
	Ledger  Ledger
	Minutes Minutes       // nil: the limiter keeps the windows itself
	Wait    time.Duration // how long a request waits for a block of its day at most; 0 is 2 seconds
	// Shut is how long no key with a limit per minute is admitted after New, for an installation that would rather
	// refuse than admit twice the limit after a crash.
	Shut time.Duration
}

// Limiter counts the use of keys. It has state only for keys that have a limit and were used within the last minute,
// or, with a limit per day, within the last ten; Sweep frees the rest. It is safe for concurrent use, and in the
// steady state a decision allocates nothing, takes the lock of one of 1,024 parts and reads the clock once.
//
// A decision about the minute is true at the instant of the decision, which lies within the call. Callers wait only
// for the ledger: if the day's block of their key has run out before the next one arrived.
type Limiter struct {
	timer    *timer
	minutes  Minutes
	desk     *claimQueue
	patience time.Duration
	shut     instant // until then nothing is admitted by a minute
	isShut   atomic.Bool
	next     atomic.Uint32 // where Sweep goes on
	day      atomic.Uint32 // that Return has seen
	stats    counters
	pool     pool
	shards   *[1 << shardBits]shard // alone, so that each begins a line of the cache
}

// New makes a limiter and begins to serve its claims; Close ends that.
func New(c Config) *Limiter {
	l := &Limiter{timer: newTimer(c.Elapsed, c.Wall), minutes: c.Minutes, patience: c.Wait}
	l.shards = new([1 << shardBits]shard)
	for i := range l.shards {
		l.shards[i].pool = &l.pool
	}
	if l.patience == 0 {
		l.patience = 2 * time.Second
	}
	if c.Shut > 0 {
		l.shut = l.timer.instant()
		l.shut.now += uint32(c.Shut.Milliseconds())
		l.isShut.Store(true)
	}
	l.desk = newClaimQueue(c.Ledger, l.settled, &l.stats)
	return l
}

// Take admits a cost under all limits, the key's and those of its workspace's plan, or under none, and says in s how
// they stand afterwards. A cost of 0 spends nothing, and is refused where not even 1 would be admitted; a cost above a
// limit is always refused, with Never.
func (l *Limiter) Take(who Subject, limits Limits, cost int64, s *Status) Outcome {
	return l.ask(&question{who: who, limits: limits, need: max(cost, 1), spend: cost}, s)
}

// Peek is Take that spends nothing, for any cost.
func (l *Limiter) Peek(who Subject, limits Limits, cost int64, s *Status) Outcome {
	return l.ask(&question{who: who, limits: limits, need: max(cost, 1)}, s)
}

// ReadClocks has decisions from now on know that the wall clock was set. Otherwise they know it milliseconds later.
func (l *Limiter) ReadClocks() { l.timer.look() }

// question holds two amounts: need has to fit, spend is taken.
type question struct {
	who         Subject
	limits      Limits // the key's
	need, spend int64
	daysOnly    bool // the plan's minute is kept elsewhere
}

// plan is the limits of the workspace that are counted here.
func (q *question) plan() Limits {
	p := q.who.Plan.Limits
	if q.daysOnly {
		p.PerMinute = 0
	}
	return p
}

func (l *Limiter) ask(q *question, s *Status) Outcome {
	s.reset()
	if l.minutes != nil && (q.limits.PerMinute > 0 || q.who.Plan != nil && q.who.Plan.Limits.PerMinute > 0) &&
		l.minutes.Shares(q.who) {
		return l.askShared(q, s)
	}
	return l.askOwn(q, s)
}

// askOwn decides on all limits at one instant, again and again until the days are known.
func (l *Limiter) askOwn(q *question, s *Status) Outcome {
	o, batch := l.decide(q, s)
	if batch == nil {
		return o
	}
	if q.who.Wait < 0 {
		*s = Status{}
		return WouldWait
	}
	l.stats.waits.Add(1)
	wait := l.patience
	if q.who.Wait > 0 {
		wait = min(wait, q.who.Wait)
	}
	patience := time.NewTimer(wait)
	defer patience.Stop()
	for q.who.At = 0; batch != nil; { // what was now is past
		select {
		case <-batch.done:
		case <-patience.C:
			l.stats.timeouts.Add(1)
			*s = Status{}
			return Unavailable
		}
		if batch.err != nil {
			*s = Status{}
			return Unavailable
		}
		o, batch = l.decide(q, s)
	}
	return o
}

// decide is one look at the state. Where the day's block is lacking it answers the batch that brings it.
func (l *Limiter) decide(q *question, s *Status) (Outcome, *batch) {
	if q.who.Plan != nil && q.plan() != (Limits{}) {
		return l.decideBoth(q, s)
	}
	h := spread(&q.who.ID)
	sh := &l.shards[h>>(64-shardBits)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed {
		return Unavailable, nil
	}
	t := l.now(sh, q.who.At)
	e := sh.find(h, &q.who.ID)
	if e == nil {
		if q.limits.PerDay == 0 && (q.spend == 0 || q.limits.PerMinute == 0) {
			return l.untouched(q, &t, s), nil
		}
		e = sh.insert(h, &q.who.ID)
	}
	e.touched = t.seconds
	if q.limits.PerDay > 0 {
		if e.turn(t.today); !e.loaded {
			return Unavailable, l.claim(e, q, &t)
		}
	}
	return l.decideOn(sh, e, q, &t, s)
}

// now is the instant of a decision: the time of the question, or else now, but never before an earlier decision in
// this part. That lies within the call, because this call holds the lock after the earlier one; so a window that has
// dropped units older than a minute is never asked about a time at which they still counted.
func (l *Limiter) now(sh *shard, at time.Duration) instant {
	m := int64(at)
	if m == 0 {
		m = int64(l.timer.elapsed())
	}
	sh.latest = max(sh.latest, m)
	return l.timer.at(sh.latest)
}

// decideOn is the decision: a function of the state, the instant and the question.
func (l *Limiter) decideOn(sh *shard, e *entry, q *question, t *instant, s *Status) (o Outcome, b *batch) {
	var runs []run
	if q.limits.PerMinute > 0 {
		runs = sh.runs(e)
		e.expire(runs, t.now)
		if wait := l.minuteWait(e, runs, q, t); wait != 0 {
			o, s.RetryAt = MinuteSpent, after(t, wait)
		}
	}
	if q.limits.PerDay > 0 {
		left := e.left(q.limits.PerDay)
		switch {
		case left < q.need:
			l.lookAgain(e, q, t)
			s.RetryAt = max(s.RetryAt, e.retry(q.limits.PerDay, q.need))
			if o == Admitted {
				o = DaySpent
			}
		case o == Admitted && int64(e.unspent) < q.spend:
			return Unavailable, l.claim(e, q, t)
		}
	}
	if o == Admitted && q.spend > 0 {
		l.spend(sh, e, runs, q, t)
	}
	sh.tell(e, q.limits, t, s)
	return o, nil
}

// minuteWait is how long the minute does not admit the question: 0 now, -1 never.
func (l *Limiter) minuteWait(e *entry, runs []run, q *question, t *instant) int64 {
	wait := int64(0)
	if int64(e.used)+q.need > q.limits.PerMinute {
		wait = e.wait(runs, t.now, q.limits.PerMinute, q.need)
	}
	if shut := l.shutFor(t); shut > 0 && wait >= 0 {
		wait = max(wait, shut)
	}
	return wait
}

// shutFor is how many milliseconds the limiter stays shut.
func (l *Limiter) shutFor(t *instant) int64 {
	if !l.isShut.Load() {
		return 0
	}
	left := -int64(since(l.shut.now, t.now))
	if left <= 0 {
		l.isShut.Store(false)
	}
	return left
}

// spend takes the cost from both limits.
func (l *Limiter) spend(sh *shard, e *entry, runs []run, q *question, t *instant) {
	if q.limits.PerMinute > 0 {
		sh.admit(e, runs, t.stamp, q.limits.PerMinute, q.spend)
	}
	if q.limits.PerDay == 0 {
		return
	}
	e.unspent -= uint32(q.spend)
	if !e.pending && e.low(q.limits.PerDay) {
		l.claim(e, q, t)
	}
}

// tell says how the limits stand.
func (s *shard) tell(e *entry, limits Limits, t *instant, out *Status) {
	if limits.PerMinute > 0 {
		out.Minute = Window{
			Limit: limits.PerMinute, Remaining: e.room(limits.PerMinute), ResetAt: t.wall + e.drains(s.runs(e), t.now),
		}
	}
	if limits.PerDay > 0 {
		out.Day = Window{Limit: limits.PerDay, Remaining: e.left(limits.PerDay), ResetAt: e.ends()}
	}
}

// untouched decides on a key of which nothing is known, since it was not used lately.
func (l *Limiter) untouched(q *question, t *instant, s *Status) Outcome {
	limit := q.limits.PerMinute
	if limit == 0 {
		return Admitted
	}
	s.Minute = Window{Limit: limit, Remaining: limit, ResetAt: t.wall}
	if wait := l.minuteWait(&entry{}, nil, q, t); wait != 0 {
		s.RetryAt = after(t, wait)
		return MinuteSpent
	}
	return Admitted
}

// after is the moment some milliseconds from now; less than none is never.
func after(t *instant, wait int64) int64 {
	if wait < 0 {
		return Never
	}
	return t.wall + wait
}

// claim asks the ledger for the key's next block, unless that is under way. A question that spends nothing reserves
// nothing.
func (l *Limiter) claim(e *entry, q *question, t *instant) *batch {
	if e.pending {
		return l.desk.last()
	}
	c := Claim{ID: e.id, Day: int64(e.day), Limit: q.limits.PerDay}
	if q.spend == 0 {
		e.look(t.seconds)
	} else {
		c.Want = e.ask(q.limits.PerDay, q.spend, t.seconds)
	}
	return l.desk.add(c)
}

// lookAgain asks the ledger, at most now and then, whether units were given back, by another node for instance.
func (l *Limiter) lookAgain(e *entry, q *question, t *instant) {
	if !e.pending && t.seconds-e.asked >= stale {
		e.look(t.seconds)
		l.desk.add(Claim{ID: e.id, Day: int64(e.day), Limit: q.limits.PerDay})
	}
}

// settled applies the outcome of a claim.
func (l *Limiter) settled(c *Claim, err error) {
	h := spread(&c.ID)
	sh := &l.shards[h>>(64-shardBits)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.find(h, &c.ID)
	switch {
	case err != nil:
		if e != nil {
			e.pending = false
		}
	case e == nil:
		l.stats.forfeited.Add(c.Granted)
	default:
		l.stats.forfeited.Add(e.told(c))
	}
}
