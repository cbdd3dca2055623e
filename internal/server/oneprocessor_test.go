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

// A container is given more processors, and may lose them again: the lent thread never takes one away for longer than a
// second.
func TestASecondThreadTakesNoProcessorAway(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]bool{"while it is lent": true, "in a pause": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var m scheduler
				m.resize(1)
				s := secondThread{threads: m.set, byGo: m.byGo}
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
				if n := m.threads.Load(); n != 4 {
					t.Errorf("with 4 processors the process runs on %d threads", n)
				}
				m.resize(1)
				rush(time.Second)
				if n := m.threads.Load(); n != 2 {
					t.Errorf("with 1 processor again it runs on %d threads, want the second one", n)
				}
				time.Sleep((rushCalm + 2) * rushEvery)
				synctest.Wait()
				m.resize(4)
				if n := m.threads.Load(); n != 4 {
					t.Errorf("after a rushCalm stretch, with 4 processors, it runs on %d threads", n)
				}
			})
		})
	}
}

func TestASecondThreadIsLentWhileManyRequestsCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var m scheduler
		m.processors.Store(1)
		m.byGo()
		s := secondThread{threads: m.set, byGo: m.byGo}
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
			{"a few are none of its business", 1, time.Second, 1},
			{"many are", 2 * rushMany, 3 * rushEvery, 2},
			{"it is kept in a pause", 0, rushEvery * rushCalm / 2, 2},
			{"and through the next rush", 2 * rushMany, time.Second, 2},
			{"rushCalm has to last", 1, rushEvery * rushCalm / 2, 2},
			{"then it is taken back", 0, rushEvery * (rushCalm + 2), 1},
			{"and lent again", 10 * rushMany, 3 * rushEvery, 2},
			{"and taken back", 0, rushEvery * (rushCalm + 2), 1},
		} {
			come(step.requests, step.span)
			if got := m.threads.Load(); got != step.want {
				t.Errorf("%s: %d threads, want %d", step.what, got, step.want)
			}
		}
		if s.watching.Load() {
			t.Error("it watches though nothing comes")
		}
	})
}
