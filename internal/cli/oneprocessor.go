package cli

import (
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// secondThread lends the runtime a second thread on a machine of one processor, while requests come that take their time.
//
// On one thread Go runs goroutines that wake each other, as those do that take turns at the database, before it looks at the network
// again: a verification beside 32 callers who make keys waited for 40 to 300 ms. On two the kernel shares the processor out, and it
// waits for 2 to 4. Verifications alone are better off on one: their slowest hundredth takes 0.7 ms there, and 4.3 ms on two.
type secondThread struct {
	threads  func(int) int // runtime.GOMAXPROCS
	came     atomic.Int64  // since the watch looked last
	watching atomic.Bool
}

const (
	watchEvery = 20 * time.Millisecond
	many       = 4   // requests in that time, and one thread is not enough
	calm       = 100 // looks without as many, and it is again
)

// onOneProcessor is what is to be told of requests, nil where there is more than one processor, or GOMAXPROCS says what is wanted.
func onOneProcessor() func() {
	if runtime.GOMAXPROCS(0) != 1 || os.Getenv("GOMAXPROCS") != "" {
		return nil
	}
	s := secondThread{threads: runtime.GOMAXPROCS}
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
	look := time.NewTicker(watchEvery)
	defer look.Stop()
	for calmly := 0; calmly < calm; calmly++ {
		<-look.C
		if s.came.Swap(0) >= many {
			s.threads(2)
			calmly = 0
		}
	}
	s.threads(1)
}
