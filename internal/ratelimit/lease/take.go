package lease

import (
	"errors"

	"github.com/keyward/keyward/internal/ratelimit"
)

// Shares is ratelimit.Minutes.
func (l *Limiter) Shares(who ratelimit.Subject) bool { return l.ModeOf(who.Workspace) != Local }

// Take is ratelimit.Minutes.
func (l *Limiter) Take(
	who ratelimit.Subject, limits ratelimit.PerMinute, cost int64, s *ratelimit.Status,
) ratelimit.Outcome {
	return l.decide(&who, limits, turn{cost: cost}, s)
}

// Peek is ratelimit.Minutes.
func (l *Limiter) Peek(
	who ratelimit.Subject, limits ratelimit.PerMinute, cost int64, s *ratelimit.Status,
) ratelimit.Outcome {
	return l.decide(&who, limits, turn{cost: cost, peek: true}, s)
}

// turn is one verification on its way through the state of a key or of a workspace, which is locked.
type turn struct {
	l     *Limiter
	s     *state
	mode  Mode
	limit int64
	cost  int64
	peek  bool
	quick bool // answer WouldWait rather than wait for Redis
	w     *ratelimit.Window

	unanswered int // questions
}

func (l *Limiter) decide(
	who *ratelimit.Subject, limits ratelimit.PerMinute, t turn, s *ratelimit.Status,
) (o ratelimit.Outcome) {
	t.l = l
	t.mode = l.ModeOf(who.Workspace)
	t.quick = who.Wait < 0
	var retry int64
	switch {
	case limits.Workspace == 0:
		o, retry = t.only(who, who.ID, limits.Key, &s.Minute)
	case limits.Key == 0:
		o, retry = t.only(who, who.Plan.ID, limits.Workspace, &s.WorkspaceMinute)
		s.ByPlan = o == ratelimit.MinuteSpent
	default:
		p := pair{own: t, all: t}
		p.own.enter(who, who.ID, limits.Key, &s.Minute)
		p.all.enter(who, who.Plan.ID, limits.Workspace, &s.WorkspaceMinute)
		o, retry = p.run()
		p.unlock()
		s.ByPlan = o == ratelimit.MinuteSpent && p.byPlan
	}
	s.RetryAt = max(s.RetryAt, retry)
	return o
}

// only decides on one limit.
func (t *turn) only(who *ratelimit.Subject, id [16]byte, limit int64, w *ratelimit.Window) (ratelimit.Outcome, int64) {
	t.enter(who, id, limit, w)
	defer t.s.mu.Unlock()
	return t.run()
}

// enter locks the state.
func (t *turn) enter(who *ratelimit.Subject, id [16]byte, limit int64, w *ratelimit.Window) {
	t.s = t.l.state(who, id)
	t.limit = limit
	t.w = w
	*w = ratelimit.Window{Limit: limit}
}

// run decides. It asks at most 8 times, where Redis has become another or did not answer. If a question about the same
// key is under way, it waits for that answer: deciding without one while Redis gives answers would admit too much.
func (t *turn) run() (ratelimit.Outcome, int64) {
	const most = 8
	for tries := 0; tries < most; {
		at := t.l.clock.read()
		now := at.mono
		t.s.used = now
		if until, yes := t.l.foreign(now); yes {
			t.w.ResetAt = until
			return ratelimit.MinuteSpent, until
		}
		if t.ready(at) {
			t.spend(at)
			return t.admitted()
		}
		if retry, known := t.remembered(now); known {
			return t.refused(retry)
		}
		if t.l.standing.Down.Load() || t.l.shut(now) {
			return t.alone(now)
		}
		if t.quick {
			return ratelimit.WouldWait, 0
		}
		if t.s.flight != nil {
			t.wait()
			continue
		}
		if o, retry, ok := t.question(at); ok {
			return o, retry
		}
		tries++
	}
	return t.alone(t.l.clock.Mono())
}

// wait lets go of the key until the question that is under way has been answered.
func (t *turn) wait() {
	done := t.s.flight
	t.s.mu.Unlock()
	<-done
	t.s.mu.Lock()
}

// remembered tells whether Redis has refused this a moment ago.
func (t *turn) remembered(now int64) (retry int64, known bool) {
	r := &t.s.refused
	return r.retry, now < r.until && r.limit == t.limit && r.cost <= max(t.cost, 1)
}

// ready tells whether the cost fits into a lease.
func (t *turn) ready(at instant) bool {
	s := t.s
	return t.mode == Leased && !t.cold(at.mono) && s.epoch == t.l.standing.Epoch.Load().Count && s.limit == t.limit &&
		s.usable(at, max(t.cost, 1))
}

// spends tells whether an admission takes anything.
func (t *turn) spends() bool { return !t.peek && t.cost > 0 }

// spend takes the cost from the lease, and asks for the next one before this one is empty.
func (t *turn) spend(at instant) {
	s, now := t.s, at.mono
	if !t.spends() {
		return
	}
	s.lease.left -= t.cost
	s.recent.add(now/1000, t.cost, 0)
	if s.flight == nil && s.next.left == 0 && s.size > 4 && s.lease.left < s.taken/4 {
		t.ahead(at)
	}
}

// cold reports whether Redis's memory is younger than units that may still count.
func (t *turn) cold(now int64) bool { return now < t.l.standing.Cold.Load() }

// question asks Redis. ok is false if the answer has changed the way to decide.
func (t *turn) question(at instant) (o ratelimit.Outcome, retry int64, ok bool) {
	s, now := t.s, at.mono
	if err := t.pay(now); err != nil {
		return t.failed(err)
	}
	cold := t.cold(now) // after pay has taken the epoch: a bank stores Cold before its new Epoch
	switch {
	case t.l.shut(now):
		o, retry = t.alone(now)
		return o, retry, true
	case cold && t.recentOver(now):
		t.l.counts.refusedAlone.Add(1)
		return t.aloneRefused(now)
	case cold && !t.spends():
		t.tellShare(now)
		return ratelimit.Admitted, 0, true
	}
	q := t.ask(now, cold)
	done := make(chan struct{})
	s.flight = done
	epoch := s.epoch
	s.mu.Unlock()
	a, err := t.l.bank.Ask(epoch, t.cost, q)
	s.mu.Lock()
	s.flight = nil
	close(done)
	if err != nil {
		return t.failed(err)
	}
	return t.take(at, q, a[0])
}

// ask sizes the question: Exact asks for the cost alone, Leased for the units needed until the lease ends.
func (t *turn) ask(now int64, cold bool) Question {
	s := t.s
	q := Question{Of: s.of, Limit: t.limit, Want: t.cost}
	switch {
	case !t.spends():
		q.Want = 0
	case cold: // no share in advance; the bank's word says how much others may admit in the meantime
	case t.mode == Leased:
		q.Want, q.Ahead = max(t.cost, t.lease(now)), seconds(Time)
	}
	s.limit = t.limit
	q.Settle = s.settle()
	return q
}

// lease adapts the size of leases: doubled where the last was spent within half of its time, halved where more than
// half was left. No node takes more than a fourth of its share of the limit at once.
func (t *turn) lease(now int64) int64 {
	s := t.s
	most := t.limit / (4 * t.l.standing.askers())
	switch {
	case s.size == 0:
		s.size = 1
	case s.lease.left == 0 && now-s.grantedAt < Time.Milliseconds()/2:
		s.size *= 2
	case s.lease.left > s.taken/2:
		s.size = (s.size + 1) / 2
	}
	s.size = max(min(s.size, most), 1)
	return s.size
}

// take makes a lease of the answer, and spends the cost.
func (t *turn) take(at instant, q Question, a Answer) (ratelimit.Outcome, int64, bool) {
	s := t.s
	s.charged, s.reset = a.Charged, a.Reset
	if q.Want == 0 {
		if a.Charged+max(t.cost, 1) > t.limit {
			o, retry := t.refused(again(a.Retry))
			return o, retry, true
		}
		o, retry := t.admitted()
		return o, retry, true
	}
	if a.Granted < t.cost {
		t.remember(&a)
		o, retry := t.refused(again(a.Retry))
		return o, retry, true
	}
	t.begin(at, q, &a)
	o, retry := t.admitted()
	return o, retry, true
}

// remember keeps a refusal for a moment.
func (t *turn) remember(a *Answer) {
	t.s.refused = refusal{until: t.l.clock.Mono() + a.Known, limit: t.limit, cost: t.cost, retry: again(a.Retry)}
}

// begin counts the cost that Redis has granted, and makes a lease of the rest.
func (t *turn) begin(at instant, q Question, a *Answer) {
	s, now := t.s, at.mono
	s.recent.add(now/1000, t.cost, 0)
	if q.Ahead > 0 {
		s.start(grant{left: a.Granted, until: at.add(Time), lot: a.Lot}, now)
		s.lease.left -= t.cost
	}
}

// ahead asks for the next lease in the background.
func (t *turn) ahead(at instant) {
	s, l := t.s, t.l
	s.size = max(min(2*s.size, t.limit/(4*l.standing.askers())), 1)
	q := Question{Of: s.of, Limit: t.limit, Want: s.size, Ahead: seconds(Time), Settle: rests(s.back)}
	s.back = nil
	count := s.epoch
	done := make(chan struct{})
	s.flight = done
	l.tasks.Go(func() {
		both, err := l.bank.Ask(count, 1, q)
		a := &both[0]
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flight = nil
		close(done)
		if err != nil {
			return
		}
		s.charged, s.reset = a.Charged, a.Reset
		if a.Granted > 0 && s.epoch == count && s.limit == q.Limit {
			s.next = grant{left: a.Granted, until: at.add(Time), lot: a.Lot}
		}
	})
}

// failed has run try again: by then Redis is another, or down, or was silent for a moment. Where a question was
// answered with an error, or a second one had no answer, this key goes on without Redis.
func (t *turn) failed(err error) (o ratelimit.Outcome, retry int64, decided bool) {
	if !errors.Is(err, ErrOtherEpoch) {
		t.unanswered++
	}
	if !errors.Is(err, ErrAlone) && t.unanswered < 2 {
		return 0, 0, false
	}
	o, retry = t.alone(t.l.clock.Mono())
	return o, retry, true
}

// pay charges units in Redis that were admitted for this key without it, and drops leases of an earlier epoch. Units
// that Redis has lost need no charge: by the time that an epoch is no longer cold they have run out.
func (t *turn) pay(now int64) error {
	s := t.s
	owed := t.owed(now)
	if len(owed) == 0 {
		return nil
	}
	done := make(chan struct{})
	s.flight = done
	epoch, of := s.epoch, s.of // of a workspace, the key changes with each of its keys
	s.mu.Unlock()
	err := t.l.bank.Charge(epoch, of, owed)
	s.mu.Lock()
	s.flight = nil
	close(done)
	if err != nil {
		s.owe(owed, now)
	}
	return err
}

// owed lists the units to charge, in the present epoch.
func (t *turn) owed(now int64) []Owing {
	s := t.s
	if e := t.l.standing.Epoch.Load(); s.epoch != e.Count {
		s.epoch, s.lease, s.next, s.back = e.Count, grant{}, grant{}, nil
		if e.Step > 0 {
			s.recent.forgotten(now/1000, e.Step)
		}
	}
	return s.recent.owing(now / 1000)
}

func (t *turn) admitted() (ratelimit.Outcome, int64) {
	t.w.Remaining = max(t.limit-t.s.charged+t.s.lease.left+t.s.next.left, 0)
	t.w.ResetAt = t.s.reset
	return ratelimit.Admitted, 0
}

// again is RetryAt in the words of Status.
func again(retry int64) int64 {
	if retry < 0 {
		return ratelimit.Never
	}
	return retry
}

func (t *turn) refused(retry int64) (ratelimit.Outcome, int64) {
	t.w.Remaining = max(t.limit-t.s.charged, 0)
	t.w.ResetAt = t.s.reset
	return ratelimit.MinuteSpent, retry
}
