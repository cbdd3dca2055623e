package server

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/httplimit"
)

// capped is a listener that closes connections over its bounds at once: so many in all, and so many from one address,
// or one IPv6 network of 64 bits, that is no trusted proxy. So no client takes all descriptors, and no single client
// takes all connections.
type capped struct {
	net.Listener
	most, perAddress int // 0 for no bound
	trusted          *gateway.Proxies

	refused  atomic.Int64
	watching sync.Once
	done     chan struct{}

	mu    sync.Mutex
	conns map[*admitted]struct{}
	from  map[netip.Prefix]int // by network

	closed, stopped bool
}

func (s *Server) capped(l net.Listener) *capped {
	return &capped{
		Listener: l, most: s.cfg.MaxConnections, perAddress: s.cfg.MaxConnectionsPerAddress, trusted: &s.proxies,
		done: make(chan struct{}), conns: map[*admitted]struct{}{}, from: map[netip.Prefix]int{},
	}
}

// Accept waits for a connection that stays within the bounds.
func (l *capped) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		var peer netip.Addr
		if p, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
			peer = p.Addr().Unmap().WithZone("")
		}
		if a := (&admitted{Conn: c, listener: l, peer: peer, deadlines: deadlines{conn: c}}); l.admit(a) {
			l.watching.Do(func() { go l.watch() })
			return a, nil
		}
		l.refused.Add(1)
		_ = c.Close()
	}
}

func (l *capped) admit(c *admitted) bool {
	free := slices.ContainsFunc(l.trusted.List(), func(p netip.Prefix) bool { return p.Contains(c.peer) })
	network := httplimit.Network(c.peer)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.most > 0 && len(l.conns) >= l.most || !free && l.perAddress > 0 && l.from[network] >= l.perAddress {
		return false
	}
	l.conns[c] = struct{}{}
	l.from[network]++
	return true
}

func (l *capped) release(c *admitted) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	network := httplimit.Network(c.peer)
	if l.from[network]--; l.from[network] <= 0 {
		delete(l.from, network)
	}
	if len(l.conns) == 0 && l.closed {
		l.stop()
	}
}

// watch fires the deadlines of connections until the last of them is closed after the listener.
func (l *capped) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-tick.C:
		}
		now := time.Now() // as net/http reads it, whatever clock the server goes by
		l.mu.Lock()
		for c := range l.conns {
			c.deadlines.look(now)
		}
		l.mu.Unlock()
	}
}

// Close takes no more connections. Those that there are go on.
func (l *capped) Close() error {
	l.mu.Lock()
	l.closed = true
	if len(l.conns) == 0 {
		l.stop()
	}
	l.mu.Unlock()
	return l.Listener.Close()
}

// stop ends watch; it is called under the lock.
func (l *capped) stop() {
	if !l.stopped {
		l.stopped = true
		close(l.done)
	}
}

// open counts the connections that there are; none where there is no listener.
func (l *capped) open() int {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// refusals counts the connections closed at once.
func (l *capped) refusals() int64 {
	if l == nil {
		return 0
	}
	return l.refused.Load()
}

// admitted is a connection that is counted until it is closed.
type admitted struct {
	net.Conn
	deadlines deadlines
	listener  *capped
	peer      netip.Addr
	closed    sync.Once
}

// The deadlines are noted, and fired by watch.
func (c *admitted) SetReadDeadline(t time.Time) error {
	return c.deadlines.setRead(t, time.Now())
}
func (c *admitted) SetWriteDeadline(t time.Time) error {
	return c.deadlines.setWrite(t, time.Now())
}

// SetDeadline sets both.
func (c *admitted) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Close may be called more than once.
func (c *admitted) Close() error {
	err := c.Conn.Close()
	c.closed.Do(func() { c.listener.release(c) })
	return err
}
