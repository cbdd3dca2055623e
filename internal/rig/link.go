package rig

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Link is a stretch of network between a client and a server, which a test can cut, slow down and lead elsewhere.
type Link struct {
	Addr string // where the client connects to

	listener net.Listener
	mu       sync.Mutex
	to       string
	cut      bool
	mute     bool // what the server says does not arrive
	delay    time.Duration
	open     map[net.Conn]struct{}
	tasks    sync.WaitGroup
}

// NewLink leads to an address of the loopback interface, until the test ends.
func NewLink(t testing.TB, to string) *Link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	link := &Link{Addr: l.Addr().String(), listener: l, to: to, open: map[net.Conn]struct{}{}}
	link.tasks.Go(link.accept)
	t.Cleanup(func() {
		l.Close()
		link.Break()
		link.tasks.Wait()
	})
	return link
}

// Cut lets nothing through any more: connections stay open and silent, as behind a firewall that drops.
func (l *Link) Cut() { l.set(func() { l.cut = true }) }

// Mute lets the client's bytes through and none of the server's, as a link of one way does.
func (l *Link) Mute() { l.set(func() { l.mute = true }) }

// Mend undoes Cut and Mute. Bytes sent meanwhile are lost with their connection.
func (l *Link) Mend() {
	l.set(func() {
		l.cut = false
		l.mute = false
	})
	l.Break()
}

// Delay holds each piece up on its way.
func (l *Link) Delay(d time.Duration) { l.set(func() { l.delay = d }) }

// Lead sends new connections elsewhere, and breaks those that are open.
func (l *Link) Lead(to string) {
	l.set(func() { l.to = to })
	l.Break()
}

// Connections counts those that are open on the client's side.
func (l *Link) Connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return (len(l.open) + 1) / 2 // each has two ends
}

// Break closes all connections.
func (l *Link) Break() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		c.Close()
	}
}

func (l *Link) set(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *Link) state() (to string, cut bool, delay time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to, l.cut, l.delay
}

func (l *Link) muted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mute
}

func (l *Link) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.tasks.Go(func() { l.carry(client) })
	}
}

// keep notes a connection for Break, and answers how to forget it.
func (l *Link) keep(c net.Conn) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = struct{}{}
	return func() {
		c.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.open, c)
	}
}

func (l *Link) carry(client net.Conn) {
	defer l.keep(client)()
	to, cut, _ := l.state()
	if cut {
		_, _ = io.Copy(io.Discard, client) // until it gives up, or the link is mended
		return
	}
	server, err := net.DialTimeout("tcp", to, time.Second)
	if err != nil {
		return
	}
	defer l.keep(server)()
	var both sync.WaitGroup
	both.Go(func() { l.pump(server, client, false) })
	both.Go(func() { l.pump(client, server, true) })
	both.Wait()
}

// pump passes on in one direction, and closes both ends where it ends.
func (l *Link) pump(to, from net.Conn, answers bool) {
	defer to.Close()
	defer from.Close()
	piece := make([]byte, 64<<10)
	for {
		n, err := from.Read(piece)
		if err != nil {
			return
		}
		_, cut, delay := l.state()
		if delay > 0 {
			time.Sleep(delay)
		}
		if cut || answers && l.muted() {
			continue
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
	}
}
