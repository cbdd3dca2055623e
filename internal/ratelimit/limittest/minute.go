package limittest

import (
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/ratelimit"
)

func testRandom(t testing.TB, f *fixture) {
	rapid.Check(t.(rapid.TB), func(rt *rapid.T) {
		limits := rapid.SliceOfN(rapid.SampledFrom([]int64{1, 2, 3, 7, 20, 60, 1000, 1024, 1025, 3000}), 1, 3).
			Draw(rt, "limits")
		who, w := Someone(), Witness{}
		limit := limits[0]
		for _, l := range limits {
			w.Slack = max(w.Slack, f.Slack(l))
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			gap := rapid.OneOf(rapid.Int64Range(0, 300), rapid.Int64Range(0, 3_000_000), rapid.Int64Range(0, 70_000_000),
				rapid.SampledFrom([]int64{59_999_999, 60_000_000, 60_000_001, 100_000, 99_999})).Draw(rt, "µs")
			f.clock.Pass(time.Duration(gap) * time.Microsecond)
			if rapid.IntRange(0, 9).Draw(rt, "change") == 0 {
				limit = rapid.SampledFrom(limits).Draw(rt, "limit")
			}
			cost := rapid.SampledFrom([]int64{0, 1, 1, 1, 2, limit / 2, limit, limit + 1}).Draw(rt, "cost")
			for range rapid.IntRange(1, 30).Draw(rt, "times") {
				admitted := f.take(who, perMinute(limit), cost)
				if err := w.Saw(f.clock.Elapsed(), limit, cost, admitted); err != nil {
					rt.Fatal(err)
				}
			}
		}
	})
}

func testConcurrent(t testing.TB, f *fixture) {
	const keys, callers, each = 100, 100, 10
	var subjects [keys]ratelimit.Subject
	for i := range subjects {
		subjects[i] = Someone()
	}
	var mu sync.Mutex
	histories := make([][]Admission, keys)
	var all sync.WaitGroup
	limit := func(key int) int64 { return int64(50 + 19*(key%60)) } // on either side of 1,024, and of what is asked
	for c := range callers {
		all.Go(func() {
			for n := range each {
				for k := range keys {
					key := (k*7 + c + n) % keys
					at := f.clock.Elapsed()
					if f.take(subjects[key], perMinute(limit(key)), 1) {
						mu.Lock()
						histories[key] = append(histories[key], Admission{at, 1})
						mu.Unlock()
					}
				}
			}
		})
	}
	all.Wait()
	for key, h := range histories {
		if want := min(limit(key), callers*each); int64(len(h)) != want {
			t.Errorf("%d of %d callers were admitted, and the limit is %d", len(h), callers*each, want)
		}
		if err := Check(h, limit(key)); err != nil {
			t.Error(err)
		}
	}
}

func testRefusal(t testing.TB, f *fixture) {
	for _, n := range []int64{3, 1024, 5000} {
		who, l := Someone(), perMinute(n)
		f.many(who, l, int(n))
		var s ratelimit.Status
		for range 10_000 {
			if o := f.limiter.Take(who, l, 1, &s); o != ratelimit.MinuteSpent {
				t.Fatalf("limit %d: outcome %d", n, o)
			}
			f.clock.Pass(time.Millisecond)
		}
		f.clock.Pass(time.Duration(s.RetryAt-f.clock.Wall().UnixMilli()) * time.Millisecond)
		if !f.take(who, l, 1) {
			t.Errorf("limit %d: the legal call after the flood was refused", n)
		}
	}
}

func testBounds(t testing.TB, f *fixture) {
	var s ratelimit.Status
	for _, c := range []struct {
		limit, cost int64
		want        ratelimit.Outcome
		retry       bool // ever
	}{
		{1, 1, ratelimit.Admitted, true}, {1, 2, ratelimit.MinuteSpent, false}, {999, 1000, ratelimit.MinuteSpent, false},
		{1000, 1000, ratelimit.Admitted, true}, {ratelimit.Max, 1000, ratelimit.Admitted, true},
		{ratelimit.Max, ratelimit.Max, ratelimit.Admitted, true},
		{ratelimit.Max, ratelimit.Max + 1, ratelimit.MinuteSpent, false},
		{1024, 1024, ratelimit.Admitted, true}, {1025, 1025, ratelimit.Admitted, true},
		{1024, 1025, ratelimit.MinuteSpent, false},
	} {
		who := Someone()
		if o := f.limiter.Take(who, perMinute(c.limit), c.cost, &s); o != c.want {
			t.Errorf("a cost of %d under a limit of %d: outcome %d", c.cost, c.limit, o)
		}
		if s.Minute.Limit != c.limit || !c.retry && (s.RetryAt != ratelimit.Never || s.Minute.Remaining != c.limit) {
			t.Errorf("a cost of %d under a limit of %d: %+v", c.cost, c.limit, s)
		}
	}
	who := Someone()
	for range 5 {
		if o := f.limiter.Take(who, ratelimit.Limits{}, 1000, &s); o != ratelimit.Admitted || s != (ratelimit.Status{}) {
			t.Errorf("without a limit: outcome %d, %+v", o, s)
		}
	}
}

func testChange(t testing.TB, f *fixture) {
	for _, c := range [][2]int64{{5, 9}, {1024, 1025}, {1000, 3000}, {10, 4000}} {
		low, high := c[0], c[1]
		who := Someone()
		if n := f.many(who, perMinute(low), int(low)+5); int64(n) != low {
			t.Errorf("%d of %d", n, low)
		}
		if n := f.many(who, perMinute(high), int(high)); int64(n) != high-low {
			t.Errorf("raised from %d to %d: %d more, want %d", low, high, n, high-low)
		}
		if n := f.many(who, perMinute(low), 5); n != 0 {
			t.Errorf("lowered from %d to %d: %d more", high, low, n)
		}
		f.clock.Pass(Minute + f.Slack(high))
		if n := f.many(who, perMinute(low), int(low)+5); int64(n) != low {
			t.Errorf("a minute later: %d of %d", n, low)
		}
	}
}

func testWallSteps(t testing.TB, f *fixture) {
	who, w := Someone(), Witness{Slack: f.Slack(10)}
	for i := range 400 {
		f.clock.Set([]time.Duration{-time.Hour, 2 * time.Hour, -time.Hour, 59 * time.Second, -59 * time.Second}[i%5])
		f.clock.Pass(time.Second)
		if err := w.Saw(f.clock.Elapsed(), 10, 1, f.take(who, perMinute(10), 1)); err != nil {
			t.Fatal(err)
		}
	}
}

func testPeek(t testing.TB, f *fixture) {
	who, l := Someone(), perMinute(3)
	var s ratelimit.Status
	look := func(what string, want ratelimit.Outcome, remaining int64) {
		t.Helper()
		for range 5 {
			if o := f.limiter.Take(who, l, 0, &s); o != want || s.Minute.Remaining != remaining {
				t.Errorf("%s, a cost of 0: outcome %d, %+v", what, o, s)
			}
			if o := f.limiter.Peek(who, l, 1, &s); o != want || s.Minute.Remaining != remaining {
				t.Errorf("%s, a look: outcome %d, %+v", what, o, s)
			}
		}
	}
	look("unused", ratelimit.Admitted, 3)
	f.many(who, l, 2)
	look("used", ratelimit.Admitted, 1)
	if o := f.limiter.Peek(who, l, 2, &s); o != ratelimit.MinuteSpent {
		t.Errorf("a look at too much: outcome %d", o)
	}
	f.many(who, l, 1)
	look("spent", ratelimit.MinuteSpent, 0)
}

func testRetry(t testing.TB, f *fixture) {
	for _, n := range []int64{4, 1024, 4096} {
		slack, who, l := f.Slack(n), Someone(), perMinute(n)
		var s ratelimit.Status
		for i := range int64(4) {
			f.clock.Pass(time.Duration(i) * 1234 * time.Millisecond)
			f.limiter.Take(who, l, n/4, &s)
		}
		for _, cost := range []int64{n / 4, n / 2, n} {
			if o := f.limiter.Peek(who, l, cost, &s); o != ratelimit.MinuteSpent {
				t.Fatalf("limit %d, cost %d: outcome %d", n, cost, o)
			}
			wait := time.Duration(s.RetryAt-f.clock.Wall().UnixMilli()) * time.Millisecond
			f.clock.Pass(wait - time.Millisecond - slack)
			if o := f.limiter.Peek(who, l, cost, &s); slack == 0 && o == ratelimit.Admitted {
				t.Errorf("limit %d, cost %d: admitted before the time", n, cost)
			}
			f.clock.Pass(time.Millisecond + slack)
			if o := f.limiter.Peek(who, l, cost, &s); o != ratelimit.Admitted {
				t.Errorf("limit %d, cost %d: refused at the time: %+v", n, cost, s)
			}
		}
		if left := s.Minute.ResetAt - f.clock.Wall().UnixMilli(); s.Minute.Remaining != n || left > 0 {
			t.Errorf("limit %d: in the end %+v, %d ms too late", n, s.Minute, left)
		}
	}
}

func testKeys(t testing.TB, f *fixture) {
	one, other := Someone(), Someone()
	f.many(one, perMinute(5), 20)
	if n := f.many(other, perMinute(5), 20); n != 5 {
		t.Errorf("a key was admitted %d times after another had spent its own limit", n)
	}
}
