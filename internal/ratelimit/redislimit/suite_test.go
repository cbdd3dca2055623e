package redislimit_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/limittest"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
	"github.com/keyward/keyward/internal/rig"
)

// steps sets the clock of Redis to the suite's at each reading, so that a question which the limiter asks by itself
// does not find the two apart.
type steps struct {
	clock *limittest.Clock
	redis *rig.HandClock

	mu   sync.Mutex
	told time.Duration
}

// at is the time of Redis's machine: a test sets the node's wall clock, not this one.
func at(elapsed time.Duration) time.Time { return limittest.Noon.Add(elapsed - time.Hour) }

func (s *steps) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Elapsed()
	if now != s.told {
		s.told = now
		s.redis.Set(at(now))
	}
	return at(now)
}

// inStep is a limiter over a Redis whose clock is that of the suite.
type inStep struct {
	*ratelimit.Limiter
	steps *steps
}

func (l *inStep) Take(
	who ratelimit.Subject, limits ratelimit.Limits, cost int64, s *ratelimit.Status,
) ratelimit.Outcome {
	l.steps.now()
	return l.Limiter.Take(who, limits, cost, s)
}

func (l *inStep) Peek(
	who ratelimit.Subject, limits ratelimit.Limits, cost int64, s *ratelimit.Status,
) ratelimit.Outcome {
	l.steps.now()
	return l.Limiter.Peek(who, limits, cost, s)
}

// The promise of a limiter that asks Redis each time is that of the local one, but for the second that is a bucket.
func TestTheExactLimiterOverRedisKeepsThePromise(t *testing.T) {
	t.Parallel()
	promised(t, redislimit.Exact, time.Second)
}

// A lease is charged to the last second in which it may be spent, two later.
func TestTheLimiterOverRedisKeepsThePromiseUnderLeases(t *testing.T) {
	t.Parallel()
	promised(t, redislimit.Leased, 3*time.Second)
}

func promised(t *testing.T, mode redislimit.Mode, slack time.Duration) {
	limittest.Run(t, limittest.Promise{Slack: func(int64) time.Duration { return slack }, Days: true},
		func(t testing.TB, clock *limittest.Clock) limittest.Limiter {
			hand := rig.NewHandClock(t, at(clock.Elapsed()))
			redis := rig.StartRedisBy(t, hand)
			both := &steps{clock: clock, redis: hand}
			minutes := redislimit.New(redislimit.Options{
				Mode: mode, Node: "one", Now: both.now, Timeout: 20 * time.Second,
				Watch:  time.Hour, // a look in the midst of setting two clocks would find them apart
				Logger: slog.New(slog.DiscardHandler),
				Connect: func() (rueidis.Client, error) {
					return rueidis.NewClient(
						rueidis.ClientOption{InitAddress: []string{redis.Addr}, DisableCache: true, ForceSingleClient: true},
					)
				},
			})
			t.Cleanup(minutes.Close)
			rig.WaitFor(t, "Redis to be known", func() error {
				if minutes.Stats().Down || minutes.Stats().Nodes == 0 {
					return context.DeadlineExceeded
				}
				return nil
			})
			l := ratelimit.New(
				ratelimit.Config{Elapsed: clock.Elapsed, Wall: clock.Wall, Ledger: &limittest.Ledger{}, Minutes: minutes},
			)
			t.Cleanup(func() {
				if err := l.Close(context.Background()); err != nil {
					t.Error(err)
				}
				if s := minutes.Stats(); s.AdmittedAlone+s.RefusedAlone+s.Failures > 0 {
					t.Errorf("Redis was not asked each time: %+v", s)
				}
			})
			return &inStep{Limiter: l, steps: both}
		})
}
