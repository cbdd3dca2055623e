package verify_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/verify"
)

// heard is a limiter that records its calls, and admits all.
type heard struct {
	near []ratelimit.Slot
	at   []time.Duration
	who  ratelimit.Subject
}

func (h *heard) Prefetch(p ratelimit.Slot) { h.near = append(h.near, p) }

func (h *heard) Take(who ratelimit.Subject, _ ratelimit.Limits, _ int64, _ *ratelimit.Status) ratelimit.Outcome {
	h.at, h.who = append(h.at, who.At), who
	return ratelimit.Admitted
}

func (h *heard) Peek(who ratelimit.Subject, l ratelimit.Limits, n int64, s *ratelimit.Status) ratelimit.Outcome {
	return h.Take(who, l, n, s)
}

func TestADecisionLooksAtTheClockOnceAndTheLimiterIsToldWhatItSaid(t *testing.T) {
	t.Parallel()
	b, h := newBench(t), &heard{}
	key, looks := b.key(), 0
	b.engine = verify.New(verify.Config{Replica: b.replica, Format: b.format, Digests: b.digester, Limiter: h,
		Clocks: func() (int64, time.Duration) {
			looks++
			return noon.UnixMilli(), time.Duration(looks) * time.Second
		}})
	if code := b.code(verify.Question{Key: key, Cost: 1}); code != verify.Valid {
		t.Fatal(code)
	}
	if _, code := b.authenticate(key, netip.Addr{}); code != verify.Valid {
		t.Fatal(code)
	}
	if len(h.at) != 2 || h.at[0] != time.Second || h.at[1] != 2*time.Second || looks != 2 {
		t.Errorf("the limiter was told %v, and the clock was looked at %d times", h.at, looks)
	}
}

func TestTheStateOfAKeyThatWasSeenBeforeIsBroughtNear(t *testing.T) {
	t.Parallel()
	b, h := newBench(t), &heard{}
	key := b.key()
	b.engine = verify.New(
		verify.Config{
			Replica: b.replica, Format: b.format, Digests: b.digester, Limiter: h, Now: func() time.Time { return noon },
		},
	)
	for n := range 3 {
		if code := b.code(verify.Question{Key: key, Cost: 1}); code != verify.Valid || len(h.near) != n || h.at[n] != 0 {
			t.Fatalf("%s, near %v, at %v", code, h.near, h.at)
		}
	}
	if h.near[1] != ratelimit.SlotOf(h.who.ID) {
		t.Errorf("%x was brought near, the state is at %x", h.near[1], ratelimit.SlotOf(h.who.ID))
	}
}
