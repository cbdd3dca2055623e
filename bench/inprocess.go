package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
	"unsafe"

	"github.com/keyward/keyward/internal/clock"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/verify"
)

// asker puts questions to an engine and takes the time. The values of the keys are written a handful at a time, and the
// clock stands still meanwhile.
type asker struct {
	engine  *verify.Engine
	rand    *rand.Rand
	texts   [handful][keyLength]byte
	verdict verify.Verdict
}

const handful = 256

// ask is the time of one question, in nanoseconds: the median of handfuls, so that occasional work of the machine
// does not count.
func (a *asker) ask(span time.Duration, q *question) (float64, error) {
	var each []time.Duration
	for begin := time.Now(); time.Since(begin) < span || len(each) == 0; {
		for i := range a.texts {
			crowdKey(&a.texts[i], q.draw(a.rand))
			if q.spoil {
				a.texts[i][keyLength-1] ^= 1
			}
		}
		start := time.Now()
		for i := range a.texts {
			ask := verify.Question{Key: unsafe.String(&a.texts[i][0], keyLength), Demand: q.demand, Cost: 1}
			a.engine.Check(&ask, &a.verdict)
			if a.verdict.Code != q.want {
				return 0, fmt.Errorf("a key is %s, want %s", a.verdict.Code, q.want)
			}
		}
		each = append(each, time.Since(start))
	}
	return float64(median(each).Nanoseconds()) / handful, nil
}

// digest is the time that SHA-256 takes of a key, the baseline of all.
func (a *asker) digest(span time.Duration) float64 {
	var each []time.Duration
	for begin := time.Now(); time.Since(begin) < span || len(each) == 0; {
		start := time.Now()
		for i := range a.texts {
			sum := sha256.Sum256(a.texts[i][:])
			runtime.KeepAlive(&sum)
		}
		each = append(each, time.Since(start))
	}
	return float64(median(each).Nanoseconds()) / handful
}

// freeLedger grants every claim: the disk is not measured here.
type freeLedger struct{}

func (freeLedger) Settle(_ context.Context, claims []ratelimit.Claim) error {
	for i := range claims {
		claims[i].Grant(claims[i].Day, 0)
	}
	return nil
}

// newEngine decides about a crowd, with its limits or without.
func newEngine(c *crowd, d *keyfmt.Digester, limited bool) (*verify.Engine, error) {
	start := time.Now()
	wall := clock.NewWith(func() (time.Time, time.Duration) {
		t := time.Now()
		return t, t.Sub(start)
	})
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	config := verify.Config{Replica: c.replica, Format: format, Digests: d, Clocks: wall.Look}
	if limited {
		config.Limiter = ratelimit.New(
			ratelimit.Config{Elapsed: func() time.Duration { return time.Since(start) }, Wall: wall.Now, Ledger: freeLedger{}},
		)
	}
	return verify.New(config), err
}

// use verifies every key once, as on a node that has run for a while: the memory of that counts as memory of the
// keys.
func (c *crowd) use(d *keyfmt.Digester) error {
	e, err := newEngine(c, d, false)
	if err == nil {
		c.warm(e)
	}
	return err
}

// warm uses every key once, so that the limiter knows it.
func (c *crowd) warm(e *verify.Engine) {
	const callers = 64
	var wg sync.WaitGroup
	for n := range uint64(callers) {
		wg.Go(func() {
			var text [keyLength]byte
			var v verify.Verdict
			for i := n; i < uint64(c.size); i += callers {
				crowdKey(&text, i)
				e.Check(&verify.Question{Key: unsafe.String(&text[0], keyLength), Cost: 1}, &v)
			}
		})
	}
	wg.Wait()
}

func newAsker(e *verify.Engine, seed uint64) *asker {
	return &asker{engine: e, rand: rand.New(rand.NewPCG(seed, 3))}
}

// question is one kind of question to a crowd.
type question struct {
	what   string
	draw   func(*rand.Rand) uint64
	spoil  bool
	demand perm.Demand
	want   verify.Code
}

var (
	granted = perm.Demand{All: perm.Builtin().Known([]string{"calls:read"})}
	refused = perm.Demand{All: perm.Builtin().Known([]string{"calls:read", "workspace:delete"})}
)

// questions are the kinds; the first is the main one.
func questions(c *crowd) []question {
	uniform := func(r *rand.Rand) uint64 { return r.Uint64N(uint64(c.size)) }
	return []question{
		{"valid, uniform", uniform, false, granted, verify.Valid},
		{"valid, one hot key", func(*rand.Rand) uint64 { return 7 }, false, granted, verify.Valid},
		{"insufficient permissions, uniform", uniform, false, refused, verify.InsufficientPermissions},
		{"expired", func(r *rand.Rand) uint64 { return expiredKeys + r.Uint64N(fewKeys) }, false, granted, verify.Expired},
		{"unknown", func(r *rand.Rand) uint64 { return r.Uint64()>>4 | 1<<50 }, false, granted, verify.NotFound},
		{"malformed", uniform, true, granted, verify.Malformed},
	}
}

// inProcess measures a verification without a network, beside the SHA-256 of the key that it includes, and the memory
// of the keys.
func inProcess(_ context.Context, l *lab) (r result, err error) {
	digester, err := keyfmt.NewDigester("")
	if err != nil {
		return r, err
	}
	var first, last float64
	var line series
	for _, n := range []int{l.most(1000, 200), l.keys, 10 * l.keys} {
		before := holding()
		c := newCrowd(n, digester)
		if err := c.use(digester); err != nil {
			return r, err
		}
		after := holding()
		one, err := l.crowdFigures(c, digester)
		if err != nil {
			return r, fmt.Errorf("%d keys: %w", n, err)
		}
		last = one[0].value
		if first == 0 {
			first = last
		}
		line.points = append(line.points, point{float64(n), last})
		r.figures = append(r.figures, one...)
		if n > 1000 || l.quick {
			r.figures = append(r.figures, after.against(before, n)...)
		}
		runtime.KeepAlive(c)
	}
	line.name = "valid, uniform"
	r.plots = append(
		r.plots,
		plot{name: "growth", title: "A verification in process", x: "keys", y: "ns", logX: true, series: []series{line}},
	)
	r.figures = append(
		r.figures,
		figure{
			what: "valid, uniform, the most keys", unit: "ns", value: last, baseline: first, against: "the fewest",
			must: atMost(3), aim: atMost(2),
		},
	)
	return r, nil
}

// crowdFigures asks all kinds of questions in turn, and the main one by all processors at once.
func (l *lab) crowdFigures(c *crowd, d *keyfmt.Digester) (figures []figure, err error) {
	engine, err := newEngine(c, d, false)
	if err != nil {
		return nil, err
	}
	a := newAsker(engine, uint64(c.size))
	keys := ", " + thousands(fmt.Sprint(c.size)) + " keys"
	for i, q := range questions(c) {
		f, err := l.beside(a, &q, q.what+keys)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			f.must, f.aim = atMost(14), atMost(8)
		}
		figures = append(figures, f)
	}
	together, err := l.inParallel(engine, questions(c)[0])
	figures = append(
		figures,
		figure{
			what: "valid, uniform, each of " + fmt.Sprint(runtime.GOMAXPROCS(0)) + " at once" + keys, unit: "ns",
			value: together, baseline: figures[0].value, against: "one alone",
		},
	)
	if err != nil || c.size > 1_000_000 {
		return figures, err
	}
	limited, err := l.limitedFigures(c, d, keys)
	return append(figures, limited...), err
}

// beside asks one kind of question, in turns with the baseline.
func (l *lab) beside(a *asker, q *question, what string) (figure, error) {
	times, ratios, err := l.rivals(
		func() (float64, error) { return a.digest(l.span / 8), nil },
		func() (float64, error) { return a.ask(l.span/4, q) })
	if err != nil {
		return figure{}, fmt.Errorf("%s: %w", what, err)
	}
	return figure{
		what: what, unit: "ns", value: times[1], baseline: times[0], ratio: ratios[1], against: "SHA-256 of the key",
	}, nil
}

// limitedFigures asks with both limits, of keys that the limiter knows already.
func (l *lab) limitedFigures(c *crowd, d *keyfmt.Digester, keys string) (figures []figure, err error) {
	engine, err := newEngine(c, d, true)
	if err != nil {
		return nil, err
	}
	c.warm(engine)
	a := newAsker(engine, uint64(c.size))
	for i, q := range questions(c)[:2] {
		f, err := l.beside(a, &q, q.what+", both limits"+keys)
		if err != nil {
			return nil, err
		}
		absolute := figure{what: f.what + ", nanoseconds", unit: "ns", value: f.value, must: atMost(800), aim: atMost(450)}
		if i > 0 {
			absolute.must, absolute.aim = atMost(150), bound{}
		}
		figures = append(figures, f, absolute)
	}
	return figures, nil
}

// inParallel is the time that a question takes where every processor asks.
func (l *lab) inParallel(e *verify.Engine, q question) (float64, error) {
	n := runtime.GOMAXPROCS(0)
	times, errs := make([]float64, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { times[i], errs[i] = newAsker(e, uint64(100+i)).ask(l.span, &q) })
	}
	wg.Wait()
	return median(times), errors.Join(errs...)
}

// held is the memory of the process at a time.
type held struct {
	heap, resident float64
	collection     time.Duration // of a full garbage collection
}

func holding() held {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	resident, _ := residentBytes()
	start := time.Now()
	runtime.GC()
	return held{float64(m.HeapAlloc), float64(resident), time.Since(start)}
}

func (h held) against(before held, n int) []figure {
	keys := ", " + thousands(fmt.Sprint(n)) + " keys"
	return []figure{
		{what: "heap per key" + keys, unit: "B", value: perKey(h.heap-before.heap, n), must: atMost(200)},
		{
			what: "resident memory per key" + keys, unit: "B", value: perKey(h.resident-before.resident, n), must: atMost(200),
			aim: atMost(110),
		},
		{
			what: "full garbage collection" + keys, unit: "ms", value: float64(h.collection.Microseconds()) / 1000,
			must: atMost(50),
		},
	}
}
