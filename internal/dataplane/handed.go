package dataplane

import (
	"net"
	"sync"
)

// handed is the listener through which net/http takes the connections that are handed over.
type handed struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
	addr  net.Addr
}

func newHanded() *handed { return &handed{conns: make(chan net.Conn), ended: make(chan struct{})} }

// take gives a connection to net/http; false where that takes no more.
func (h *handed) take(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.ended:
		return false
	}
}

// Accept waits for a connection that is handed over.
func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.ended:
		return nil, net.ErrClosed
	}
}

// Close ends it; it may be called more than once.
func (h *handed) Close() error {
	h.once.Do(func() { close(h.ended) })
	return nil
}

// Addr is where the connections came in.
func (h *handed) Addr() net.Addr { return h.addr }

// begun is a connection of which a part was read already.
type begun struct {
	net.Conn
	read []byte
}

// Read gives what was read first.
func (b *begun) Read(p []byte) (int, error) {
	if len(b.read) == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.read)
	if b.read = b.read[n:]; len(b.read) == 0 {
		b.read = nil
	}
	return n, nil
}
