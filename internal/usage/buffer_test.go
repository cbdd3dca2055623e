package usage_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/usage"
)

const noon = int64(1_795_521_600_000) // 2026-11-24T12:00:00Z

// Two codes by their places in verdict.Counted.
const (
	disabled = usage.Code(1)
	expired  = usage.Code(2)
)

func key(n int) (k usage.ID) {
	binary.LittleEndian.PutUint64(k[:8], uint64(n)+1)
	binary.LittleEndian.PutUint64(k[8:], (uint64(n)+1)*0x9e3779b97f4a7c15)
	return k
}

func place(n int) (usage.ID, id.Workspace) {
	k := key(n + 1_000_000)
	return k, id.Workspace(id.Format(k))
}

func series(t *testing.T, from, to int64, read func(*usage.Series)) *usage.Series {
	t.Helper()
	span, err := usage.NewSpan(usage.Minute, time.UnixMilli(from), time.UnixMilli(to), time.UnixMilli(to))
	if err != nil {
		t.Fatal(err)
	}
	s := usage.NewSeries(span)
	read(s)
	return s
}

// drain writes everything down and answers it.
func drain(s *usage.Buffer) (all []usage.Entry) {
	batch := make([]usage.Entry, 7)
	for range 2 { // what is in front comes with the second turn at the latest
		for n := s.Take(batch); n > 0; n = s.Take(batch) {
			all = append(all, batch[:n]...)
			s.Settle()
		}
		s.Turn()
	}
	for n := s.Take(batch); n > 0; n = s.Take(batch) {
		all = append(all, batch[:n]...)
		s.Settle()
	}
	return all
}

func TestWhatWasNotedIsThereAtOnceAndUntilItIsSettled(t *testing.T) {
	t.Parallel()
	s := usage.NewBuffer(1 << 16)
	home, ws := place(0)
	s.Add(key(1), ws, usage.Verified, 0, noon+1500)
	s.Add(key(1), ws, expired, 0, noon+2500)
	s.Add(key(1), ws, usage.Verified, 0, noon+61_000)
	s.Add(key(2), ws, disabled, 0, noon)
	s.AddUnknown(usage.Malformed, noon+3)
	s.AddUnknown(usage.NotFound, noon+4)
	look := func(when string, left int64) {
		t.Helper()
		one := series(t, noon, noon+120_000, func(x *usage.Series) { s.Key(key(1), x) })
		if left > 0 &&
			(one.Buckets[0].Counts != usage.Counts{usage.Verified: 1, expired: 1} ||
				one.Buckets[1].Counts[usage.Verified] != 1) {
			t.Errorf("%s: the key: %v", when, one.Buckets)
		}
		within := series(t, noon, noon+120_000, func(x *usage.Series) { s.Workspace(home, x) }).Total()
		all := series(t, noon, noon+120_000, s.All).Total()
		if within.Total() != min(left, 4) || all.Total() != left {
			t.Errorf(
				"%s: the workspace has %d, all is %d, want %d and %d", when, within.Total(), all.Total(), min(left, 4), left,
			)
		}
		if used, tried := s.Latest(key(1)); used != noon+61_000 || tried != noon+61_000 {
			t.Errorf("%s: last used %d, tried %d", when, used, tried)
		}
	}
	look("in front", 6)
	s.Turn()
	look("at the back", 6)
	batch := make([]usage.Entry, 100)
	n := s.Take(batch)
	look("taken", 6)
	if again := s.Take(batch); again != n || s.Waiting() == 0 {
		t.Errorf("what was not settled is taken again: %d, and was %d", again, n)
	}
	s.Settle()
	look("settled", 0)
	if used, tried := s.Latest(key(2)); s.Take(batch) != 0 || s.Waiting() != 0 || used != 0 || tried != noon {
		t.Errorf("%d wait; a refused key was last used %d, tried %d", s.Waiting(), used, tried)
	}
}

func TestConcurrentUsesAreNotedExactlyWhileOthersAreWrittenDown(t *testing.T) {
	t.Parallel()
	const writers, uses = 4, 40_000
	s := usage.NewBuffer(1 << 20)
	_, ws := place(0)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 4))
			for i := range uses {
				at := noon + int64(i)*5
				if i%50 == 0 {
					s.AddUnknown(usage.NotFound, at)
				} else {
					s.Add(key(r.IntN(3000)), ws, usage.Code(r.IntN(7)), 0, at)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	var total usage.Counts
	add := func(all []usage.Entry) {
		for i := range all {
			total.Add(&all[i].Counts)
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			s.Workspace(key(1), series(t, noon, noon+300_000, func(*usage.Series) {}))
			runtime.Gosched()
		}
		add(drain(s))
	}
	if total.Total() != writers*uses || total[usage.NotFound] != writers*uses/50 || s.Lost() != 0 {
		t.Errorf("%d of %d uses were written down, %d are lost: %v", total.Total(), writers*uses, s.Lost(), total)
	}
}

func TestT90WhatFindsNoRoomIsLostAndCounted(t *testing.T) {
	t.Parallel()
	const limit, keys = 1 << 12, 1 << 16
	s := usage.NewBuffer(limit)
	_, ws := place(0)
	for range 2 {
		for i := range keys {
			s.Add(key(i), ws, usage.Verified, 0, noon)
		}
		s.Turn()
	}
	if n := s.Waiting(); n > 2*limit || n < limit {
		t.Errorf("%d wait, and the limit is %d on either side", n, limit)
	}
	kept := series(t, noon, noon+60_000, s.All).Total()
	if kept.Total()+s.Lost() != 2*keys {
		t.Errorf("%d are kept and %d lost, together not %d", kept.Total(), s.Lost(), 2*keys)
	}
	s.Add(key(0), ws, usage.Verified, 0, noon) // its cell is there
	before := s.Lost()
	drain(s)
	s.Add(key(keys), ws, usage.Verified, 0, noon)
	if s.Lost() != before {
		t.Error("there is room again, and it is not used")
	}
}

func TestNotingAUseAllocatesNothing(t *testing.T) {
	// Not parallel: allocations are counted for the whole process.
	s := usage.NewBuffer(1 << 20)
	_, ws := place(0)
	batch := make([]usage.Entry, 256)
	round := func() {
		for i := range 2000 {
			s.Add(key(i), ws, usage.Verified, 0, noon)
			s.AddUnknown(usage.Malformed, noon+int64(i))
		}
		s.Turn()
		for s.Take(batch) > 0 {
			s.Settle()
		}
	}
	round()
	round()
	if n := testing.AllocsPerRun(20, round); n != 0 {
		t.Errorf("%v allocations in a round of 4000 uses and their writing", n)
	}
}

func TestASeriesIsWholeAndBounded(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(noon + 30*60_000 + 1)
	at := func(s string) time.Time {
		if s == "" {
			return time.Time{}
		}
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		grain          usage.Grain
		from, to       string
		first, last    string // starts of the first and the last bucket
		buckets        int
		wrong, because string
	}{
		{grain: usage.Minute, first: "2026-11-24T11:31:00Z", last: "2026-11-24T12:30:00Z", buckets: 60},
		{grain: usage.Hour, first: "2026-11-23T13:00:00Z", last: "2026-11-24T12:00:00Z", buckets: 24},
		{grain: usage.Day, first: "2026-10-26T00:00:00Z", last: "2026-11-24T00:00:00Z", buckets: 30},
		{grain: usage.Day, from: "2026-11-22T23:59:59Z", to: "2026-11-24T00:00:00Z", first: "2026-11-22T00:00:00Z",
			last: "2026-11-23T00:00:00Z", buckets: 2},
		{grain: usage.Hour, from: "2026-11-24T10:10:00Z", to: "2026-11-24T10:10:01Z", first: "2026-11-24T10:00:00Z",
			last: "2026-11-24T10:00:00Z", buckets: 1},
		{grain: usage.Minute, from: "2026-11-24T10:10:00Z", to: "2026-11-24T10:10:00Z", wrong: "from",
			because: "must be before to"},
		{grain: usage.Minute, from: "2026-11-25T10:10:00Z", wrong: "from", because: "must be before to"},
		{grain: usage.Minute, from: "2026-11-23T12:00:00Z", to: "2026-11-24T12:00:01Z", wrong: "from",
			because: "at most 1440 minutes"},
		{grain: usage.Hour, from: "2026-01-01T00:00:00Z", wrong: "from", because: "granularity=day"},
		{grain: usage.Day, from: "0001-01-01T00:00:01Z", to: "0001-01-05T00:00:01Z", wrong: "to", because: "far"},
	} {
		span, err := usage.NewSpan(c.grain, at(c.from), at(c.to), now)
		if c.wrong != "" {
			wrong, ok := errors.AsType[*usage.SpanError](err)
			if !ok || wrong.Field != c.wrong || !strings.Contains(wrong.Message, c.because) {
				t.Errorf("%v: %v", c, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", c, err)
			continue
		}
		b := usage.NewSeries(span).Buckets
		got := []any{
			len(b), time.UnixMilli(b[0].Start).UTC().Format(time.RFC3339),
			time.UnixMilli(b[len(b)-1].Start).UTC().Format(time.RFC3339),
		}
		if diff := cmp.Diff([]any{c.buckets, c.first, c.last}, got); diff != "" {
			t.Errorf("%v: %s", c, diff)
		}
	}
}

// A write that failed is tried again: what was taken and not settled stays in its place, whatever is turned over
// meanwhile.
func TestWhatIsNotSettledIsTakenAgainAfterATurn(t *testing.T) {
	t.Parallel()
	s, batch := usage.NewBuffer(1<<16), make([]usage.Entry, 10)
	_, ws := place(0)
	s.Add(key(1), ws, usage.Verified, 0, noon)
	s.Turn()
	if n := s.Take(batch); n != 1 {
		t.Fatalf("%d entries", n)
	}
	s.Add(key(1), ws, usage.Verified, 0, noon+60_000)
	s.Turn()
	if n := s.Take(batch); n != 1 || batch[0].Minute != noon {
		t.Errorf("after a write that failed, %d entries: %+v", n, batch[0])
	}
	s.Settle()
	s.Turn()
	if n := s.Take(batch); n != 1 || batch[0].Minute != noon+60_000 {
		t.Errorf("then %d entries: %+v", n, batch[0])
	}
}

// A flood of guesses comes within few milliseconds, from all processors.
func BenchmarkUnknown(b *testing.B) {
	s := usage.NewBuffer(1 << 20)
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			s.AddUnknown(usage.NotFound, noon)
		}
	})
}

// What is no key is counted in every shard, whatever the instant.
func TestAFloodOfUnknownKeysDoesNotMeetAtOneLockT42(t *testing.T) {
	t.Parallel()
	s := usage.NewBuffer(1 << 20)
	for range 2000 {
		s.AddUnknown(usage.NotFound, noon)
	}
	if n := s.Waiting(); n < 60 {
		t.Errorf("2000 attempts of one millisecond are counted in %d shards, want 64", n)
	}
}

func BenchmarkNote(b *testing.B) {
	_, ws := place(0)
	for _, c := range []struct {
		name string
		keys int
	}{{"hot key", 1}, {"uniform over a million", 1 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			s := usage.NewBuffer(1 << 23)
			r := rand.New(rand.NewPCG(1, 2))
			keys := make([]usage.ID, c.keys)
			for i := range keys {
				keys[i] = key(i)
				s.Add(keys[i], ws, usage.Verified, 0, noon)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				s.Add(keys[r.IntN(c.keys)], ws, usage.Verified, 0, noon)
			}
		})
	}
}
