package httplimit_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/httplimit"
	"github.com/keyward/keyward/internal/ratelimit"
)

func TestTheFieldsSayHowLimitsStand(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	minute := ratelimit.Window{Limit: 60, Remaining: 12, ResetAt: at(36_001 * time.Millisecond)}
	day := ratelimit.Window{Limit: 10_000, Remaining: 0, ResetAt: at(12 * time.Hour)}
	for _, c := range []struct {
		status        ratelimit.Status
		policy, state string
	}{
		{ratelimit.Status{}, "", ""},
		{ratelimit.Status{Minute: minute}, `"minute";q=60;w=60`, `"minute";r=12;t=37`},
		{ratelimit.Status{Day: day}, `"day";q=10000;w=86400`, `"day";r=0;t=43200`},
		{ratelimit.Status{Minute: minute, Day: day}, `"minute";q=60;w=60, "day";q=10000;w=86400`,
			`"minute";r=12;t=37, "day";r=0;t=43200`},
		{ratelimit.Status{Minute: ratelimit.Window{Limit: 1, ResetAt: at(60_001 * time.Millisecond)}}, `"minute";q=1;w=60`,
			`"minute";r=0;t=60`},
		{ratelimit.Status{Minute: ratelimit.Window{Limit: 1, Remaining: 1, ResetAt: at(-time.Hour)}}, `"minute";q=1;w=60`,
			`"minute";r=1;t=0`},
	} {
		h := http.Header{}
		httplimit.SetFields(h, &c.status, now)
		if h.Get("RateLimit-Policy") != c.policy || h.Get("RateLimit") != c.state || c.policy == "" && len(h) > 0 {
			t.Errorf("%+v: %v", c.status, h)
		}
	}
}

func TestRetryAfterIsWholeSecondsAndNeverTooEarly(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)
	for wait, want := range map[time.Duration]string{
		-time.Second: "1", 0: "1", time.Millisecond: "1", 1001 * time.Millisecond: "2", 59 * time.Second: "59",
		12 * time.Hour: "43200",
	} {
		h := http.Header{}
		httplimit.SetRetryAfter(h, &ratelimit.Status{RetryAt: now.Add(wait).UnixMilli()}, now)
		if got := h.Get("Retry-After"); got != want {
			t.Errorf("in %v: %s, want %s", wait, got, want)
		}
	}
	h := http.Header{}
	httplimit.SetRetryAfter(h, &ratelimit.Status{RetryAt: ratelimit.Never}, now)
	if got := h.Get("Retry-After"); got != "86400" {
		t.Errorf("never: %s", got)
	}
}

// stopwatch is moved by hand.
type stopwatch struct{ atomic.Int64 }

func (s *stopwatch) elapsed() time.Duration { return time.Duration(s.Load()) }

func TestGuessesFromOneAddressAreSlowT14(t *testing.T) {
	t.Parallel()
	var clock stopwatch
	f := httplimit.NewFailures(30, clock.elapsed)
	bad, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i := range 30 {
		if wait := f.Failed(bad); wait != 0 {
			t.Fatalf("attempt %d: wait %v", i+1, wait)
		}
	}
	for range 1000 {
		if wait := f.Failed(bad); wait <= time.Minute || wait > 61*time.Second {
			t.Fatalf("too many: wait %v", wait)
		}
	}
	if wait := f.Failed(other); wait != 0 {
		t.Errorf("another address: wait %v", wait)
	}
	clock.Add(int64(time.Minute))
	if wait := f.Wait(bad); wait <= 0 || wait > time.Second {
		t.Errorf("a minute later: wait %v", wait)
	}
	clock.Add(int64(f.Wait(bad)))
	if wait := f.Failed(bad); wait != 0 {
		t.Errorf("after the wait that was told: wait %v", wait)
	}
}

// In any 60 seconds no more pass than the number says, however they are timed and whichever neighbours share a place,
// and an attempt that comes a second after its turn is not refused.
func TestNoMinuteHasMoreAttemptsThanTheNumberT14(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 14))
		var clock stopwatch
		perMinute := 1 + random.IntN(400)
		f := httplimit.NewFailures(perMinute, clock.elapsed)
		bad := netip.MustParseAddr("2001:db8::1")
		var passed []time.Duration
		within := func(span time.Duration) (n int) {
			for i := len(passed) - 1; i >= 0 && clock.elapsed()-passed[i] < span; i-- {
				n++
			}
			return n
		}
		for clock.elapsed() < 5*time.Minute {
			for range random.IntN(2 * perMinute) { // a burst
				told := f.Wait(bad)
				if wait := f.Failed(bad); wait != told {
					t.Fatalf("seed %d: told to wait %v, then %v", seed, told, wait)
				} else if wait > 0 {
					if within(61*time.Second) < perMinute {
						t.Fatalf("seed %d: refused after %d of %d", seed, within(61*time.Second), perMinute)
					}
					break
				}
				passed = append(passed, clock.elapsed())
				if n := within(time.Minute); n > perMinute {
					t.Fatalf("seed %d: %d attempts passed in a minute, of %d", seed, n, perMinute)
				}
			}
			pause := []time.Duration{time.Millisecond, time.Second, 59 * time.Second, time.Minute}[random.IntN(4)]
			clock.Add(1 + random.Int64N(int64(pause)))
		}
	}
}

// Neighbours that fill a place and leave it again give no address more than its number: each row counts all of it.
func TestNeighboursThatComeAndGoGiveNoAddressMoreT14(t *testing.T) {
	t.Parallel()
	var clock stopwatch
	const perMinute, neighbours = 2, 1 << 17 // so that both places of every address are shared
	f := httplimit.NewFailures(perMinute, clock.elapsed)
	for i := range neighbours {
		f.Failed(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	passed := make([]int, 3000)
	attempts := func() {
		for i := range passed {
			for range 2 * perMinute {
				if f.Failed(netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)})) == 0 {
					passed[i]++
				}
			}
		}
	}
	clock.Add(int64(30 * time.Second))
	attempts()
	clock.Add(int64(40 * time.Second)) // the neighbours' attempts are over, those of the addresses are not
	attempts()
	whole := 0
	for _, n := range passed {
		if n == perMinute {
			whole++
		}
	}
	if most := slices.Max(passed); most > perMinute || whole < len(passed)*9/10 {
		t.Errorf("in 41 seconds up to %d attempts passed from one address, of %d; %d of %d addresses had all of theirs",
			most, perMinute, whole, len(passed))
	}
}

func TestAnIPv6NetworkIsOneAddressT14(t *testing.T) {
	t.Parallel()
	var clock stopwatch
	f := httplimit.NewFailures(10, clock.elapsed)
	passed := 0
	for i := range 1000 {
		if f.Failed(netip.MustParseAddr(fmt.Sprintf("2001:db8:1:2::%x", i))) == 0 {
			passed++
		}
	}
	if passed != 10 {
		t.Errorf("%d passed from one network, want 10", passed)
	}
	if f.Failed(netip.MustParseAddr("2001:db8:1:3::1")) != 0 {
		t.Error("the network beside it was refused")
	}
	if f.Failed(netip.MustParseAddr("::ffff:192.0.2.7")) != 0 || f.Failed(netip.Addr{}) != 0 {
		t.Error("addresses of other kinds were refused")
	}
}

func TestManyAddressesDoNotShutOutTheRestT44(t *testing.T) {
	t.Parallel()
	var clock stopwatch
	f := httplimit.NewFailures(100, clock.elapsed)
	for i := range 3000 { // each guesses as much as it can
		a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		for range 100 {
			f.Failed(a)
		}
	}
	refused := 0
	for i := range 1000 {
		if f.Failed(netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)})) != 0 {
			refused++
		}
	}
	if refused > 40 { // some 8 of 1000 share both their places
		t.Errorf("%d of 1000 others were refused", refused)
	}
}

func TestConcurrentGuessesAreAllCountedT14(t *testing.T) {
	t.Parallel()
	var clock stopwatch
	f := httplimit.NewFailures(200, clock.elapsed)
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 100 {
				if f.Failed(netip.MustParseAddr("192.0.2.9")) == 0 {
					passed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if passed.Load() != 200 {
		t.Errorf("%d passed, want 200", passed.Load())
	}
}

func TestWithoutALimitNobodyIsRefused(t *testing.T) {
	t.Parallel()
	f := httplimit.NewFailures(0, nil)
	for range 10_000 {
		if f.Failed(netip.MustParseAddr("192.0.2.1")) != 0 {
			t.Fatal("refused")
		}
	}
}
