package ratelimit_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/limittest"
)

// BenchmarkTake is one decision on keys that are chosen at random, with both limits, each of which has been used
// before.
func BenchmarkTake(b *testing.B) {
	for _, keys := range []int{1, 1000, 1_000_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			began := time.Now()
			l := ratelimit.New(
				ratelimit.Config{
					Elapsed: func() time.Duration { return time.Since(began) }, Wall: time.Now, Ledger: &limittest.Ledger{},
				},
			)
			defer l.Close(b.Context())
			limits := ratelimit.Limits{PerMinute: 1_000_000_000, PerDay: 1_000_000_000}
			var s ratelimit.Status
			who := make([]ratelimit.Subject, keys)
			for i := range who {
				who[i] = numbered(uint64(i))
				for range 2 {
					l.Take(who[i], limits, 1, &s)
				}
			}
			r := rand.New(rand.NewPCG(1, 2))
			order := make([]uint32, 1<<20)
			for i := range order {
				order[i] = uint32(r.IntN(keys))
			}
			runtime.GC()
			b.ReportAllocs()
			runtime.LockOSThread()
			i, before := 0, threadTime()
			for b.Loop() {
				if o := l.Take(who[order[i&(1<<20-1)]], limits, 1, &s); o != ratelimit.Admitted {
					b.Fatal(o, s)
				}
				i++
			}
			b.ReportMetric(
				float64(threadTime()-before)/float64(b.N), "cpu-ns/op",
			) // which says more on a machine that others use
		})
	}
}

// BenchmarkTakeWithAPlan is a decision on a key with both limits, of a workspace whose plan has both, and the same
// without the plan.
func BenchmarkTakeWithAPlan(b *testing.B) {
	limits := ratelimit.Limits{PerMinute: 1_000_000_000, PerDay: 1_000_000_000}
	_, customer := limittest.Customer(1000, limits)
	for _, planned := range []bool{false, true} {
		b.Run(fmt.Sprint(planned), func(b *testing.B) {
			began := time.Now()
			l := ratelimit.New(
				ratelimit.Config{
					Elapsed: func() time.Duration { return time.Since(began) }, Wall: time.Now, Ledger: &limittest.Ledger{},
				},
			)
			defer l.Close(b.Context())
			who := slices.Clone(customer)
			var s ratelimit.Status
			for i := range who {
				if !planned {
					who[i].Plan = nil
				}
				l.Take(who[i], limits, 1, &s)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if o := l.Take(who[i%len(who)], limits, 1, &s); o != ratelimit.Admitted {
					b.Fatal(o, s)
				}
				i++
			}
		})
	}
}

func threadTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	_ = syscall.Getrusage(thread, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
