package ratelimit_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/limittest"
)

// parts are the chunks that a limiter stores at its end.
func parts(t *testing.T, l *ratelimit.Limiter) (out [][]byte) {
	t.Helper()
	if err := l.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := l.Windows(func(p []byte) error { out = append(out, bytes.Clone(p)); return nil }); err != nil {
		t.Error(err)
	}
	return out
}

func TestWindowsGoOnAfterARestartInOrderT38(t *testing.T) {
	t.Parallel()
	clock := limittest.NewClock()
	l := local(t, clock, nil)
	var s ratelimit.Status
	limits := map[ratelimit.Subject]int64{}
	witnesses := map[ratelimit.Subject]*limittest.Witness{}
	for i := range int64(300) {
		who := limittest.Someone()
		limits[who] = 1 + i*i%1500
		witnesses[who] = &limittest.Witness{Slack: slack(limits[who]) + 2*time.Millisecond}
	}
	ask := func(times int) {
		for who, limit := range limits {
			for range times {
				clock.Pass(13 * time.Microsecond)
				admitted := l.Take(who, ratelimit.Limits{PerMinute: limit}, 1, &s) == ratelimit.Admitted
				if err := witnesses[who].Saw(clock.Elapsed(), limit, 1, admitted); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, away := range []time.Duration{0, 3 * time.Second, 20 * time.Second, 8 * time.Second, 58 * time.Second,
		2 * time.Minute} {
		for range 8 {
			ask(5)
			clock.Pass(700 * time.Millisecond)
		}
		kept := parts(t, l)
		clock.Pass(away)
		l = local(t, clock, nil)
		for _, p := range kept {
			if err := l.Restore(p); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Random lives of a workspace over restarts: nothing is forgotten, but minutes where their windows are lost.
func TestAPlanGoesOnAfterRestarts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		clock, ledger := limittest.NewClock(), &limittest.Ledger{}
		open := func() *ratelimit.Limiter {
			return ratelimit.New(ratelimit.Config{Elapsed: clock.Elapsed, Wall: clock.Wall, Ledger: ledger})
		}
		l := open()
		h := limittest.NewHistory(rt, func(int64) time.Duration { return 200 * time.Millisecond }, true)
		for range rapid.IntRange(2, 5).Draw(rt, "runs") {
			for range rapid.IntRange(1, 15).Draw(rt, "steps") {
				if err := h.Step(rt, clock, l); err != nil {
					rt.Fatal(err)
				}
				for range 16 {
					l.Sweep()
				}
			}
			var kept [][]byte
			if err := l.Close(context.Background()); err != nil {
				rt.Fatal(err)
			}
			_ = l.Windows(func(p []byte) error { kept = append(kept, bytes.Clone(p)); return nil })
			l = open()
			if rapid.Bool().Draw(rt, "windows are lost") {
				h.Model.Forget()
				continue
			}
			for _, p := range kept {
				if err := l.Restore(p); err != nil {
					rt.Fatal(err)
				}
			}
		}
		if err := l.Close(context.Background()); err != nil {
			rt.Fatal(err)
		}
	})
}

// The wall clock is set back between a stop and the next start: how long that took is not known, and nothing has aged.
func TestWindowsAreWholeThoughTheClockWasSetBackT38(t *testing.T) {
	t.Parallel()
	clock := limittest.NewClock()
	l, who, limits := local(t, clock, nil), limittest.Someone(), ratelimit.Limits{PerMinute: 5}
	var s ratelimit.Status
	for range 5 {
		l.Take(who, limits, 1, &s)
	}
	kept := parts(t, l)
	clock.Set(-time.Hour)
	l = local(t, clock, nil)
	for _, p := range kept {
		if err := l.Restore(p); err != nil {
			t.Fatal(err)
		}
	}
	if o := l.Take(who, limits, 1, &s); o != ratelimit.MinuteSpent {
		t.Errorf("after a start with the clock an hour back: %v, want the minute spent", o)
	}
	clock.Pass(time.Minute)
	if o := l.Take(who, limits, 5, &s); o != ratelimit.Admitted {
		t.Errorf("a minute later: %v, want all that there is", o)
	}
}

func TestWindowsThatCannotBeReadAreRefused(t *testing.T) {
	t.Parallel()
	clock := limittest.NewClock()
	l := local(t, clock, nil)
	var s ratelimit.Status
	for range 5 {
		l.Take(limittest.Someone(), ratelimit.Limits{PerMinute: 9}, 3, &s)
	}
	good := parts(t, l)[0]
	for cut := range good {
		_ = local(t, clock, nil).Restore(good[:cut]) // whatever it answers, it ends
	}
	long := append(bytes.Clone(good[:9+16]), binary.AppendUvarint(nil, 3000)...) // runs, and no ring holds as many
	long = append(long, bytes.Repeat([]byte{1, 1}, 3000)...)
	if local(t, clock, nil).Restore(long) == nil {
		t.Error("a window longer than any ring was taken")
	}
	for _, bad := range [][]byte{nil, {}, {9}, append([]byte{2}, good[1:]...), good[:len(good)-1],
		append(bytes.Clone(good), 1)} {
		if local(t, clock, nil).Restore(bad) == nil {
			t.Errorf("%x was taken", bad)
		}
	}
}

func TestAShutLimiterAdmitsNothingForAMinuteT38(t *testing.T) {
	t.Parallel()
	clock := limittest.NewClock()
	l := local(t, clock, &limittest.Ledger{}, func(c *ratelimit.Config) { c.Shut = time.Minute })
	who, other := limittest.Someone(), limittest.Someone()
	var s, ignored ratelimit.Status
	for range 59 {
		clock.Pass(time.Second)
		if o := l.Take(who, ratelimit.Limits{PerMinute: 5, PerDay: 5}, 1, &s); o != ratelimit.MinuteSpent ||
			s.Day.Remaining != 5 {
			t.Fatalf("outcome %d, %+v", o, s)
		}
		if o := l.Take(other, ratelimit.Limits{PerDay: 100}, 1, &ignored); o != ratelimit.Admitted {
			t.Fatalf("without a limit per minute: outcome %d", o)
		}
	}
	if wait := s.RetryAt - clock.Wall().UnixMilli(); wait > 1000 {
		t.Errorf("come back in %d ms", wait)
	}
	clock.Pass(time.Second)
	if o := l.Take(who, ratelimit.Limits{PerMinute: 5}, 1, &s); o != ratelimit.Admitted {
		t.Errorf("after the minute: outcome %d, %+v", o, s)
	}
}

func TestACrashForfeitsABlockAndNeverAdmitsMoreT38(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{1, 5, 39, 1000, 20_000} {
		clock, ledger := limittest.NewClock(), &limittest.Ledger{}
		who, l := limittest.Someone(), ratelimit.Limits{PerDay: limit}
		var admitted, crashes int64
		for admitted < limit {
			node := local(t, clock, ledger) // the one before is simply not asked any more: its blocks are lost
			before := admitted
			var s ratelimit.Status
			for range 1 + limit/7 {
				if node.Take(who, l, 1, &s) == ratelimit.Admitted {
					admitted++
				}
			}
			crashes++
			_, reserved := ledger.Reserved(who)
			if admitted > limit || reserved > limit {
				t.Fatalf("limit %d: %d admitted, %d reserved", limit, admitted, reserved)
			}
			if admitted == before {
				break
			}
		}
		if lost, most := limit-admitted, crashes*max(1, limit/20); lost > most {
			t.Errorf("limit %d: %d crashes lost %d, at most %d were to be", limit, crashes, lost, most)
		}
	}
}

func TestALedgerThatFailsIsNoAnswerT38(t *testing.T) {
	t.Parallel()
	clock, ledger := limittest.NewClock(), &limittest.Ledger{}
	var broken atomic.Bool
	ledger.Before = func([]ratelimit.Claim) error {
		if broken.Load() {
			return errors.New("disk full")
		}
		return nil
	}
	l := local(t, clock, ledger)
	fresh, known := limittest.Someone(), limittest.Someone()
	limits := ratelimit.Limits{PerMinute: 1000, PerDay: 1000}
	var s ratelimit.Status
	l.Take(known, limits, 1, &s)
	broken.Store(true)
	if o := l.Take(fresh, limits, 1, &s); o != ratelimit.Unavailable || s != (ratelimit.Status{}) {
		t.Errorf("a key without a block: outcome %d, %+v", o, s)
	}
	admitted := 1
	for l.Take(known, limits, 1, &s) == ratelimit.Admitted {
		admitted++
	}
	if admitted < 10 || admitted > 50 {
		t.Errorf("a block in memory admitted %d", admitted)
	}
	if o := l.Take(known, limits, 1, &s); o != ratelimit.Unavailable {
		t.Errorf("after the block: outcome %d", o)
	}
	if o := l.Take(limittest.Someone(), ratelimit.Limits{PerMinute: 1000}, 1, &s); o != ratelimit.Admitted {
		t.Errorf("without a limit per day: outcome %d", o)
	}
	broken.Store(false)
	for range int64(1000 - admitted) {
		if o := l.Take(known, limits, 1, &s); o != ratelimit.Admitted && o != ratelimit.MinuteSpent {
			t.Fatalf("once it is back: outcome %d, %+v", o, s)
		}
	}
	if s.Day.Remaining != 0 {
		t.Errorf("in the end %+v", s)
	}
}

func TestALedgerThatHangsIsWaitedForSoLongAndNoLonger(t *testing.T) {
	t.Parallel()
	clock, ledger := limittest.NewClock(), &limittest.Ledger{}
	release := make(chan struct{})
	ledger.Before = func([]ratelimit.Claim) error { <-release; return nil }
	l := local(t, clock, ledger, func(c *ratelimit.Config) { c.Wait = 20 * time.Millisecond })
	who := limittest.Someone()
	var s ratelimit.Status
	if o := l.Take(who, ratelimit.Limits{PerDay: 9}, 1, &s); o != ratelimit.Unavailable {
		t.Errorf("outcome %d", o)
	}
	close(release)
	for o := ratelimit.Unavailable; o == ratelimit.Unavailable; {
		o = l.Take(who, ratelimit.Limits{PerDay: 9}, 1, &s)
	}
	if s.Day.Remaining != 8 || l.Stats().Timeouts == 0 {
		t.Errorf("%+v, %+v", s, l.Stats())
	}
}

func TestWaitingCallersOfOneKeyShareAClaim(t *testing.T) {
	t.Parallel()
	clock, ledger := limittest.NewClock(), &limittest.Ledger{}
	var claims atomic.Int64
	ledger.Before = func(c []ratelimit.Claim) error {
		claims.Add(int64(len(c)))
		time.Sleep(2 * time.Millisecond)
		return nil
	}
	l := local(t, clock, ledger)
	who, limits := limittest.Someone(), ratelimit.Limits{PerDay: 1000}
	var admitted atomic.Int64
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			var s ratelimit.Status
			for range 6 {
				if l.Take(who, limits, 1, &s) == ratelimit.Admitted {
					admitted.Add(1)
				}
			}
		})
	}
	all.Wait()
	if admitted.Load() != 1000 || claims.Load() > 100 {
		t.Errorf("%d admitted of 1000, with %d claims", admitted.Load(), claims.Load())
	}
}

// elsewhere is a minute kept in another store.
type elsewhere struct {
	answer ratelimit.Outcome
	taken  int64
}

func (e *elsewhere) Shares(ratelimit.Subject) bool { return true }

func (e *elsewhere) Take(
	who ratelimit.Subject, limits ratelimit.PerMinute, cost int64, s *ratelimit.Status,
) ratelimit.Outcome {
	if e.answer == ratelimit.Admitted {
		e.taken += cost
	}
	return e.Peek(who, limits, cost, s)
}

func (e *elsewhere) Peek(
	_ ratelimit.Subject, limits ratelimit.PerMinute, _ int64, s *ratelimit.Status,
) ratelimit.Outcome {
	s.Minute, s.WorkspaceMinute = ratelimit.Window{Limit: limits.Key}, ratelimit.Window{Limit: limits.Workspace}
	if e.answer == ratelimit.MinuteSpent {
		s.RetryAt = max(s.RetryAt, 77)
	}
	return e.answer
}

func TestAMinuteKeptElsewhereAndADayKeptHereAreTakenTogether(t *testing.T) {
	t.Parallel()
	clock, ledger, minutes := limittest.NewClock(), &limittest.Ledger{}, &elsewhere{}
	l := local(t, clock, ledger, func(c *ratelimit.Config) { c.Minutes = minutes })
	who, limits := limittest.Someone(), ratelimit.Limits{PerMinute: 100, PerDay: 3}
	var s ratelimit.Status
	want := func(answer, out ratelimit.Outcome, day, taken int64) {
		t.Helper()
		minutes.answer = answer
		if o := l.Take(who, limits, 1, &s); o != out || s.Day.Remaining != day || minutes.taken != taken {
			t.Errorf("outcome %d, want %d; %+v; %d taken of the minute", o, out, s, minutes.taken)
		}
	}
	want(ratelimit.Admitted, ratelimit.Admitted, 2, 1)
	for range 9 {
		want(ratelimit.MinuteSpent, ratelimit.MinuteSpent, 2, 1)
	}
	if s.RetryAt != 77 {
		t.Errorf("%+v", s)
	}
	want(ratelimit.Unavailable, ratelimit.Unavailable, 0, 1)
	want(ratelimit.Admitted, ratelimit.Admitted, 1, 2)
	want(ratelimit.Admitted, ratelimit.Admitted, 0, 3)
	want(ratelimit.Admitted, ratelimit.DaySpent, 0, 3)
	want(ratelimit.MinuteSpent, ratelimit.MinuteSpent, 0, 3)
}

// The days of a key and of its workspace are charged before the minutes are asked elsewhere, and put back where these
// refuse or cannot tell.
func TestMinutesKeptElsewhereAndThePlansDayAreTakenTogether(t *testing.T) {
	t.Parallel()
	clock, ledger, minutes := limittest.NewClock(), &limittest.Ledger{}, &elsewhere{}
	l := local(t, clock, ledger, func(c *ratelimit.Config) { c.Minutes = minutes })
	_, customer := limittest.Customer(2, ratelimit.Limits{PerMinute: 50, PerDay: 4})
	var s ratelimit.Status
	want := func(key int, answer, out ratelimit.Outcome, day, shared, taken int64) {
		t.Helper()
		minutes.answer = answer
		o := l.Take(customer[key], ratelimit.Limits{PerMinute: 100, PerDay: 3}, 1, &s)
		if o != out || s.Day.Remaining != day || s.WorkspaceDay.Remaining != shared || minutes.taken != taken {
			t.Errorf("outcome %d, want %d; %+v; %d taken of the minutes", o, out, s, minutes.taken)
		}
	}
	want(0, ratelimit.Admitted, ratelimit.Admitted, 2, 3, 1)
	for range 9 {
		want(0, ratelimit.MinuteSpent, ratelimit.MinuteSpent, 2, 3, 1)
		want(1, ratelimit.Unavailable, ratelimit.Unavailable, 0, 0, 1)
	}
	want(0, ratelimit.Admitted, ratelimit.Admitted, 1, 2, 2)
	want(0, ratelimit.Admitted, ratelimit.Admitted, 0, 1, 3)
	want(1, ratelimit.Admitted, ratelimit.Admitted, 2, 0, 4)
	want(1, ratelimit.Admitted, ratelimit.DaySpent, 2, 0, 4)
	if !s.ByPlan {
		t.Errorf("%+v: the plan's day refused", s)
	}
	if want, got := (ratelimit.Window{Limit: 50}), s.WorkspaceMinute; got != want {
		t.Errorf("the workspace's minute %+v, want %+v", got, want)
	}
}

func TestAKeyThatWaitsHoldsUpNoOtherT42(t *testing.T) {
	t.Parallel()
	clock, ledger := limittest.NewClock(), &limittest.Ledger{}
	asked, release := make(chan struct{}), make(chan struct{})
	ledger.Before = func([]ratelimit.Claim) error { close(asked); <-release; ledger.Before = nil; return nil }
	l := local(t, clock, ledger)
	hot, done := limittest.Someone(), make(chan ratelimit.Outcome)
	for range 100 {
		go func() {
			var s ratelimit.Status
			done <- l.Take(hot, ratelimit.Limits{PerMinute: 1000, PerDay: 1000}, 1, &s)
		}()
	}
	<-asked
	var s ratelimit.Status
	for i := range uint64(10_000) { // in every part, that of the waiting key included
		if o := l.Take(numbered(i), ratelimit.Limits{PerMinute: 1}, 1, &s); o != ratelimit.Admitted {
			t.Fatalf("outcome %d", o)
		}
	}
	select {
	case o := <-done:
		t.Errorf("a caller did not wait: outcome %d", o)
	default:
	}
	close(release)
	for range 100 {
		if o := <-done; o != ratelimit.Admitted {
			t.Errorf("in the end: outcome %d", o)
		}
	}
}
