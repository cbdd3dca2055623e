package limittest

import (
	"context"
	"sync"

	"github.com/keyward/keyward/internal/ratelimit"
)

// Ledger keeps days in memory. It outlives limiters, as a database does.
type Ledger struct {
	// Before, where set, is called with each transaction, and its error is the transaction's.
	Before func([]ratelimit.Claim) error

	mu   sync.Mutex
	rows map[[16]byte]row
}

type row struct{ day, reserved int64 }

// Settle is ratelimit.Ledger.
func (l *Ledger) Settle(_ context.Context, claims []ratelimit.Claim) error {
	if l.Before != nil {
		if err := l.Before(claims); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rows == nil {
		l.rows = map[[16]byte]row{}
	}
	for i := range claims {
		c := &claims[i]
		r := l.rows[c.ID]
		if c.Grant(r.day, r.reserved) {
			l.rows[c.ID] = row{c.Stands, c.Reserved}
		}
	}
	return nil
}

// Reserved returns the reserved units of a key, and their day.
func (l *Ledger) Reserved(who ratelimit.Subject) (day, reserved int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rows[who.ID]
	return r.day, r.reserved
}
