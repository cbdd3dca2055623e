package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/keyward/keyward/internal/metrics"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/keyward/keyward/internal/store"
)

const (
	saveTime   = 10 * time.Second // for giving back days and keeping windows at the stop
	oldWindows = 2 * time.Minute  // nothing in them counts any more
)

// ledger reserves days in the database.
type ledger struct{ db *store.DB }

// Settle is ratelimit.Ledger.
func (l ledger) Settle(ctx context.Context, claims []ratelimit.Claim) error {
	return l.db.Count(ctx, func(c *store.Counting) error {
		for i := range claims {
			if err := c.Reserve(&claims[i]); err != nil {
				return fmt.Errorf("reserve a day's block: %w", err)
			}
		}
		return nil
	})
}

// makeLimiter goes on with the windows that the last stop kept. Where there are none it was no stop but a crash.
func (s *Server) makeLimiter(ctx context.Context) error {
	parts, fresh, err := s.keptWindows(ctx)
	if err != nil {
		return fmt.Errorf("read the windows of the limits: %w", err)
	}
	c := ratelimit.Config{Elapsed: s.elapsed, Wall: s.clock.Now, Ledger: ledger{s.db}}
	if !fresh && s.replica.Size() > 0 {
		s.log.Warn(
			"the last stop kept no windows of the limits per minute: it was none in order", "strict", s.cfg.StrictRestart,
		)
		s.cold = lease.ColdTime
	}
	s.cold = max(s.cold, s.keptCold(parts))
	if s.cfg.StrictRestart {
		c.Shut = s.cold // followers may spend their last leases until then
	}
	if s.shared != nil {
		c.Minutes = s.shared
	}
	s.limiter = ratelimit.New(c)
	s.push("the limiter", s.closeLimiter)
	for _, p := range parts {
		if _, cold := lease.ReadCold(p, s.clock.Now()); cold {
			continue
		}
		if err := s.limiter.Restore(p); err != nil {
			s.log.Warn("a part of the limits' windows could not be read and is left out", "error", err.Error())
		}
	}
	return nil
}

// keptCold is for how long the bank of the followers is still cold, by the last stop.
func (s *Server) keptCold(parts [][]byte) (cold time.Duration) {
	for _, p := range parts {
		if left, ok := lease.ReadCold(p, s.clock.Now()); ok {
			cold = max(cold, left)
		}
	}
	return cold
}

// keptWindows takes the windows of the last stop, so that they are not taken twice, and reports whether there were
// any. If a database takes no change now, the stored ones are left, and may be of an earlier stop than the last: they
// are marked as not fresh. Counting too much is better than forgetting.
func (s *Server) keptWindows(ctx context.Context) (parts [][]byte, fresh bool, err error) {
	err = s.db.Count(ctx, func(c *store.Counting) (err error) {
		if parts, err = c.TakeWindows(s.windowsName()); err != nil || s.node == nil {
			return err
		}
		now := s.clock.Now()
		return c.DropWindows(
			func(head []byte) bool { return now.Sub(ratelimit.WrittenAt(head)) > oldWindows },
		) // of nodes that did not come back
	})
	if errors.Is(err, store.ErrMoving) || errors.Is(err, store.ErrFull) {
		s.log.Warn("the windows of the limits stay in the database, which takes no change", "error", err.Error())
		return parts, false, nil
	}
	return parts, len(parts) > 0, err
}

// windowsName is whose the kept windows are: of the one process of a SQLite file, or, among several nodes, of the one
// that listens on this machine at this address.
func (s *Server) windowsName() string {
	if s.node == nil {
		return ""
	}
	host, _ := os.Hostname() // without one the address alone has to do
	return host + " " + s.cfg.Addr
}

// closeLimiter gives back the reserved units of the day and stores the windows, so that an orderly restart changes no
// limit.
func (s *Server) closeLimiter() error {
	ctx, cancel := context.WithTimeout(context.Background(), saveTime)
	defer cancel()
	number := 0
	keep := func(part []byte) error {
		number++
		return s.db.Count(ctx, func(c *store.Counting) error { return c.SaveWindows(s.windowsName(), number, part) })
	}
	err := errors.Join(s.unlessMoving(s.limiter.Close(ctx)), s.unlessMoving(s.limiter.Windows(keep)))
	if s.own != nil && s.own.Cold() > 0 {
		err = errors.Join(err, s.unlessMoving(keep(lease.ColdPart(s.own.Cold(), s.clock.Now()))))
	}
	return err
}

// unlessMoving ignores the error of a database that is being moved: its users go on at another.
func (s *Server) unlessMoving(err error) error {
	if !errors.Is(err, store.ErrMoving) {
		return err
	}
	s.log.Warn("the limits' last counts were not kept", "error", err.Error())
	return nil
}

// limiterGauges adds the limiter's numbers to the rest.
func (s *Server) limiterGauges(g *metrics.Gauges) {
	g.LimiterStates = func() float64 { n, _ := s.limiter.Size(); return float64(n) }
	g.LimiterBytes = func() float64 { _, n := s.limiter.Size(); return float64(n) }
	g.LimiterWaits = func() float64 { return float64(s.limiter.Stats().Waits) }
	g.LimiterTimeouts = func() float64 { return float64(s.limiter.Stats().Timeouts) }
	g.LimiterClaims = func() float64 { return float64(s.limiter.Stats().Claims) }
	g.LimiterFailures = func() float64 { return float64(s.limiter.Stats().Failures) }
	g.LimiterGranted = func() float64 { return float64(s.limiter.Stats().Granted) }
	g.LimiterReturned = func() float64 { return float64(s.limiter.Stats().Returned) }
	g.LimiterForfeited = func() float64 { return float64(s.limiter.Stats().Forfeited) }
}
