package follower

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/lease"
)

const (
	usesWaiting = 100_000 // keys and minutes of which the source was not told yet
	usesEvery   = 2 * time.Second
	retireTime  = 5 * time.Second
)

// limits spends units that the source lends: leases of minutes and blocks of days.
type limits struct {
	limiter *ratelimit.Limiter
	minutes *lease.Limiter
	bank    *feedhttp.Bank
}

// newLimits makes the limits of a desk; nil where the source decides about keys with limits.
func (f *Follower) newLimits(s *feedhttp.LimitSettings) (*limits, error) {
	if f.cfg.Local {
		return &limits{limiter: ratelimit.New(
			ratelimit.Config{Elapsed: f.elapsed, Wall: f.dayTime, Ledger: feedhttp.NewLedger(f.client)},
		)}, nil
	}
	if s == nil {
		return nil, nil
	}
	policy, err := lease.ParsePolicy(s.Policy)
	if err != nil {
		return nil, fmt.Errorf("the source's policy for limits: %w", err)
	}
	mode := lease.Leased
	if f.cfg.Exact {
		mode = lease.Exact
	}
	clock := lease.NewClock(f.cfg.Now)
	bank := feedhttp.NewBank(f.client, clock)
	minutes := lease.New(
		lease.Options{Bank: bank, Clock: clock, Mode: mode, Policy: stricter(policy, f.cfg.Policy)},
	)
	return &limits{minutes: minutes, bank: bank, limiter: ratelimit.New(
		ratelimit.Config{Elapsed: f.elapsed, Wall: f.dayTime, Ledger: feedhttp.NewLedger(f.client), Minutes: minutes},
	)}, nil
}

// stricter is the policy of the two that admits less. A follower admits everything while its source is away only where
// it is to do so, for which it has leave then.
func stricter(source, own lease.Policy) lease.Policy {
	switch {
	case own == lease.Open:
		return lease.Open
	case source == lease.Closed || own == lease.Closed:
		return lease.Closed
	}
	return lease.Share
}

// leave refuses a mode or a policy that admits more than the source does, and that the service key gives no leave for.
func (f *Follower) leave(s *feedhttp.Settings) error {
	for mode, wanted := range map[account.FollowerMode]bool{
		account.LocalMode: f.cfg.Local, account.OpenMode: f.cfg.Policy == lease.Open,
	} {
		if wanted && !slices.Contains(s.FollowerModes, string(mode)) {
			return fmt.Errorf("%s: %w", mode, ErrLeave)
		}
	}
	return nil
}

// close gives back all that was not spent.
func (l *limits) close(ctx context.Context) {
	if l == nil {
		return
	}
	_ = l.limiter.Close(ctx) // units that were not given back are lost for the day
	if l.minutes != nil {
		l.minutes.Close()
	}
}

// retire ends a desk whose settings have changed, once the questions that it was asked are answered: the copy behind it
// is fenced, and its limiter answers nothing from then on.
func (f *Follower) retire(d *Desk) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), retireTime)
		defer cancel()
		d.limits.close(ctx)
		_ = d.uses.Flush(ctx)
	}()
}

// elapsed is the time since the start, by a clock that is never set.
func (f *Follower) elapsed() time.Duration { return f.cfg.Now().Sub(f.began) }

// dayTime is the clock by which days are told: the source's, where this machine's differs from it by so much that one
// of them is wrong.
func (f *Follower) dayTime() time.Time {
	if f.Doubt() {
		return f.cfg.Now().Add(-f.Skew())
	}
	return f.cfg.Now()
}

// clocks reads the wall clock and the limiter's by one look.
func (f *Follower) clocks() (ms int64, elapsed time.Duration) {
	now := f.cfg.Now()
	return now.UnixMilli(), now.Sub(f.began)
}

// Account reports uses to the source every few seconds, and takes care of the limits that are held, until ctx
// ends.
func (f *Follower) Account(ctx context.Context) {
	report, sweep := time.NewTicker(usesEvery), time.NewTicker(time.Second)
	defer report.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			if d := f.desk.Load(); d != nil && d.limits != nil {
				d.limits.limiter.Sweep()
				d.limits.limiter.Return()
			}
		case <-report.C:
			if d := f.desk.Load(); d != nil {
				_ = d.uses.Flush(ctx) // the rest is told the next time
			}
		}
	}
}

// Accounts are figures of limits and uses, since the source's settings changed last.
type Accounts struct {
	Questions, Failed int64 // to the source about limits per minute
	Waiting           int   // keys and minutes that the source was not told of yet
	Lost              int64 // uses that found no room
}

// Accounts gives the figures.
func (f *Follower) Accounts() (a Accounts) {
	d := f.desk.Load()
	if d == nil {
		return a
	}
	a.Waiting, a.Lost = d.uses.Waiting(), d.uses.Lost()
	if d.limits != nil && d.limits.bank != nil {
		a.Questions, a.Failed = d.limits.bank.Asked()
	}
	return a
}
