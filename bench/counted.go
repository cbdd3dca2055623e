package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/keyward/keyward/internal/clock"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/tally"
	"github.com/keyward/keyward/internal/usage"
	"github.com/keyward/keyward/internal/verify"
)

// counted measures the cost of counting uses: of a verification, and of a garbage collection with as many keys in use
// as there are. Nothing is written meanwhile.
func counted(_ context.Context, l *lab) (r result, err error) {
	digester, err := keyfmt.NewDigester("")
	if err != nil {
		return r, err
	}
	c := newCrowd(l.most(1_000_000, 1000), digester)
	without, err := newEngine(c, digester, false)
	if err != nil {
		return r, err
	}
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		return r, err
	}
	before := collection()
	record := tally.New(tally.Config{Keep: usage.DefaultRetention(), Limit: 4 * c.size})
	with := verify.New(
		verify.Config{Replica: c.replica, Format: format, Digests: digester, Now: clock.New(time.Now).Now, Recorder: record},
	)
	c.warm(with)
	after := collection()
	a, b := newAsker(without, 1), newAsker(with, 1)
	for _, q := range questions(c)[:2] {
		times, ratios, err := l.rivals(
			func() (float64, error) { return a.ask(l.span/4, &q) },
			func() (float64, error) { return b.ask(l.span/4, &q) })
		if err != nil {
			return r, fmt.Errorf("%s: %w", q.what, err)
		}
		r.figures = append(
			r.figures,
			figure{what: q.what + ", counted", unit: "ns", value: times[1], baseline: times[0], ratio: ratios[1],
				against: "not counted"},
		)
	}
	if lost := record.Stats().Lost; lost > 0 {
		return r, fmt.Errorf("%d uses found no room", lost)
	}
	r.figures = append(
		r.figures,
		figure{what: "a garbage collection, " + thousands(fmt.Sprint(record.Stats().Waiting)) + " uses waiting", unit: "ms",
			value: after, baseline: before, against: "none waiting"},
	)
	runtime.KeepAlive(c)
	return r, nil
}

// collection is the time of a whole garbage collection, in milliseconds, the shortest of a few.
func collection() float64 {
	best := time.Duration(1 << 62)
	for range 5 {
		start := time.Now()
		runtime.GC()
		best = min(best, time.Since(start))
	}
	return float64(best.Microseconds()) / 1000
}
