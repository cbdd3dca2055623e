package dataplane

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// handoffListener is the listener through which net/http takes the connections that are handed over.
type handoffListener struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
	addr  net.Addr
}

func newHandoffListener() *handoffListener {
	return &handoffListener{conns: make(chan net.Conn), ended: make(chan struct{})}
}

// take gives a connection to net/http; false where that takes no more.
func (h *handoffListener) take(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.ended:
		return false
	}
}

// Accept waits for a connection that is handed over.
func (h *handoffListener) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.ended:
		return nil, net.ErrClosed
	}
}

// Close ends it; it may be called more than once.
func (h *handoffListener) Close() error {
	h.once.Do(func() { close(h.ended) })
	return nil
}

// Addr is where the connections came in.
func (h *handoffListener) Addr() net.Addr { return h.addr }

// replayConn is a connection of which a part was read already.
type replayConn struct {
	net.Conn
	read []byte
	tls  *tls.ConnectionState
}

type tlsKey struct{}

// contextWithConn notes how a connection is encrypted: net/http sees that by itself only where it was handed the
// connection as it was.
func contextWithConn(ctx context.Context, c net.Conn) context.Context {
	if b, ok := c.(*replayConn); ok && b.tls != nil {
		return context.WithValue(ctx, tlsKey{}, b.tls)
	}
	return ctx
}

// withTLS gives a request's TLS back to it.
type withTLS struct{ http.Handler }

func (h withTLS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil {
		r.TLS, _ = r.Context().Value(tlsKey{}).(*tls.ConnectionState)
	}
	h.Handler.ServeHTTP(w, r)
}

// Read returns the bytes that were read before first.
func (b *replayConn) Read(p []byte) (int, error) {
	if len(b.read) == 0 {
		return b.Conn.Read(p)
	}
	n := copy(p, b.read)
	if b.read = b.read[n:]; len(b.read) == 0 {
		b.read = nil
	}
	return n, nil
}
