package httplimit_test

import (
	"fmt"
	"net/http"
	"net/netip"
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
		{ratelimit.Status{Minute: minute, Day: day}, `"minute";q=60;w=60, "day";q=10000;w=86400`, `"minute";r=12;t=37, "day";r=0;t=43200`},
		{ratelimit.Status{Minute: ratelimit.Window{Limit: 1, ResetAt: at(60_001 * time.Millisecond)}}, `"minute";q=1;w=60`, `"minute";r=0;t=60`},
		{ratelimit.Status{Minute: ratelimit.Window{Limit: 1, Remaining: 1, ResetAt: at(-time.Hour)}}, `"minute";q=1;w=60`, `"minute";r=1;t=0`},
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
		-time.Second: "1", 0: "1", time.Millisecond: "1", 1001 * time.Millisecond: "2", 59 * time.Second: "59", 12 * time.Hour: "43200",
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
		if wait := f.Failed(bad); wait <= 0 || wait > 2*time.Second {
			t.Fatalf("too many: wait %v", wait)
		}
	}
	if wait := f.Failed(other); wait != 0 {
		t.Errorf("another address: wait %v", wait)
	}
	admitted := 0
	for range 600 { // ten minutes of one a second
		clock.Add(int64(time.Second))
		if f.Failed(bad) == 0 {
			admitted++
		}
	}
	if admitted != 300 {
		t.Errorf("in ten minutes %d attempts passed, want 300", admitted)
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
