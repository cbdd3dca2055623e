package server

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// scheduler stands in for Go's, which follows the processors of a container until the number of threads is set.
type scheduler struct {
	threads, processors atomic.Int64
	byHand              atomic.Bool
}

func (m *scheduler) set(n int) int {
	if n <= 0 {
		return int(m.threads.Load())
	}
	m.byHand.Store(true)
	return int(m.threads.Swap(int64(n)))
}

func (m *scheduler) byGo() {
	m.byHand.Store(false)
	m.threads.Store(m.processors.Load())
}

// resize gives the container so many processors.
func (m *scheduler) resize(n int64) {
	m.processors.Store(n)
	if !m.byHand.Load() {
		m.threads.Store(n)
	}
}

// rig is a machine whose processors are used by nobody, until used is set.
func (m *scheduler) rig(processors int64) *spareThreads {
	m.processors.Store(processors)
	m.byGo()
	return &spareThreads{threads: m.set, byGo: m.byGo, used: func() time.Duration { return 0 }}
}

// A container is given more processors, and may lose them again: lent threads follow within a second.
func TestSpareThreadsFollowTheProcessors(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]bool{"while they are lent": true, "in a pause": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var m scheduler
				s := m.rig(1)
				rush := func(span time.Duration) {
					for range span / rushEvery {
						for range 2 * rushMany {
							s.note()
						}
						time.Sleep(rushEvery)
					}
					synctest.Wait()
				}
				if busy {
					rush(time.Second)
				}
				m.resize(4)
				rush(2 * time.Second)
				if n := m.threads.Load(); n != 8 {
					t.Errorf("with 4 processors the process runs on %d threads, want 8", n)
				}
				m.resize(1)
				rush(2 * time.Second)
				if n := m.threads.Load(); n != 2 {
					t.Errorf("with 1 processor again it runs on %d threads, want 2", n)
				}
				time.Sleep((rushCalm + 2) * rushEvery)
				synctest.Wait()
				m.resize(4)
				if n := m.threads.Load(); n != 4 {
					t.Errorf("after a calm stretch, with 4 processors, it runs on %d threads", n)
				}
			})
		})
	}
}

func TestSpareThreadsAreLentWhileManyRequestsCome(t *testing.T) {
	t.Parallel()
	for _, processors := range []int64{1, 2, 8} {
		synctest.Test(t, func(t *testing.T) {
			var m scheduler
			s := m.rig(processors)
			come := func(requests int, span time.Duration) {
				for range span / rushEvery {
					for range requests {
						s.note()
					}
					time.Sleep(rushEvery)
				}
				synctest.Wait()
			}
			for _, step := range []struct {
				what     string
				requests int // in each stretch of rushEvery
				span     time.Duration
				want     int64
			}{
				{"a few are none of its business", 1, time.Second, processors},
				{"many are", 2 * rushMany, 3 * rushEvery, 2 * processors},
				{"they are kept in a pause", 0, rushEvery * rushCalm / 2, 2 * processors},
				{"and through the next rush", 2 * rushMany, 3 * time.Second, 2 * processors},
				{"the calm has to last", 1, rushEvery * rushCalm / 2, 2 * processors},
				{"then they are taken back", 0, rushEvery * (rushCalm + 2), processors},
				{"and lent again", 10 * rushMany, 3 * rushEvery, 2 * processors},
				{"and taken back", 0, rushEvery * (rushCalm + 2), processors},
			} {
				come(step.requests, step.span)
				if got := m.threads.Load(); got != step.want {
					t.Errorf("%d processors: %s: %d threads, want %d", processors, step.what, got, step.want)
				}
			}
			if s.watching.Load() {
				t.Error("it watches though no request comes")
			}
		})
	}
}

// A few requests that each take long use the processors up as well as many short ones. Without a request the processors
// are used by verifications, which are better off without spare threads.
func TestSpareThreadsAreLentToAFewLongRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var m scheduler
		s := m.rig(2)
		var used, share atomic.Int64 // nanoseconds; percent of both processors
		s.used = func() time.Duration { return time.Duration(used.Load()) }
		run := func(span time.Duration) {
			for range span / time.Millisecond {
				used.Add(int64(2*time.Millisecond) * share.Load() / 100)
				time.Sleep(time.Millisecond)
			}
			synctest.Wait()
		}
		for _, step := range []struct {
			what    string
			share   int64
			request bool
			span    time.Duration
			want    int64
		}{
			{"verifications alone", 100, false, time.Second, 2},
			{"a request of little work", 10, true, time.Second, 2},
			{"a request that takes both processors", 100, true, time.Second, 4},
			{"verifications alone once more", 100, false, 2 * rushCalm * rushEvery, 2},
			{"half of the processors", 50, true, 2 * rushCalm * rushEvery, 2},
		} {
			share.Store(step.share)
			if step.request {
				s.note()
			}
			run(step.span)
			if got := m.threads.Load(); got != step.want {
				t.Errorf("%s: %d threads, want %d", step.what, got, step.want)
			}
		}
	})
}
