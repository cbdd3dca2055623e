package lease_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/keyward/keyward/internal/ratelimit/limittest"
)

// source is a node: its own windows, and the teller that lends of them.
type source struct {
	limiter *ratelimit.Limiter
	own     *lease.Own
	teller  *lease.Teller
}

// line is the way from a follower to the source, on which answers get lost and questions come twice.
type line struct {
	world    *world
	who      string
	number   uint64
	standing lease.Standing
}

// shared is a source of numbers for the tasks of one history.
type shared struct {
	mu  sync.Mutex
	pcg *rand.PCG
}

func (s *shared) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pcg.Uint64()
}

// world is one history.
type world struct {
	*testing.T
	rand     *rand.Rand
	began    time.Time
	ledger   limittest.Ledger
	source   atomic.Pointer[source]
	lines    []*line
	minutes  []*lease.Limiter
	limits   ratelimit.Limits
	plan     *ratelimit.Plan
	keys     []ratelimit.Subject
	admitted map[[16]byte][]limittest.Admission
	mu       sync.Mutex // for letters, and the numbers of lines
	letters  []func()   // questions that have been asked, as a proxy may ask them again
	leased   int        // units that followers admitted
	born     int
	dead     []*ratelimit.Limiter
}

var errLost = errors.New("the answer was lost")

func (l *line) Standing() *lease.Standing { return &l.standing }

// again asks one of the questions of before once more.
func (w *world) again() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.letters) > 0 {
		w.letters[w.rand.IntN(len(w.letters))]()
	}
}

// send asks under a number of its own, now and then twice at once; and the answer may be lost.
func (l *line) send(ask func(number uint64) ([2]lease.Answer, error)) ([2]lease.Answer, error) {
	w := l.world
	w.mu.Lock()
	l.number++
	number := l.number
	if len(w.letters) < 200 {
		w.letters = append(w.letters, func() { _, _ = ask(number) })
	}
	w.mu.Unlock()
	if w.rand.IntN(8) == 0 {
		_, _ = ask(number)
	}
	a, err := ask(number)
	switch {
	case w.rand.IntN(10) == 0:
		return a, fmt.Errorf("%w: %w", lease.ErrAlone, errLost)
	case err != nil:
		return a, fmt.Errorf("%w: %w", lease.ErrAlone, err)
	}
	return a, nil
}

func (l *line) Ask(_ uint64, cost int64, questions ...lease.Question) ([2]lease.Answer, error) {
	return l.send(func(number uint64) ([2]lease.Answer, error) {
		return l.world.source.Load().teller.Ask(l.who, number, cost, append([]lease.Question(nil), questions...)...)
	})
}

func (l *line) Charge(_ uint64, of lease.Account, owed []lease.Owing) error {
	_, err := l.send(func(number uint64) ([2]lease.Answer, error) {
		return [2]lease.Answer{}, l.world.source.Load().teller.Charge(l.who, number, of, owed)
	})
	return err
}

func (l *line) Return(_ context.Context, _ uint64, of lease.Account, rests []lease.Rest) {
	_, _ = l.Ask(0, 0, lease.Question{Of: of, Limit: ratelimit.Max, Settle: rests})
}

// open starts the source on the windows that are given, or after a crash on none.
func (w *world) open(parts [][]byte, cold time.Duration) {
	c := ratelimit.Config{
		Elapsed: func() time.Duration { return time.Since(w.began) }, Wall: time.Now, Ledger: &w.ledger, Shut: cold,
	}
	clock := lease.NewClock(time.Now)
	l := ratelimit.New(c)
	for _, p := range parts {
		if err := l.Restore(p); err != nil {
			w.Fatal(err)
		}
	}
	own := lease.NewOwn(l, clock, cold)
	w.source.Store(&source{l, own, lease.NewTeller(own, clock)})
}

// close stops the source, and gives the windows that it keeps.
func (w *world) close() (parts [][]byte) {
	if err := w.source.Load().limiter.Close(context.Background()); err != nil {
		w.Error(err)
	}
	if err := w.source.Load().limiter.Windows(func(p []byte) error {
		parts = append(parts, append([]byte(nil), p...))
		return nil
	}); err != nil {
		w.Error(err)
	}
	return parts
}

// follower starts one in the place of another, which is killed or, in order, closed before.
func (w *world) follower(i int) {
	w.born++
	l := &line{world: w, who: fmt.Sprint("follower ", w.born)}
	l.standing.Epoch.Store(&lease.Epoch{Count: 1})
	l.standing.Nodes.Store(int64(len(w.minutes)))
	w.lines[i] = l
	w.minutes[i] = lease.New(
		lease.Options{Bank: l, Clock: lease.NewClock(time.Now), Mode: lease.Leased, Policy: lease.Closed},
	)
}

func (w *world) note(who *ratelimit.Subject, cost int64) {
	a := limittest.Admission{At: time.Since(w.began), Cost: cost}
	w.admitted[who.ID] = append(w.admitted[who.ID], a)
	if w.plan != nil {
		w.admitted[w.plan.ID] = append(w.admitted[w.plan.ID], a)
	}
}

// hold has every follower take leases, spend them at their end, and come back a minute after their beginning.
func (w *world) hold() {
	for range 20 * len(w.minutes) {
		w.takeAt(w.rand.IntN(len(w.minutes)))
	}
	for _, pause := range []time.Duration{1900, 58_150} {
		time.Sleep(pause * time.Millisecond)
		for range 200 * len(w.minutes) {
			w.takeAt(w.rand.IntN(len(w.minutes)))
		}
	}
}

func (w *world) takeAt(i int) {
	who := w.keys[w.rand.IntN(len(w.keys))]
	cost := int64(1 + w.rand.IntN(3)/2)
	limits := ratelimit.PerMinute{Key: w.limits.PerMinute}
	if w.plan != nil {
		limits.Workspace = w.plan.Limits.PerMinute
	}
	var s ratelimit.Status
	if w.minutes[i].Take(who, limits, cost, &s) == ratelimit.Admitted {
		w.leased += int(cost)
		w.note(&who, cost)
	}
}

func (w *world) takeAtSource() {
	who := w.keys[w.rand.IntN(len(w.keys))]
	var s ratelimit.Status
	if w.source.Load().limiter.Take(who, w.limits, 1, &s) == ratelimit.Admitted {
		w.note(&who, 1)
	}
}

func (w *world) step() {
	i := w.rand.IntN(len(w.minutes))
	switch n := w.rand.IntN(100); {
	case n < 55:
		for range 1 + w.rand.IntN(12) {
			w.takeAt(i)
		}
	case n < 65:
		w.takeAtSource()
	case n < 88:
		pauses := []time.Duration{1, 50, 300, 900, 1990, 2010, 5000, 20_000, 57_900, 59_990, 60_010}
		time.Sleep(pauses[w.rand.IntN(len(pauses))] * time.Millisecond)
	case n < 89:
		w.hold()
	case n < 92:
		w.follower(i) // the one before is killed, with its leases
	case n < 94:
		w.minutes[i].Close()
		w.follower(i)
	case n < 96:
		parts, cold := w.close(), w.source.Load().own.Cold()
		away := time.Duration(w.rand.IntN(1500)) * time.Millisecond
		time.Sleep(away)
		w.open(parts, max(0, cold-away))
	case n < 97:
		w.dead = append(w.dead, w.source.Load().limiter)
		w.open(nil, lease.ColdTime)
	default:
		w.again()
	}
}

// Histories of a source and its followers, with lost answers, questions that come again, kills and restarts of both:
// in no minute is more admitted than the limit, by all of them together.
func TestNeverMoreThanTheLimitInAnyMinuteAtASourceAndItsFollowers(t *testing.T) {
	leased := 0
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			w := &world{T: t, rand: rand.New(&shared{pcg: rand.NewPCG(seed, 17)}), began: time.Now().Add(-time.Hour),
				admitted: map[[16]byte][]limittest.Admission{}, lines: make([]*line, 3), minutes: make([]*lease.Limiter, 3)}
			w.limits.PerMinute = []int64{2, 9, 40, 300, 3000}[w.rand.IntN(5)]
			if w.rand.IntN(2) == 0 {
				w.plan = &ratelimit.Plan{ID: [16]byte{1, 9}}
				w.plan.Limits.PerMinute = []int64{3, 12, 60, 500}[w.rand.IntN(4)]
			}
			for i := range 2 {
				who := limittest.Someone()
				who.ID[15], who.Plan = byte(i), w.plan
				w.keys = append(w.keys, who)
			}
			w.open(nil, 0)
			var all []*lease.Limiter
			for i := range w.minutes {
				w.follower(i)
			}
			for range 250 {
				before := append([]*lease.Limiter(nil), w.minutes...)
				w.step()
				for i, m := range before {
					if w.minutes[i] != m {
						all = append(all, m)
					}
				}
			}
			for _, key := range w.keys {
				if err := limittest.Check(w.admitted[key.ID], w.limits.PerMinute); err != nil {
					t.Errorf("seed %d: key: %v", seed, err)
				}
			}
			if w.plan != nil {
				if err := limittest.Check(w.admitted[w.plan.ID], w.plan.Limits.PerMinute); err != nil {
					t.Errorf("seed %d: plan: %v", seed, err)
				}
			}
			for _, m := range append(all, w.minutes...) {
				m.Close()
			}
			leased += w.leased
			for _, l := range append(w.dead, w.source.Load().limiter) {
				_ = l.Close(context.Background())
			}
		})
		if t.Failed() {
			return
		}
	}
	if leased < 2000 {
		t.Errorf("followers admitted %d units in all: the histories show little", leased)
	}
	t.Logf("followers admitted %d units", leased)
}
