package lease

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// Teller hands a bank's units to other processes, which are believed as little as possible: a lease is given back once,
// by the holder that has it, and never for more than was granted. A question that comes again gets its first answer. It
// is safe for concurrent use.
type Teller struct {
	bank    Bank
	clock   *Clock
	mu      sync.Mutex
	holders map[string]*holder
	swept   int64
	last    int64 // the number of the latest lease
}

// firstLease bounds the number at which a teller begins. Every client reads up to twice as much exactly.
const firstLease = 1 << 52

// holder is a process that has leases.
type holder struct {
	answers map[uint64]*answered // by the number of the question
	order   []uint64             // the same, as they came
	floor   uint64               // questions up to this number are forgotten, and refused
	lots    map[int64]lot
	used    int64 // monotonic milliseconds
}

// answered is a question, and once done is closed its answer.
type answered struct {
	about   about
	done    chan struct{}
	at      int64 // monotonic milliseconds
	answers [2]Answer
	err     error
}

// about is what a question is about. A number is for one question, however often that comes.
type about struct {
	owed bool
	cost int64
	of   [2][16]byte
	want [2]int64
}

func aboutOf(cost int64, questions []Question) (a about) {
	a.cost = cost
	for i := range min(len(questions), len(a.of)) {
		a.of[i], a.want[i] = questions[i].Of.ID, questions[i].Want
	}
	return a
}

// lot is a part of the bank's units that a holder has.
type lot struct {
	of    [16]byte
	lot   int64 // of the bank
	epoch uint64
	left  int64
	until int64 // monotonic milliseconds
}

const (
	// Remembered is for how long a question is known when it comes again.
	Remembered = 30 * time.Second

	mostAnswers = 20_000 // of one holder, beyond which the oldest are forgotten sooner
	mostHolders = 10_000
	backFor     = (Window + 1) * 1000 // milliseconds after which a lease cannot be given back any more
)

var (
	// ErrAway says that the bank grants nothing now: its memory is gone, or it cannot be asked.
	ErrAway = errors.New("limits per minute cannot be asked now")
	// ErrOld says that a question comes again so late that its answer is forgotten.
	ErrOld = errors.New("this number was used long ago")
	// ErrReused says that a number was another question's.
	ErrReused = errors.New("this number was used for another question")
	// ErrTooMany says that as many processes hold leases as may.
	ErrTooMany = errors.New("as many processes hold leases as may")
)

// NewTeller makes a teller. It goes by the clock of the bank. Its leases have numbers that those of other tellers do
// not have, as far as chance goes: a holder may give a lease back to another node, or to this one after a restart.
func NewTeller(b Bank, clock *Clock) *Teller {
	return &Teller{bank: b, clock: clock, holders: map[string]*holder{}, last: rand.Int64N(firstLease)}
}

// Sharers is how many share a limit.
func (t *Teller) Sharers() int64 { return t.bank.Standing().Sharers() }

// Away is for how long the bank grants nothing, as far as that is known: 0 where it does.
func (t *Teller) Away() time.Duration {
	s := t.bank.Standing()
	now := t.clock.Mono()
	until := max(s.Cold.Load(), s.Foreign.Load())
	switch {
	case s.Down.Load():
		return time.Second
	case now < until:
		return time.Duration(until-now) * time.Millisecond
	}
	return 0
}

// Ask asks the bank for a holder, under a number that the holder uses for this question alone. Lots are named by the
// teller, and so are those that are given back.
func (t *Teller) Ask(who string, number uint64, cost int64, questions ...Question) ([2]Answer, error) {
	one, fresh, err := t.enter(who, number, aboutOf(cost, questions))
	if err != nil {
		return [2]Answer{}, err
	}
	if !fresh {
		<-one.done
		return one.answers, one.err
	}
	defer close(one.done)
	epoch := t.bank.Standing().Epoch.Load().Count // before the bank is asked how it is
	if one.err = ErrAway; t.Away() > 0 {
		return one.answers, one.err
	}
	for i := range questions {
		questions[i].Settle = t.settled(who, &questions[i], epoch)
	}
	one.answers, one.err = t.bank.Ask(epoch, cost, questions...)
	if one.err == nil && t.bank.Standing().Epoch.Load().Count != epoch {
		// The bank has forgotten meanwhile what it had lent. What it has granted now stays charged, and is not spent.
		one.answers, one.err = [2]Answer{}, ErrAway
	}
	if one.err == nil {
		t.granted(who, questions, &one.answers, epoch)
	}
	return one.answers, one.err
}

// Charge charges units that a holder admitted without the bank, under a number of their own.
func (t *Teller) Charge(who string, number uint64, of Account, owed []Owing) error {
	one, fresh, err := t.enter(who, number, about{owed: true, of: [2][16]byte{of.ID}})
	if err != nil {
		return err
	}
	if !fresh {
		<-one.done
		return one.err
	}
	defer close(one.done)
	if one.err = ErrAway; t.Away() == 0 {
		one.err = t.bank.Charge(t.bank.Standing().Epoch.Load().Count, of, owed)
	}
	return one.err
}

// enter gives the question of a number, and whether it is new.
func (t *Teller) enter(who string, number uint64, what about) (one *answered, fresh bool, err error) {
	now := t.clock.Mono()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	h := t.holders[who]
	if h == nil {
		if len(t.holders) >= mostHolders {
			return nil, false, ErrTooMany
		}
		h = &holder{answers: map[uint64]*answered{}, lots: map[int64]lot{}}
		t.holders[who] = h
	}
	h.used = now
	h.forget(now)
	if one = h.answers[number]; one != nil {
		if one.about != what {
			return nil, false, ErrReused
		}
		return one, false, nil
	}
	if number <= h.floor {
		return nil, false, ErrOld
	}
	one = &answered{about: what, done: make(chan struct{}), at: now}
	h.answers[number] = one
	h.order = append(h.order, number)
	return one, true, nil
}

// forget drops answers that are old, or too many. Numbers up to the highest that was dropped are refused from then on.
func (h *holder) forget(now int64) {
	n := 0
	for n < len(h.order) {
		if one := h.answers[h.order[n]]; now-one.at < Remembered.Milliseconds() && len(h.order)-n <= mostAnswers {
			break
		}
		h.floor = max(h.floor, h.order[n])
		delete(h.answers, h.order[n])
		n++
	}
	if h.order = h.order[n:]; n > 0 && len(h.order) == 0 {
		h.order = nil
	}
}

// sweep forgets holders that have asked nothing for so long that nothing of theirs can come again.
func (t *Teller) sweep(now int64) {
	if now-t.swept < 10_000 {
		return
	}
	t.swept = now
	for who, h := range t.holders {
		if now-h.used > backFor {
			delete(t.holders, who)
			continue
		}
		for name, l := range h.lots {
			if now > l.until {
				delete(h.lots, name)
			}
		}
	}
}

// settled translates the leases that a holder gives back. Those that it does not have, or not so much of, or not for
// this account, stay charged.
func (t *Teller) settled(who string, q *Question, epoch uint64) (all []Rest) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.holders[who]
	if h == nil {
		return nil
	}
	for _, r := range q.Settle {
		l, there := h.lots[r.Lot]
		units := min(l.left, r.Units)
		if !there || l.of != q.Of.ID || l.epoch != epoch || units <= 0 {
			continue
		}
		if l.left -= units; l.left > 0 {
			h.lots[r.Lot] = l
		} else {
			delete(h.lots, r.Lot)
		}
		all = append(all, Rest{Lot: l.lot, Units: units})
	}
	return all
}

// granted names the leases of an answer.
func (t *Teller) granted(who string, questions []Question, answers *[2]Answer, epoch uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.holders[who]
	for i := range questions {
		a := &answers[i]
		if a.Granted == 0 || questions[i].Ahead == 0 || h == nil {
			a.Lot = 0
			continue
		}
		t.last++
		h.lots[t.last] = lot{
			of: questions[i].Of.ID, lot: a.Lot, epoch: epoch, left: a.Granted, until: t.clock.Mono() + backFor,
		}
		a.Lot = t.last
	}
}
