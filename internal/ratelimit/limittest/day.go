package limittest

import (
	"testing"
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
)

func perDay(n int64) ratelimit.Limits { return ratelimit.Limits{PerDay: n} }

func testDay(t testing.TB, f *fixture) {
	for _, n := range []int{1, 2, 19, 100, 5000} {
		who := Someone()
		var s ratelimit.Status
		for i := range n {
			if o := f.limiter.Take(who, perDay(int64(n)), 1, &s); o != ratelimit.Admitted || s.Day.Remaining != int64(n-i-1) {
				t.Fatalf("limit %d, the %dth: outcome %d, %+v", n, i+1, o, s)
			}
		}
		midnight := Noon.Add(12 * time.Hour).UnixMilli()
		if o := f.limiter.Take(who, perDay(int64(n)), 1, &s); o != ratelimit.DaySpent || s.RetryAt != midnight ||
			s.Day.ResetAt != midnight {
			t.Errorf("limit %d, one more: outcome %d, %+v", n, o, s)
		}
	}
	who := Someone()
	f.many(who, perDay(7), 9)
	f.clock.Pass(12*time.Hour - time.Second)
	if f.take(who, perDay(7), 1) {
		t.Error("admitted a second before midnight")
	}
	f.clock.Pass(time.Second)
	if n := f.many(who, perDay(7), 9); n != 7 {
		t.Errorf("the next day admitted %d of 7", n)
	}
}

func testTogether(t testing.TB, f *fixture) {
	who, l := Someone(), ratelimit.Limits{PerMinute: 3, PerDay: 5}
	var s ratelimit.Status
	want := func(o ratelimit.Outcome, minute, day int64) {
		t.Helper()
		if got := f.limiter.Take(who, l, 1, &s); got != o || s.Minute.Remaining != minute || s.Day.Remaining != day {
			t.Errorf("outcome %d, %+v; want %d, %d and %d", got, s, o, minute, day)
		}
	}
	want(ratelimit.Admitted, 2, 4)
	want(ratelimit.Admitted, 1, 3)
	want(ratelimit.Admitted, 0, 2)
	for range 10 {
		want(ratelimit.MinuteSpent, 0, 2)
	}
	f.clock.Pass(Minute + f.Slack(3))
	want(ratelimit.Admitted, 2, 1)
	want(ratelimit.Admitted, 1, 0)
	for range 10 {
		want(ratelimit.DaySpent, 1, 0)
	}
	if o := f.limiter.Take(who, l, 2, &s); o != ratelimit.MinuteSpent { // both refuse: the minute is looked at first
		t.Errorf("outcome %d, %+v", o, s)
	}
	if s.RetryAt != s.Day.ResetAt {
		t.Errorf("to come back before the day ends is no use: %+v", s)
	}
}

func testDayStepsBack(t testing.TB, f *fixture) {
	who, l := Someone(), perDay(4)
	f.clock.Set(12*time.Hour + time.Second) // tomorrow
	f.clock.Pass(time.Second)
	f.many(who, l, 9)
	f.clock.Set(-13 * time.Hour)
	f.clock.Pass(time.Second)
	if n := f.many(who, l, 9); n != 0 {
		t.Errorf("a day that was over admitted %d", n)
	}
	f.clock.Set(37 * time.Hour)
	f.clock.Pass(time.Second)
	if n := f.many(who, l, 9); n != 4 {
		t.Errorf("the day after admitted %d of 4", n)
	}
}

func testDayChange(t testing.TB, f *fixture) {
	who := Someone()
	for _, step := range []struct {
		limit int64
		want  int
	}{{10, 10}, {25, 15}, {10, 0}, {26, 1}, {1000, 974}, {999, 0}, {1001, 1}} {
		if n := f.many(who, perDay(step.limit), step.want+3); n != step.want {
			t.Errorf("limit %d: %d were admitted, want %d", step.limit, n, step.want)
		}
	}
}
