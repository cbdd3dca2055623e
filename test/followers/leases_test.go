package followers_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/verifier"
)

// Followers behind a slow link spend a lease some time after its grant. In a soak it goes on for longer than a minute:
// a lease that was charged from its grant alone would then be forgotten while units of it still count.
func TestT110AMinuteHoldsOverLeasesOfEarlierMinutes(t *testing.T) {
	t.Parallel()
	const perMinute = 120
	span := 2 * time.Second
	if soaking {
		span = 75 * time.Second
	}
	c := startCore(t, "", limit)
	token := c.service().Key.Reveal()
	link := rig.NewLink(t, c.addr)
	link.Delay(50 * time.Millisecond)
	key := &limitedKey{value: c.limited(c.ws, perMinute, 0), minute: perMinute}
	ctx, stop := context.WithTimeout(t.Context(), span)
	defer stop()
	var tasks sync.WaitGroup
	for range 3 {
		v, err := verifier.New(t.Context(), verifier.Config{
			URL: "http://" + link.Addr, Token: token, MaxStaleness: limit, RefuseWhileAway: true,
			Logger: slog.New(slog.DiscardHandler),
		})
		check(t, err)
		t.Cleanup(func() { _ = v.Close() })
		tasks.Go(func() {
			for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
				start := time.Now()
				if got, err := v.Verify(ctx, keyward.VerifyRequest{Key: key.value}); err == nil && got.Valid {
					key.mu.Lock()
					key.admitted = append(key.admitted, rig.Admission{Start: start, End: time.Now()})
					key.mu.Unlock()
				}
			}
		})
	}
	tasks.Wait()
	most := rig.Most(key.admitted, time.Minute)
	t.Logf("%d were admitted, and in a minute at most %d of %d", len(key.admitted), most, perMinute)
	if most > perMinute || len(key.admitted) == 0 || soaking && len(key.admitted) <= perMinute {
		t.Errorf("%d were admitted, and in a minute at most %d of %d", len(key.admitted), most, perMinute)
	}
}
