package ratelimit

import (
	"errors"
	"time"
)

// Loan is one side of a question for units that another process spends: those of a key, or of a workspace that has a
// plan. The first fields ask, the others answer.
type Loan struct {
	ID    [16]byte
	Limit int64 // per minute
	Want  int64 // units; 0 only asks how things stand
	Owed  int64 // were admitted without asking: they are charged beyond the limit, too
	Back  []Unspent

	Granted int64 // at most Want
	Stamp   uint32
	Charged int64 // all that counts now
	ResetIn int64 // milliseconds until nothing of that counts any more
	RetryIn int64 // milliseconds until the cost fits: 0 for now, -1 for never
}

// Unspent is a part of an earlier loan that was not spent. It is never more than was granted under the stamp.
type Unspent struct {
	Stamp uint32
	Units int64
}

// ErrClosed says that the limiter is closed.
var ErrClosed = errors.New("the limiter is closed")

// Lend charges units to the windows that this limiter keeps itself, for one loan or for two, which are granted together
// or not at all. They count as admitted at the last moment at which they may be spent, which is ahead of now. Later
// admissions of the same key count from that moment, too: at most so much longer than they would.
func (l *Limiter) Lend(cost int64, ahead time.Duration, loans ...*Loan) error {
	var shards [2]*shard
	for i, loan := range loans {
		shards[i] = l.shardOf(&loan.ID)
	}
	if len(loans) == 1 {
		shards[1] = shards[0]
	}
	first, second := shards[0], shards[1]
	if len(loans) == 2 && spread(&loans[1].ID)>>(64-shardBits) < spread(&loans[0].ID)>>(64-shardBits) {
		first, second = second, first
	}
	first.mu.Lock()
	defer first.mu.Unlock()
	if second != first {
		second.mu.Lock()
		defer second.mu.Unlock()
	}
	if first.closed || second.closed {
		return ErrClosed
	}
	first.latest = max(first.latest, second.latest)
	t := l.now(first, 0)
	second.latest = t.elapsed
	shut := max(0, l.shutFor(&t))
	fits := shut == 0
	for i, loan := range loans {
		fits = shards[i].consider(loan, cost, &t) && fits
	}
	for i, loan := range loans {
		shards[i].lend(loan, fits, cost, uint32(ahead.Milliseconds()), &t)
		if loan.RetryIn >= 0 {
			loan.RetryIn = max(loan.RetryIn, shut)
		}
	}
	return nil
}

func (l *Limiter) shardOf(id *[16]byte) *shard { return &l.shards[spread(id)>>(64-shardBits)] }

// consider takes back and charges, and tells whether the cost fits.
func (s *shard) consider(loan *Loan, cost int64, t *instant) bool {
	e := s.find(spread(&loan.ID), &loan.ID)
	if e == nil {
		if loan.Want == 0 && loan.Owed == 0 {
			return max(cost, 1) <= loan.Limit
		}
		e = s.insert(spread(&loan.ID), &loan.ID)
	}
	e.touched = t.seconds
	runs := s.runs(e)
	e.expire(runs, t.now)
	for _, b := range loan.Back {
		if since(b.Stamp, t.now) < minute {
			e.takeBack(runs, b)
		}
	}
	if loan.Owed > 0 {
		s.admit(e, runs, t.stamp, loan.Limit, min(loan.Owed, Max-min(Max, int64(e.used))))
	}
	return int64(e.used)+max(cost, 1) <= loan.Limit
}

// lend grants, and says how the window stands afterwards.
func (s *shard) lend(loan *Loan, fits bool, cost int64, ahead uint32, t *instant) {
	e := s.find(spread(&loan.ID), &loan.ID)
	if e == nil {
		if max(cost, 1) > loan.Limit {
			loan.RetryIn = -1
		}
		return
	}
	if fits && loan.Want > 0 {
		loan.Granted = min(loan.Want, loan.Limit-int64(e.used))
		loan.Stamp = e.notBefore(s.runs(e), t.stamp+ahead)
		s.admit(e, s.runs(e), loan.Stamp, loan.Limit, loan.Granted)
	}
	runs := s.runs(e)
	loan.Charged = int64(e.used)
	loan.ResetIn = e.drains(runs, t.now)
	if !fits && int64(e.used)+max(cost, 1) > loan.Limit {
		loan.RetryIn = e.wait(runs, t.now, loan.Limit, max(cost, 1))
	}
}

// notBefore is the stamp of an admission: never before that of the latest run, which lies ahead where units were lent.
func (w *window) notBefore(runs []run, stamp uint32) uint32 {
	if w.n > 0 {
		if last := runs[w.at(runs, int(w.n)-1)].at; since(last, stamp) < 0 {
			return last
		}
	}
	return stamp
}

// takeBack subtracts units from the run that they were charged to, which still counts: the first one that is not before
// their stamp, since a run that is joined moves on.
func (w *window) takeBack(runs []run, b Unspent) {
	for i := range int(w.n) {
		r := &runs[w.at(runs, i)]
		if since(b.Stamp, r.at) < 0 {
			continue
		}
		n := uint32(min(int64(r.n), b.Units))
		r.n -= n
		w.used -= n
		return
	}
}
