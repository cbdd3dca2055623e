package server

import (
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// spareThreads lends the runtime as many threads again as the machine has processors, while requests come that take
// their time.
//
// While each of its threads is busy, Go looks at the network only every 10 ms, and lets goroutines that wake each other
// run before it, as those do that take turns at the database. With a spare thread the kernel shares the processors out.
// On one processor a verification beside 32 callers who make keys had a slowest hundredth of 42 to 64 ms without a
// spare thread, and has 4 to 5 ms with one; twice as many keys are made. Verifications alone are better off without:
// 0.2 to 0.8 ms, and 0.4 to 1.8 with one.
//
// Go follows a container that is given more processors, but not while the number of threads is set by hand. So threads
// are taken back by returning to Go's own choice, and while they are lent that choice is asked once a second.
type spareThreads struct {
	threads  func(int) int        // runtime.GOMAXPROCS
	byGo     func()               // runtime.SetDefaultGOMAXPROCS
	used     func() time.Duration // processor time of this process; 0 where the system does not tell
	came     atomic.Int64         // since the watch looked last
	watching atomic.Bool
}

const (
	rushEvery = 20 * time.Millisecond
	rushMany  = 4    // requests in that time are a rush
	rushBusy  = 0.75 // so is this part of the processors' time, within rushCalm looks of a request
	rushCalm  = 100  // looks without a rush, and the threads are taken back
	askGo     = 50   // looks between two questions how many threads Go would have
)

// SpareThreads is the callback for Options.Slow, run for each request that takes its time; nil where GOMAXPROCS is set.
func SpareThreads() func() {
	if os.Getenv("GOMAXPROCS") != "" {
		return nil
	}
	s := spareThreads{threads: runtime.GOMAXPROCS, byGo: runtime.SetDefaultGOMAXPROCS, used: processorTime}
	return s.note
}

// note is told of a request. It costs nothing while none comes.
func (s *spareThreads) note() {
	s.came.Add(1)
	if !s.watching.Load() && s.watching.CompareAndSwap(false, true) {
		go s.watch()
	}
}

// watch lends threads, and takes them back when it has been calm.
func (s *spareThreads) watch() {
	defer s.watching.Store(false)
	look := time.NewTicker(rushEvery)
	defer look.Stop()
	processors := s.threads(0)
	at, used := time.Now(), s.used()
	lent := 0 // looks since threads were lent; 0 where they are not
	for idle, calm := 0, 0; idle < rushCalm || lent > 0; {
		<-look.C
		came := s.came.Swap(0)
		busy := float64(s.used()-used) >= rushBusy*float64(processors)*float64(time.Since(at))
		at, used = time.Now(), s.used()
		idle, calm = idle+1, calm+1
		if came > 0 {
			idle = 0
		}
		rush := came >= rushMany || busy && idle < rushCalm
		if rush {
			calm = 0
		}
		switch {
		case lent > askGo:
			s.byGo()
			processors, lent = s.lend(), 1
		case lent > 0:
			lent++
		case rush:
			processors, lent = s.lend(), 1
		}
		if lent > 0 && calm >= rushCalm {
			s.byGo()
			processors, lent = s.threads(0), 0
		}
	}
}

// lend doubles the number of threads, which is Go's own, and answers what that was.
func (s *spareThreads) lend() int {
	n := s.threads(0)
	s.threads(2 * n)
	return n
}
