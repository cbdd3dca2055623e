package cli

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestASecondThreadIsLentWhileManyRequestsCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var threads atomic.Int64
		threads.Store(1)
		s := secondThread{threads: func(n int) int { return int(threads.Swap(int64(n))) }}
		come := func(requests int, span time.Duration) {
			for range span / watchEvery {
				for range requests {
					s.note()
				}
				time.Sleep(watchEvery)
			}
			synctest.Wait()
		}
		for _, step := range []struct {
			what     string
			requests int // in each stretch of watchEvery
			span     time.Duration
			want     int64
		}{
			{"a few are none of its business", 1, time.Second, 1},
			{"many are", 2 * many, 3 * watchEvery, 2},
			{"it is kept in a pause", 0, watchEvery * calm / 2, 2},
			{"and through the next rush", 2 * many, time.Second, 2},
			{"calm has to last", 1, watchEvery * calm / 2, 2},
			{"then it is taken back", 0, watchEvery * (calm + 2), 1},
			{"and lent again", 10 * many, 3 * watchEvery, 2},
			{"and taken back", 0, watchEvery * (calm + 2), 1},
		} {
			come(step.requests, step.span)
			if got := threads.Load(); got != step.want {
				t.Errorf("%s: %d threads, want %d", step.what, got, step.want)
			}
		}
		if s.watching.Load() {
			t.Error("it watches though nothing comes")
		}
	})
}
