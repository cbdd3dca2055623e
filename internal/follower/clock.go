package follower

import (
	"context"
	"time"
)

type clockKey struct{}

// WithClock gives a context for the start of a follower that goes by another clock than the machine's: a test of the
// clocks sets it. now has a monotonic reading.
func WithClock(ctx context.Context, now func() time.Time) context.Context {
	return context.WithValue(ctx, clockKey{}, now)
}

// Clock gives the clock of a context, which is the usual one unless WithClock has set another.
func Clock(ctx context.Context, usual func() time.Time) func() time.Time {
	if now, ok := ctx.Value(clockKey{}).(func() time.Time); ok {
		return now
	}
	return usual
}
