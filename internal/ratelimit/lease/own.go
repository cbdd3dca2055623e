package lease

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
)

// Own is the bank of a process that alone keeps the windows: those of its own ratelimit.Limiter. Its Teller heeds that
// it is cold.
type Own struct {
	limiter  *ratelimit.Limiter
	clock    *Clock
	standing Standing
}

// NewOwn makes a bank of a limiter's own windows. It grants nothing for as long as cold: ColdTime after an end that
// kept no windows, when everything that it may have forgotten has run out.
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

// told puts an answer onto this machine's clock.
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
func (o *Own) Return(_ context.Context, _ uint64, of Account, rests []Rest) {
	_ = o.limiter.Lend(0, 0, &ratelimit.Loan{ID: of.ID, Limit: ratelimit.Max, Back: unspent(rests)})
}

func unspent(rests []Rest) (all []ratelimit.Unspent) {
	for _, r := range rests {
		all = append(all, ratelimit.Unspent{Stamp: uint32(r.Lot), Units: r.Units})
	}
	return all
}

const (
	coldVersion = 2 // beside that of the windows, which is 1
	coldBytes   = 1 + 8 + 8
)

// ColdPart is how a process keeps, at its end in order, for how long its bank is still cold. It stands beside the parts
// that a ratelimit.Limiter keeps of its windows, and is none of them.
func ColdPart(cold time.Duration, now time.Time) []byte {
	part := binary.BigEndian.AppendUint64([]byte{coldVersion}, uint64(now.UnixMilli()))
	return binary.BigEndian.AppendUint64(part, uint64(cold.Milliseconds()))
}

// ReadCold reads a ColdPart, for how long the bank is still cold now; ok is false for another part. Where the clock was
// set back, it is as long as it was.
func ReadCold(part []byte, now time.Time) (cold time.Duration, ok bool) {
	if len(part) != coldBytes || part[0] != coldVersion {
		return 0, false
	}
	away := max(0, now.UnixMilli()-int64(binary.BigEndian.Uint64(part[1:])))
	left := int64(binary.BigEndian.Uint64(part[9:])) - away
	return min(max(0, time.Duration(left)*time.Millisecond), ColdTime), true
}

var _ Bank = (*Own)(nil)
