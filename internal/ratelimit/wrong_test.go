package ratelimit_test

import (
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit/limittest"
)

// gate is a limiter of the kinds that most products have: the checker must find each of them out.
type gate interface {
	take(now time.Duration, limit int64) bool
}

// fixed counts by minutes of the clock.
type fixed struct {
	minute time.Duration
	n      int64
}

func (f *fixed) take(now time.Duration, limit int64) bool {
	if m := now.Truncate(time.Minute); m != f.minute {
		f.minute, f.n = m, 0
	}
	if f.n == limit {
		return false
	}
	f.n++
	return true
}

// bucket holds a minute's worth of tokens and is filled as they are spent.
type bucket struct {
	tokens float64
	at     time.Duration
	began  bool
}

func (b *bucket) take(now time.Duration, limit int64) bool {
	if !b.began {
		b.tokens, b.began = float64(limit), true
	}
	b.tokens = min(float64(limit), b.tokens+float64(limit)*(now-b.at).Minutes())
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// twoCounters weighs the minute before by how much of it still lies within the last 60 seconds.
type twoCounters struct {
	minute       time.Duration
	before, here int64
}

func (c *twoCounters) take(now time.Duration, limit int64) bool {
	m := now.Truncate(time.Minute)
	switch {
	case m == c.minute+time.Minute:
		c.before, c.here, c.minute = c.here, 0, m
	case m != c.minute:
		c.before, c.here, c.minute = 0, 0, m
	}
	share := 1 - float64(now-m)/float64(time.Minute)
	if float64(c.before)*share+float64(c.here)+1 > float64(limit) {
		return false
	}
	c.here++
	return true
}

// tooShort is the right algorithm with a window that ends a second early.
type tooShort struct{ at []time.Duration }

func (s *tooShort) take(now time.Duration, limit int64) bool {
	for len(s.at) > 0 && now-s.at[0] >= 59*time.Second {
		s.at = s.at[1:]
	}
	if int64(len(s.at)) >= limit {
		return false
	}
	s.at = append(s.at, now)
	return true
}

func TestTheCheckerFindsOutWhatOthersAdmitT36(t *testing.T) {
	t.Parallel()
	const limit = 60
	for name, g := range map[string]gate{
		"a fixed window": &fixed{}, "a token bucket": &bucket{}, "two counters": &twoCounters{},
		"a window too short": &tooShort{},
	} {
		var history []limittest.Admission
		witness, found := limittest.Witness{}, 0
		// A burst late in a minute, another early in the next: and then a steady stream at twice the limit, minute
		// after minute.
		for ms := 50_000; ms < 600_000; ms += 25 {
			burst := ms < 60_000 || ms >= 61_000 && ms < 70_000 || ms > 119_000
			if !burst {
				continue
			}
			now := time.Duration(ms) * time.Millisecond
			admitted := g.take(now, limit)
			if admitted {
				history = append(history, limittest.Admission{At: now, Cost: 1})
			}
			if witness.Saw(now, limit, 1, admitted) != nil {
				found++
			}
		}
		most, from := limittest.Most(history, time.Minute)
		t.Logf("%s admits %d of %d in the minute from %v on", name, most, limit, from)
		if most <= limit || limittest.Check(history, limit) == nil || found == 0 {
			t.Errorf("%s was not found out", name)
		}
	}
}

func TestTheCheckerCountsFromAnyInstant(t *testing.T) {
	t.Parallel()
	s := time.Second
	h := []limittest.Admission{{At: 100 * s, Cost: 2}, {At: 30 * s, Cost: 3}, {At: 89 * s, Cost: 4}, {At: 90 * s, Cost: 5}}
	if most, from := limittest.Most(h, time.Minute); most != 11 || from != 89*s {
		t.Errorf("%d from %v on, want 11 from 89s on", most, from)
	}
	if most, _ := limittest.Most(nil, time.Minute); most != 0 {
		t.Errorf("nothing at all: %d", most)
	}
}
