package clock_test

import (
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/clock"
)

var noon = time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)

func TestNowIsTheWallClockInWholeMilliseconds(t *testing.T) {
	t.Parallel()
	wall := noon.Add(1_999_999 * time.Nanosecond).In(time.FixedZone("x", 3600))
	c := clock.New(func() time.Time { return wall })
	if got, want := c.Now(), noon.Add(time.Millisecond); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestT31AClockThatIsSetBackStandsStillUntilTimeHasCaughtUp(t *testing.T) {
	t.Parallel()
	wall := noon
	c := clock.New(func() time.Time { return wall })
	for _, step := range []struct{ wall, mark, want time.Duration }{
		{0, 0, 0},
		{time.Second, 0, time.Second},
		{-time.Hour, 0, time.Second},
		{-time.Hour, time.Minute, time.Minute},
		{-time.Hour, time.Second, time.Minute},
		{time.Minute - 1, 0, time.Minute},
		{time.Hour, 0, time.Hour},
	} {
		wall = noon.Add(step.wall)
		if step.mark != 0 {
			c.Advance(noon.Add(step.mark))
		}
		if got, want := c.Now(), noon.Add(step.want); got != want {
			t.Errorf("wall %v, mark %v: got %v, want %v", step.wall, step.mark, got, want)
		}
	}
	c.Advance(time.Time{})
	if got := c.Now(); got != noon.Add(time.Hour) {
		t.Errorf("a zero mark moved the clock to %v", got)
	}
}

func TestNobodySeesTheClockRunBackwards(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	n := 0
	c := clock.New(func() time.Time { // jumps to and fro
		mu.Lock()
		defer mu.Unlock()
		n++
		return noon.Add(time.Duration(n*7919%1000) * time.Millisecond)
	})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			last := c.Now()
			for range 1000 {
				now := c.Now()
				if now.Before(last) {
					t.Errorf("%v after %v", now, last)
				}
				last = now
			}
		})
	}
	wg.Wait()
}

func TestT31OneLookTellsTheTimeAndWhatHasPassed(t *testing.T) {
	t.Parallel()
	wall := noon
	c := clock.New(func() time.Time { return wall })
	start := wall
	wall = noon.Add(90 * time.Second)
	if ms, passed := c.Since(start); ms != wall.UnixMilli() || passed != 90*time.Second {
		t.Errorf("%d, and %v have passed", ms, passed)
	}
	wall = noon.Add(30 * time.Second)
	if ms, _ := c.Since(start); ms != noon.Add(90*time.Second).UnixMilli() {
		t.Errorf("the time went back to %d", ms)
	}
}
