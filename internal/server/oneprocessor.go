package server

import (
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// secondThread lends the runtime a second thread on a machine of one processor, while requests come that take their
// time.
//
// On one thread Go runs goroutines that wake each other, as those do that take turns at the database, before it looks
// at the network again: a verification beside 32 callers who make keys had a slowest hundredth of 42 to 64 ms. On two
// the kernel shares the processor out, that is 4 to 5 ms, and twice as rushMany keys are made. Verifications alone are
// better off on one: 0.2 to 0.8 ms, and 0.4 to 1.8 on two.
//
// Go follows a container that is given more processors, but not while the number of threads is set by hand. So the
// thread is lent only where there is one, is taken back by returning to Go's own choice, and while it is lent that
// choice is asked once a second.
type secondThread struct {
	threads  func(int) int // runtime.GOMAXPROCS
	byGo     func()        // runtime.SetDefaultGOMAXPROCS
	came     atomic.Int64  // since the watch looked last
	watching atomic.Bool
}

const (
	rushEvery = 20 * time.Millisecond
	rushMany  = 4   // requests in that time, and one thread is not enough
	rushCalm  = 100 // looks without as many, and it is again
	askGo     = 50  // looks between two questions how many threads Go would have
)

// OnOneProcessor is the callback for Options.Slow, run for each request that takes its time; nil where there is more
// than one processor, or GOMAXPROCS is set.
func OnOneProcessor() func() {
	if runtime.GOMAXPROCS(0) != 1 || os.Getenv("GOMAXPROCS") != "" {
		return nil
	}
	s := secondThread{threads: runtime.GOMAXPROCS, byGo: runtime.SetDefaultGOMAXPROCS}
	return s.note
}

// note is told of a request. It costs nothing while none comes.
func (s *secondThread) note() {
	s.came.Add(1)
	if !s.watching.Load() && s.watching.CompareAndSwap(false, true) {
		go s.watch()
	}
}

// watch lends the thread, and takes it back when it has been calm.
func (s *secondThread) watch() {
	defer s.watching.Store(false)
	look := time.NewTicker(rushEvery)
	defer look.Stop()
	lent := 0 // looks since the thread was lent; 0 where it is not
	for calmly := 0; calmly < rushCalm; calmly++ {
		<-look.C
		rush := s.came.Swap(0) >= rushMany
		if rush {
			calmly = 0
		}
		switch {
		case lent > askGo:
			s.byGo()
			lent = s.lend()
		case lent > 0:
			lent++
		case rush:
			lent = s.lend()
		}
	}
	if lent > 0 {
		s.byGo()
	}
}

// lend gives the second thread where there is one, and answers 1 where it did.
func (s *secondThread) lend() int {
	if s.threads(0) != 1 {
		return 0
	}
	s.threads(2)
	return 1
}
