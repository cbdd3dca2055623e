package lease

import (
	"errors"

	"github.com/keyward/keyward/internal/ratelimit"
)

// pair is one verification on its way through the states of a key and of its workspace. Both are locked, the key's
// first, whenever either is looked at.
type pair struct {
	own, all turn
	byPlan   bool // the workspace's limit alone refused
}

func (p *pair) lock() {
	p.own.s.mu.Lock()
	p.all.s.mu.Lock()
}

func (p *pair) unlock() {
	p.all.s.mu.Unlock()
	p.own.s.mu.Unlock()
}

// run is turn.run for both: nothing is spent before both have room.
func (p *pair) run() (ratelimit.Outcome, int64) {
	const most = 8
	l := p.own.l
	for tries := 0; tries < most; {
		at := l.clock.read()
		p.own.s.used, p.all.s.used = at.mono, at.mono
		if until, yes := l.foreign(at.mono); yes {
			p.own.w.ResetAt, p.all.w.ResetAt = until, until
			return ratelimit.MinuteSpent, until
		}
		own, all := p.own.ready(at), p.all.ready(at)
		if own && all {
			p.own.spend(at)
			p.all.spend(at)
			return p.admitted()
		}
		first, refusedFirst := p.own.remembered(at.mono)
		second, refusedSecond := p.all.remembered(at.mono)
		if refusedFirst || refusedSecond {
			return p.refused(when(refusedFirst, first), when(refusedSecond, second))
		}
		if l.standing.Down.Load() || l.shut(at.mono) {
			return p.alone(at.mono)
		}
		if p.own.quick {
			return ratelimit.WouldWait, 0
		}
		if p.wait() {
			continue
		}
		if o, retry, ok := p.question(at, own, all); ok {
			return o, retry
		}
		tries++
	}
	return p.alone(l.clock.Mono())
}

func when(known bool, retry int64) int64 {
	if known {
		return retry
	}
	return 0
}

// wait lets go of both until the question that is under way about either has been answered.
func (p *pair) wait() bool {
	done := p.own.s.flight
	if done == nil {
		done = p.all.s.flight
	}
	if done == nil {
		return false
	}
	p.unlock()
	<-done
	p.lock()
	return true
}

// held is a unit that was spent from a lease while the other side is asked about.
type held struct {
	t     *turn
	grant grant
	epoch uint64
	at    int64 // monotonic milliseconds
}

// hold spends the cost from the lease.
func (t *turn) hold(at instant) held {
	h := held{t: t, grant: t.s.lease, epoch: t.s.epoch, at: at.mono}
	t.spend(at)
	return h
}

// giveBack puts the cost back where it came from: into the lease, or where that has ended meanwhile, with its rest.
// Redis has forgotten the leases of an earlier epoch.
func (h *held) giveBack() {
	if h.t == nil || !h.t.spends() {
		return
	}
	s := h.t.s
	s.recent.add(h.at/1000, -h.t.cost, 0)
	switch {
	case s.epoch != h.epoch:
	case s.lease.lot == h.grant.lot && s.lease.until == h.grant.until:
		s.lease.left += h.t.cost
	default:
		s.back = append(s.back, grant{left: h.t.cost, lot: h.grant.lot})
	}
}

// question asks Redis about the sides that have no lease, in one script where that is both. A side that has one is held
// meanwhile. ok is false if the answer has changed the way to decide.
func (p *pair) question(at instant, own, all bool) (o ratelimit.Outcome, retry int64, ok bool) {
	now := at.mono
	if owes, err := p.pay(now); err != nil {
		return p.failed(err)
	} else if owes || own != p.own.ready(at) || all != p.all.ready(at) {
		return 0, 0, false // the states may be others now
	}
	cold := p.own.cold(now) // after pay has taken the epoch: a bank stores Cold before its new Epoch
	if p.own.l.shut(now) {
		o, retry = p.alone(now)
		return o, retry, true
	}
	if cold {
		switch over := p.over(now); {
		case over:
			p.own.l.counts.refusedAlone.Add(1)
			o, retry = p.aloneRefused(now)
			return o, retry, true
		case !p.own.spends():
			p.tellShare(now)
			return ratelimit.Admitted, 0, true
		}
	}
	var kept held
	var asks []Question
	var sides []*turn
	for _, side := range []struct {
		t     *turn
		ready bool
	}{{&p.own, own}, {&p.all, all}} {
		if side.ready {
			kept = side.t.hold(at)
			continue
		}
		asks = append(asks, side.t.ask(now, cold))
		sides = append(sides, side.t)
	}
	answers, err := p.ask(sides, asks, cold)
	if err != nil {
		kept.giveBack()
		return p.failed(err)
	}
	return p.take(at, sides, asks, answers, &kept)
}

// ask sends the questions. In mode Exact, keys of one workspace need not wait for each other: Redis counts each
// question by itself. A lease is asked for by one at a time, and so is a cold Redis.
func (p *pair) ask(sides []*turn, asks []Question, cold bool) (answers [2]Answer, err error) {
	l, done := p.own.l, make(chan struct{})
	for _, t := range sides {
		if t != &p.all || cold || t.mode == Leased {
			t.s.flight = done
		}
	}
	epoch := p.own.s.epoch
	p.unlock()
	answers, err = l.bank.Ask(epoch, p.own.cost, asks...)
	p.lock()
	p.landed(done)
	return answers, err
}

// landed ends the flights of a question.
func (p *pair) landed(done chan struct{}) {
	for _, t := range []*turn{&p.own, &p.all} {
		if t.s.flight == done {
			t.s.flight = nil
		}
	}
	close(done)
}

// take makes leases of the answers, or puts the held units back.
func (p *pair) take(
	at instant, sides []*turn, asks []Question, answers [2]Answer, kept *held,
) (ratelimit.Outcome, int64, bool) {
	var first, second int64
	for i, t := range sides {
		a := &answers[i]
		t.s.charged, t.s.reset = a.Charged, a.Reset
		if a.Retry == 0 {
			continue
		}
		if asks[i].Want > 0 {
			t.remember(a)
		}
		if t == &p.own {
			first = again(a.Retry)
		} else {
			second = again(a.Retry)
		}
	}
	if first != 0 || second != 0 {
		kept.giveBack()
		o, retry := p.refused(first, second)
		return o, retry, true
	}
	for i, t := range sides {
		if asks[i].Want > 0 {
			t.begin(at, asks[i], &answers[i])
		}
	}
	o, retry := p.admitted()
	return o, retry, true
}

// failed is turn.failed.
func (p *pair) failed(err error) (o ratelimit.Outcome, retry int64, decided bool) {
	if !errors.Is(err, ErrOtherEpoch) {
		p.own.unanswered++
	}
	if !errors.Is(err, ErrAlone) && p.own.unanswered < 2 {
		return 0, 0, false
	}
	o, retry = p.alone(p.own.l.clock.Mono())
	return o, retry, true
}

// pay is turn.pay for both. It tells whether there was anything to pay.
func (p *pair) pay(now int64) (bool, error) {
	own, all := p.own.owed(now), p.all.owed(now)
	if len(own)+len(all) == 0 {
		return false, nil
	}
	l, done := p.own.l, make(chan struct{})
	p.own.s.flight, p.all.s.flight = done, done
	epoch, ofOwn, ofAll := p.own.s.epoch, p.own.s.of, p.all.s.of
	p.unlock()
	charge := func(of Account, owed []Owing) error {
		if len(owed) == 0 {
			return nil
		}
		return l.bank.Charge(epoch, of, owed)
	}
	first := charge(ofOwn, own)
	second := charge(ofAll, all)
	p.lock()
	p.landed(done)
	if first != nil {
		p.own.s.owe(own, now)
	}
	if second != nil {
		p.all.s.owe(all, now)
	}
	return true, errors.Join(first, second)
}

// alone decides by the policy. The admitted units are owed to Redis, by both.
func (p *pair) alone(now int64) (ratelimit.Outcome, int64) {
	l := p.own.l
	switch {
	case l.policy == Closed, l.policy == Share && p.over(now):
		l.counts.refusedAlone.Add(1)
		return p.aloneRefused(now)
	case p.own.spends():
		l.counts.admittedAlone.Add(p.own.cost)
		p.own.s.recent.add(now/1000, p.own.cost, p.own.cost)
		p.all.s.recent.add(now/1000, p.all.cost, p.all.cost)
	}
	p.tellShare(now)
	return ratelimit.Admitted, 0
}

func (p *pair) over(now int64) bool { return p.own.recentOver(now) || p.all.recentOver(now) }

func (p *pair) tellShare(now int64) {
	p.own.tellShare(now)
	p.all.tellShare(now)
}

func (p *pair) aloneRefused(now int64) (o ratelimit.Outcome, retry int64) {
	closed := p.own.l.policy == Closed
	p.tellShare(now)
	p.byPlan = !closed && !p.own.recentOver(now)
	if closed || !p.byPlan {
		o, retry, _ = p.own.aloneRefused(now)
	}
	if closed || p.all.recentOver(now) {
		var later int64
		o, later, _ = p.all.aloneRefused(now)
		retry = max(retry, later)
	}
	if closed {
		p.own.w.Remaining, p.all.w.Remaining = 0, 0
	}
	return o, retry
}

func (p *pair) admitted() (ratelimit.Outcome, int64) {
	p.own.admitted()
	p.all.admitted()
	return ratelimit.Admitted, 0
}

// refused tells until when the key's and the workspace's limits refuse; 0 is one that does not.
func (p *pair) refused(own, all int64) (ratelimit.Outcome, int64) {
	p.admitted()
	p.byPlan = own == 0
	if own != 0 {
		p.own.refused(own)
	}
	if all != 0 {
		p.all.refused(all)
	}
	return ratelimit.MinuteSpent, max(own, all)
}
