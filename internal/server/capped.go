package server

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
)

// capped is a listener that closes at once what comes over its bounds: so many connections in all, and so many from one address that
// is no trusted proxy. So nobody takes all descriptors, and nobody alone takes all connections.
type capped struct {
	net.Listener
	most, perAddress int // 0 for no bound
	trusted          []netip.Prefix

	refused atomic.Int64
	mu      sync.Mutex
	all     int
	from    map[netip.Addr]int
}

func (s *Server) capped(l net.Listener) *capped {
	return &capped{Listener: l, most: s.cfg.MaxConnections, perAddress: s.cfg.MaxConnectionsPerAddress, trusted: s.cfg.TrustedProxies,
		from: map[netip.Addr]int{}}
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
		if l.admit(peer) {
			return &admitted{Conn: c, listener: l, peer: peer}, nil
		}
		l.refused.Add(1)
		_ = c.Close()
	}
}

func (l *capped) admit(peer netip.Addr) bool {
	free := slices.ContainsFunc(l.trusted, func(p netip.Prefix) bool { return p.Contains(peer) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.most > 0 && l.all >= l.most || !free && l.perAddress > 0 && l.from[peer] >= l.perAddress {
		return false
	}
	l.all++
	l.from[peer]++
	return true
}

func (l *capped) release(peer netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.from[peer]--; l.from[peer] <= 0 {
		delete(l.from, peer)
	}
}

// open counts the connections that there are; none where there is no listener.
func (l *capped) open() int {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all
}

// refusals counts what was closed at once.
func (l *capped) refusals() int64 {
	if l == nil {
		return 0
	}
	return l.refused.Load()
}

// admitted is a connection that is counted until it is closed.
type admitted struct {
	net.Conn
	listener *capped
	peer     netip.Addr
	closed   sync.Once
}

// Close may be called more than once.
func (c *admitted) Close() error {
	err := c.Conn.Close()
	c.closed.Do(func() { c.listener.release(c.peer) })
	return err
}
