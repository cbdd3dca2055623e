// Package dataplane owns the short path of a platform's verification requests, on any listener: HTTP/1.1 with
// keep-alive, and only the features that such a request needs. It does not own any answer (httpapi), nor addresses
// and certificates (server).
//
// A plain request (head.go defines plain) is read and answered on its connection by a few hundred lines. Any other
// request, right or wrong, goes to net/http: the connection is handed over, with the bytes that were read of the
// request, and stays there. So there is no second opinion on HTTP: this package answers only requests that it
// understands completely, and net/http would answer them with the same bytes.
package dataplane

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/fastpath"
	"github.com/keyward/keyward/internal/verify"
)

// Door answers requests: plain ones at once, any other in its own time.
type Door interface {
	http.Handler
	Quick(*fastpath.Request, *fastpath.Reply) bool
	// Admits reports whether a token may ask, before the question is read.
	Admits(token string, client netip.Addr, caller *verify.Remembered) bool
	QuickCheck(*fastpath.Check, *fastpath.Reply) bool
	// Client is the caller's address, by the peer's address and the X-Forwarded-For that it sent.
	Client(peer netip.Addr, forwarded []string) netip.Addr
}

// Bounds of a connection. A client that is slower than prompt within a request is left to net/http and its deadlines.
const (
	firstBuffer = 4 << 10
	maxBody     = 1 << 20
	mostBlank   = 4 // CR and LF behind the body of a POST
	prompt      = time.Second
	greeting    = 5 * time.Second       // for TLS, and then for a request to begin
	lastWait    = 20 * time.Millisecond // for a request that is on its way while an idle connection is ended
	// a connection without a request is kept at least so long, and half as long again at most
	idle = 60 * time.Second
)

// Server serves one listener. Make it with New.
type Server struct {
	door   Door
	now    func() time.Time
	others *http.Server // for what is not plain; Handler is the door
	handed *handoffListener
	date   date
	failed func(error) // tells the log

	draining atomic.Bool
	mu       sync.Mutex
	listener net.Listener
	closed   bool
	conns    map[*conn]struct{}
	done     sync.WaitGroup
}

// New makes a server. others has the bounds of every other HTTP server of the process, and becomes this one's.
func New(door Door, others *http.Server, now func() time.Time, log *slog.Logger) *Server {
	others.Handler, others.ConnContext = withTLS{door}, contextWithConn
	return &Server{door: door, now: now, others: others, handed: newHandoffListener(), conns: map[*conn]struct{}{},
		failed: func(err error) { log.Error("the listener of the data plane", "error", err.Error()) }}
}

// Serve answers requests until Shutdown or Close, and then returns http.ErrServerClosed.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closed { // before it began
		s.mu.Unlock()
		_ = l.Close()
		return http.ErrServerClosed
	}
	s.listener, s.handed.addr = l, l.Addr()
	s.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- s.others.Serve(s.handed) }()
	s.accept(l)
	return <-ended // connections are handed over until the last one is
}

// accept ends when the listener is closed. Other errors pass: out of descriptors, as a rule, and some come back.
func (s *Server) accept(l net.Listener) {
	const least, most = 5 * time.Millisecond, time.Second
	pause := least
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = least
			s.open(c)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			s.failed(err)
			time.Sleep(pause)
			pause = min(2*pause, most)
		}
	}
}

func (s *Server) open(nc net.Conn) {
	c := &conn{Conn: nc, server: s}
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.done.Go(func() {
		defer s.forget(c)
		c.serve()
	})
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Drain has every answer from now on be the last of its connection, as it says. Shutdown comes after it.
func (s *Server) Drain() { s.draining.Store(true) }

// Shutdown takes no more connections, lets those end that are within a request, and waits for them until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	s.closeListener()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for s.wakeIdle() > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return s.others.Shutdown(ctx)
}

// wakeIdle has the connections look at whether they are to end, and counts them.
func (s *Server) wakeIdle() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.wake()
	}
	return len(s.conns)
}

// Close cuts everything off.
func (s *Server) Close() error {
	s.Drain()
	s.closeListener()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Conn.Close()
	}
	s.mu.Unlock()
	err := errors.Join(s.others.Close(), s.handed.Close())
	s.done.Wait()
	return err
}

func (s *Server) closeListener() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.listener != nil {
		_ = s.listener.Close()
	}
}
