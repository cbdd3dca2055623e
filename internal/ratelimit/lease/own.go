package lease

import (
	"context"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
)

// Own is the bank of a process that alone keeps the windows: those of its own ratelimit.Limiter. Its Teller heeds that it
// is cold.
type Own struct {
	limiter  *ratelimit.Limiter
	clock    *Clock
	standing Standing
}

// NewOwn makes a bank of a limiter's own windows. It grants nothing for as long as cold: ColdTime after an end that kept
// no windows, when everything that it may have forgotten has run out.
func NewOwn(l *ratelimit.Limiter, clock *Clock, cold time.Duration) *Own {
	o := &Own{limiter: l, clock: clock}
	o.standing.Epoch.Store(&Epoch{Count: 1})
	o.standing.Nodes.Store(1)
	if cold > 0 {
		o.standing.Cold.Store(clock.Mono() + cold.Milliseconds())
	}
	return o
}

// Cold is for how long it still grants nothing. A restart in order has to go on with that.
func (o *Own) Cold() time.Duration {
	return max(0, time.Duration(o.standing.Cold.Load()-o.clock.Mono())*time.Millisecond)
}

// Standing is Bank.
func (o *Own) Standing() *Standing { return &o.standing }

// Ask is Bank.
func (o *Own) Ask(_ uint64, cost int64, questions ...Question) (a [2]Answer, err error) {
	var loans [2]ratelimit.Loan
	var asked []*ratelimit.Loan
	ahead := int64(0)
	for i := range questions {
		q := &questions[i]
		loans[i] = ratelimit.Loan{ID: q.Of.ID, Limit: q.Limit, Want: q.Want, Back: unspent(q.Settle)}
		asked = append(asked, &loans[i])
		ahead = max(ahead, q.Ahead)
	}
	if err := o.limiter.Lend(cost, time.Duration(ahead)*time.Second, asked...); err != nil {
		return a, fmt.Errorf("%w: %w", ErrAlone, err)
	}
	for i, loan := range asked {
		a[i] = o.told(loan)
	}
	return a, nil
}

// told puts what is left to wait onto this machine's clock.
func (o *Own) told(loan *ratelimit.Loan) Answer {
	const moment = 100
	now := o.clock.Wall()
	a := Answer{
		Granted: loan.Granted, Lot: int64(loan.Stamp), Charged: loan.Charged, Retry: loan.RetryIn, Known: moment,
	}
	if loan.ResetIn > 0 {
		a.Reset = now + loan.ResetIn
	}
	if loan.RetryIn > 0 {
		a.Retry = now + loan.RetryIn
		a.Known = min(loan.RetryIn, moment)
	}
	return a
}

// Charge is Bank. Units that were admitted a while ago are charged to now, which counts them for longer.
func (o *Own) Charge(_ uint64, of Account, owed []Owing) error {
	loan := ratelimit.Loan{ID: of.ID, Limit: ratelimit.Max}
	for _, one := range owed {
		if one.Ago < Window {
			loan.Owed += one.Units
		}
	}
	if err := o.limiter.Lend(0, 0, &loan); err != nil {
		return fmt.Errorf("%w: %w", ErrAlone, err)
	}
	return nil
}

// Return is Bank.
func (o *Own) Return(_ context.Context, of Account, rests []Rest) {
	_ = o.limiter.Lend(0, 0, &ratelimit.Loan{ID: of.ID, Limit: ratelimit.Max, Back: unspent(rests)})
}

func unspent(rests []Rest) (all []ratelimit.Unspent) {
	for _, r := range rests {
		all = append(all, ratelimit.Unspent{Stamp: uint32(r.Lot), Units: r.Units})
	}
	return all
}

var _ Bank = (*Own)(nil)
