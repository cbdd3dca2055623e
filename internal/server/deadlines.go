package server

import (
	"net"
	"sync"
	"time"
)

// watchEvery is how late a deadline may come.
const watchEvery = 500 * time.Millisecond

// far is a time that has long passed: the deadline by which a blocked call is told to give up.
var far = time.Unix(1, 0)

// deadlines are a connection's, as a note that is checked now and then. net/http moves them several times within each
// request, and a timer of the runtime for each move costs more than reading the request does.
type deadlines struct {
	conn net.Conn

	mu          sync.Mutex
	read, write due
}

// due is one of them.
type due struct {
	at    time.Time // zero for none
	fired bool      // the connection itself has been told
}

// set notes a deadline. One that has passed is told to the connection at once, as a call that is blocked has to hear of
// it.
func (d *due) set(t, now time.Time, tell func(time.Time) error) error {
	d.at = t
	if !t.IsZero() && !t.After(now) {
		d.fired = true
		return tell(t)
	}
	if d.fired {
		d.fired = false
		return tell(time.Time{})
	}
	return nil
}

func (d *due) look(now time.Time, tell func(time.Time) error) {
	if !d.fired && !d.at.IsZero() && now.After(d.at) {
		d.fired = true
		_ = tell(far)
	}
}

func (d *deadlines) setRead(t, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.read.set(t, now, d.conn.SetReadDeadline)
}

func (d *deadlines) setWrite(t, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.write.set(t, now, d.conn.SetWriteDeadline)
}

// look fires the deadlines that are over.
func (d *deadlines) look(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read.look(now, d.conn.SetReadDeadline)
	d.write.look(now, d.conn.SetWriteDeadline)
}
