package feedhttp

import "io"

// ahead reads on in a goroutine of its own, so that unpacking an answer takes another processor than reading its lines.
type ahead struct {
	full, empty chan []byte
	stop        chan struct{}
	ended       chan struct{} // with err
	err         error
	part        []byte // what is left of all
	all         []byte
}

const aheadSize = 128 << 10

// newAhead begins to read. Until close has returned, in belongs to it.
func newAhead(in io.Reader) *ahead {
	const buffers = 3
	a := &ahead{
		full: make(chan []byte, buffers), empty: make(chan []byte, buffers), stop: make(chan struct{}),
		ended: make(chan struct{}),
	}
	for range buffers {
		a.empty <- make([]byte, aheadSize)
	}
	go a.run(in)
	return a
}

func (a *ahead) run(in io.Reader) {
	defer close(a.ended)
	defer close(a.full)
	for a.err == nil {
		var b []byte
		select {
		case b = <-a.empty:
		case <-a.stop:
			return
		}
		n := 0
		for n < len(b) && a.err == nil {
			var m int
			m, a.err = in.Read(b[n:])
			n += m
		}
		a.full <- b[:n]
	}
}

// Read is io.Reader.
func (a *ahead) Read(b []byte) (int, error) {
	for len(a.part) == 0 {
		if a.all != nil {
			a.empty <- a.all[:cap(a.all)]
			a.all = nil
		}
		var more bool
		if a.all, more = <-a.full; !more {
			return 0, a.err
		}
		a.part = a.all
	}
	n := copy(b, a.part)
	a.part = a.part[n:]
	return n, nil
}

// close waits for a read that is under way: the caller has seen to it that it ends.
func (a *ahead) close() {
	close(a.stop)
	<-a.ended
}
