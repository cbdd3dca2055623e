package ratelimit_test

import (
	"context"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/limittest"
)

// local makes a limiter that goes by the clock.
func local(
	t testing.TB, clock *limittest.Clock, ledger ratelimit.Ledger, change ...func(*ratelimit.Config),
) *ratelimit.Limiter {
	c := ratelimit.Config{Elapsed: clock.Elapsed, Wall: clock.Wall, Ledger: ledger}
	for _, f := range change {
		f(&c)
	}
	l := ratelimit.New(c)
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

// slack is the tolerance of docs/limits.md: the fraction of a millisecond up to 1,024 a minute, a cell above.
func slack(limit int64) time.Duration {
	if limit <= 1024 {
		return 2 * time.Millisecond
	}
	return 102 * time.Millisecond
}

func TestTheLocalLimiterKeepsThePromise(t *testing.T) {
	t.Parallel()
	limittest.Run(
		t,
		limittest.Promise{Slack: slack, Days: true},
		func(t testing.TB, clock *limittest.Clock) limittest.Limiter {
			return local(t, clock, &limittest.Ledger{})
		},
	)
}
