package verify_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/limittest"
	"github.com/keyward/keyward/internal/verify"
)

// limited gives the bench a limiter over a ledger.
func (b *bench) limited(ledger ratelimit.Ledger, minutes ratelimit.Minutes) {
	start := time.Now()
	l := ratelimit.New(
		ratelimit.Config{Elapsed: func() time.Duration { return time.Since(start) + time.Hour }, Ledger: ledger,
			Wall: func() time.Time { return noon.Add(time.Since(start)) }, Minutes: minutes, Wait: 200 * time.Millisecond},
	)
	b.t.Cleanup(func() { _ = l.Close(context.Background()) })
	b.engine = verify.New(verify.Config{Replica: b.replica, Format: b.format, Digests: b.digester, Limiter: l,
		Clocks: func() (int64, time.Duration) { return b.now.UnixMilli(), time.Since(start) + time.Hour }})
}

// keys makes keys with these limits.
func (b *bench) keys(n int, perMinute, perDay int64) (questions []verify.Question) {
	for range n {
		s := b.mint(keyfmt.Live)
		b.key(func(k *apikey.Key) {
			k.ID = id.Key(fmt.Sprintf("00000000-0000-7000-8001-%012d", b.revision))
			k.Value.Digest = b.digester.Store(s)
			k.Limits = ratelimit.Limits{PerMinute: perMinute, PerDay: perDay}
		})
		questions = append(questions, verify.Question{Key: s.Reveal(), Cost: 1})
	}
	return questions
}

func (b *bench) batch(questions []verify.Question) (all []verify.Verdict) {
	var batch verify.Batch
	batch.Begin(b.engine, questions)
	for range questions {
		all = append(all, *batch.Next())
	}
	return all
}

func TestTheDaysOfABatchAreClaimedTogether(t *testing.T) {
	t.Parallel()
	b, settled := newBench(t), atomic.Int64{}
	b.limited(&limittest.Ledger{Before: func([]ratelimit.Claim) error {
		settled.Add(1)
		time.Sleep(5 * time.Millisecond)
		return nil
	}}, nil)
	for i, v := range b.batch(b.keys(1000, 0, 100)) {
		if v.Code != verify.Valid || v.Limits.Day.Remaining != 99 {
			t.Fatalf("item %d: %s, %+v", i, v.Code, v.Limits.Day)
		}
	}
	// a few on a machine of one's own, more on a busy one; 1,000 where each waits for itself
	if n := settled.Load(); n > 100 {
		t.Errorf("1000 keys that were not used today took %d transactions", n)
	}
}

// Keys without a limit per day, with one that is in memory and with one that must be asked stand in all orders, and
// twice.
func TestAnItemThatCannotBeJudgedSaysSoInItsPlaceAndCostsNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var broken atomic.Bool
	b.limited(&limittest.Ledger{Before: func([]ratelimit.Claim) error {
		if broken.Load() {
			return errors.New("the disk is full")
		}
		return nil
	}}, nil)
	free, minute, warm, cold := b.keys(3, 0, 0), b.keys(3, 9, 0), b.keys(3, 9, 1000), b.keys(3, 9, 1000)
	b.batch(warm)
	var questions []verify.Question
	var want []verify.Code
	for i := range 3 {
		for _, one := range []verify.Question{cold[i], free[i], minute[i], warm[i], {Key: "nothing"}, cold[i]} {
			questions, want = append(questions, one), append(want, verify.Valid)
		}
		n := len(want)
		want[n-6], want[n-1], want[n-2] = verify.Unavailable, verify.Unavailable, verify.Malformed
	}
	broken.Store(true)
	for i, v := range b.batch(questions) {
		if v.Code != want[i] {
			t.Errorf("item %d is %s, want %s", i, v.Code, want[i])
		}
		if v.Code == verify.Unavailable && (v.Key.Name != "" || v.Limits != (ratelimit.Status{})) {
			t.Errorf("item %d tells %+v", i, v)
		}
	}
	broken.Store(false)
	time.Sleep(100 * time.Millisecond) // the pause after an error
	left := func(questions []verify.Question, minute, day int64) {
		t.Helper()
		for i, v := range b.batch(questions) {
			if v.Code != verify.Valid || v.Limits.Minute.Remaining != minute || v.Limits.Day.Remaining != day {
				t.Errorf("%d: %s, %+v", i, v.Code, v.Limits)
			}
		}
	}
	left(cold, 8, 999)
	left(minute, 7, 0)
	left(warm, 6, 997)
}

// slowMinutes keeps minutes at a distance.
type slowMinutes struct {
	admit atomic.Int64
	fail  atomic.Bool
}

func (m *slowMinutes) Shares(ratelimit.Subject) bool { return true }

func (m *slowMinutes) Take(
	who ratelimit.Subject, limits ratelimit.PerMinute, _ int64, s *ratelimit.Status,
) ratelimit.Outcome {
	if who.Wait < 0 {
		return ratelimit.WouldWait
	}
	time.Sleep(2 * time.Millisecond)
	if m.fail.Load() {
		return ratelimit.Unavailable
	}
	m.admit.Add(1)
	s.Minute = ratelimit.Window{Limit: limits.Key, Remaining: limits.Key - 1}
	return ratelimit.Admitted
}

func (m *slowMinutes) Peek(
	who ratelimit.Subject, limits ratelimit.PerMinute, n int64, s *ratelimit.Status,
) ratelimit.Outcome {
	return m.Take(who, limits, n, s)
}

func TestTheMinutesOfABatchAreAskedAtTheSameTime(t *testing.T) {
	t.Parallel()
	b, m := newBench(t), &slowMinutes{}
	b.limited(&limittest.Ledger{}, m)
	questions := b.keys(1000, 5, 50)
	began := time.Now()
	for i, v := range b.batch(questions) {
		if v.Code != verify.Valid || v.Limits.Day.Remaining != 49 || v.Limits.Minute.Remaining != 4 {
			t.Fatalf("item %d: %s, %+v", i, v.Code, v.Limits)
		}
	}
	if took := time.Since(began); m.admit.Load() != 1000 || took > time.Second {
		t.Errorf("%d questions of 2 ms took %v", m.admit.Load(), took)
	}
	m.fail.Store(true)
	for i, v := range b.batch(questions) {
		if v.Code != verify.Unavailable {
			t.Fatalf("item %d: %s", i, v.Code)
		}
	}
	m.fail.Store(false)
	if v := b.batch(questions)[999]; v.Limits.Day.Remaining != 48 {
		t.Errorf("what could not be judged has cost: %+v", v.Limits)
	}
}

// A store that hangs keeps a batch waiting once, not once for each of its keys.
func TestABatchWaitsForAStoreThatHangsOnce(t *testing.T) {
	t.Parallel()
	b, end := newBench(t), make(chan struct{})
	b.limited(&limittest.Ledger{Before: func([]ratelimit.Claim) error { <-end; return nil }}, nil)
	t.Cleanup(func() { close(end) })
	questions := append(b.keys(300, 0, 1000), b.keys(1, 0, 0)...)
	began := time.Now()
	all := b.batch(questions)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("300 keys waited for %v", took)
	}
	if all[0].Code != verify.Unavailable || all[299].Code != verify.Unavailable || all[300].Code != verify.Valid {
		t.Error(all[0].Code, all[299].Code, all[300].Code)
	}
}

func TestABatchInMemoryAllocatesNothing(t *testing.T) {
	b := newBench(t)
	b.limited(&limittest.Ledger{}, nil)
	questions := b.keys(50, 1_000_000, 1_000_000)
	b.batch(questions)
	var batch verify.Batch
	if n := testing.AllocsPerRun(100, func() {
		batch.Begin(b.engine, questions)
		for range questions {
			if v := batch.Next(); v.Code != verify.Valid {
				t.Fatal(v.Code)
			}
		}
	}); n > 1 { // a block of a day is claimed in between
		t.Errorf("%v allocations", n)
	}
}
