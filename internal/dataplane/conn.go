package dataplane

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/fastpath"
	"github.com/keyward/keyward/internal/verify"
)

// conn is one connection while it is plain. One goroutine reads, answers and writes.
type conn struct {
	net.Conn
	server *Server
	peer   netip.Addr
	tls    *tls.ConnectionState // nil where it is not spoken
	busy   atomic.Bool          // within a request
	last   bool                 // the answer is the connection's last

	admitted bool // the request's credential was looked at before its body
	blank    int  // so many more CR and LF are passed over before the next request

	in     []byte  // what was read and not yet answered
	reply  *answer // from when a request is answered to when that is written
	head   head
	caller verify.Remembered
	check  fastpath.Check
	until  time.Time // the deadline that is set; zero while a request has to be complete promptly
}

// answer is the buffer for a door's reply. Connections share them, so that the memory of the last answer, which is
// near, is that of the next one, and waiting connections have none.
type answer struct {
	fastpath.Reply
	out  []byte // head and body: a part of Body, where there was room
	head []byte // alone, but for a check, which is short
}

var answers = sync.Pool{New: func() any { return &answer{} }}

const (
	room     = 512     // before a body, for its head
	keptBody = 1 << 20 // more than that is not kept
)

func (c *conn) release() {
	if cap(c.reply.Body) <= keptBody {
		answers.Put(c.reply)
	}
	c.reply = nil
}

// serve answers requests until the connection ends or is handed over.
func (c *conn) serve() {
	gone := false
	defer func() {
		c.caller.Forget()
		if p := recover(); p != nil {
			c.server.failed(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
		if !gone {
			_ = c.Conn.Close()
		}
	}()
	if p, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		c.peer = p.Addr().Unmap().WithZone("")
	}
	switch c.greet() {
	case handOver: // of HTTP/2 nothing is read here
		_ = c.SetDeadline(time.Time{})
		gone = c.server.handed.take(c.Conn)
		return
	case end:
		return
	}
	c.in = make([]byte, 0, firstBuffer)
	c.until = c.server.now().Add(greeting)
	_ = c.SetDeadline(c.until)
	for {
		switch c.next() {
		case plain:
			if !c.write() {
				return
			}
		case handOver:
			_ = c.SetDeadline(time.Time{})
			gone = c.server.handed.take(&replayConn{Conn: c.Conn, read: c.in, tls: c.tls})
			return
		case end:
			return
		}
	}
}

// greet starts TLS, if the listener speaks it. A client that speaks HTTP/1 without it gets an answer that says so, as
// from net/http.
func (c *conn) greet() step {
	t, ok := c.Conn.(*tls.Conn)
	if !ok {
		return plain
	}
	_ = c.SetDeadline(c.server.now().Add(greeting))
	if err := t.Handshake(); err != nil {
		var other tls.RecordHeaderError
		if errors.As(err, &other) && other.Conn != nil && isMethod(other.RecordHeader) {
			_, _ = io.WriteString(
				other.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
			)
		}
		return end
	}
	state := t.ConnectionState()
	if c.tls = &state; state.NegotiatedProtocol == "h2" {
		return handOver
	}
	return plain
}

// isMethod reports whether the first bytes of an expected TLS handshake are a request of HTTP/1.
func isMethod(start [5]byte) bool {
	switch string(start[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET", "OPTIO":
		return true
	}
	return false
}

// step is the next action for the received bytes.
type step int

const (
	plain    step = iota // it is answered: write
	handOver             // it is net/http's
	end                  // nobody is there
)

// next reads until there is a request to answer or a reason not to.
func (c *conn) next() step {
	for {
		if c.skipBlank(); len(c.in) > 0 {
			switch parse(c.in, &c.head) {
			case odd:
				return handOver
			case whole:
				if len(c.in) >= c.head.size+c.head.body {
					return c.answer()
				}
				if !c.admits() {
					return handOver
				}
			}
		}
		if s, ok := c.read(); !ok {
			return s
		}
	}
}

// skipBlank passes over what some clients send behind the body of a POST (RFC 9112, section 2.2), as much of it as
// net/http does.
func (c *conn) skipBlank() {
	if c.blank == 0 || len(c.in) == 0 {
		return
	}
	n := 0
	for n < min(c.blank, len(c.in)) && (c.in[n] == '\r' || c.in[n] == '\n') {
		n++
	}
	c.blank -= n
	if c.in = c.in[:copy(c.in, c.in[n:])]; len(c.in) > 0 {
		c.blank = 0
		return
	}
	c.busy.Store(false)
}

// admits tells whether the rest of a body is to be read here: a large one only for a credential that is good. net/http,
// where the others go, reads nothing before it has looked at theirs.
func (c *conn) admits() bool {
	h := &c.head
	return h.body <= firstBuffer || c.admitted || c.admit()
}

func (c *conn) admit() bool {
	c.admitted = c.server.door.Admits(textOf(c.head.token), c.server.client(c.peer, c.head.forwarded), &c.caller)
	return c.admitted
}

// read waits for more bytes; if none arrive, the step is the action to take.
func (c *conn) read() (step, bool) {
	if len(c.in) == cap(c.in) {
		if cap(c.in) >= maxHead+maxBody {
			return handOver, false
		}
		grown := make([]byte, len(c.in), min(2*cap(c.in), maxHead+maxBody))
		copy(grown, c.in)
		c.in = grown
	}
	if len(c.in) > 0 && !c.until.IsZero() { // for the whole request, not for each of its parts
		c.until = time.Time{}
		_ = c.SetReadDeadline(c.server.now().Add(prompt))
	}
	n, err := c.Conn.Read(c.in[len(c.in):cap(c.in)])
	if n > 0 {
		c.busy.Store(true)
		c.in = c.in[:len(c.in)+n]
		return plain, true
	}
	switch {
	case len(c.in) > 0: // slow, or broken off: what is to be said to that net/http knows
		return handOver, false
	case errors.Is(err, os.ErrDeadlineExceeded) && c.server.draining.Load():
		return c.lastLook()
	}
	return end, false
}

// lastLook takes a request that came while an idle connection was told to end.
func (c *conn) lastLook() (step, bool) {
	c.busy.Store(true)
	_ = c.SetReadDeadline(c.server.now().Add(lastWait))
	n, _ := c.Conn.Read(c.in[:cap(c.in)])
	c.in = c.in[:n]
	return end, n > 0
}

// wake has a connection that waits for a request look around.
func (c *conn) wake() {
	if !c.busy.Load() {
		_ = c.SetReadDeadline(time.Unix(1, 0))
	}
}

// extend moves the deadline of the answer and of the wait for another request, but only if that is due: it costs more
// than a look at the clock.
func (c *conn) extend(now time.Time) {
	if c.until.Sub(now) < idle {
		c.until = now.Add(idle + idle/2)
		_ = c.SetDeadline(c.until)
	}
}

// answer asks the door, and puts the answer together.
func (c *conn) answer() step {
	h, s := &c.head, c.server
	if h.check {
		return c.answerCheck()
	}
	body := c.in[h.size : h.size+h.body]
	p := fastpath.Request{
		Batch: h.batch, Token: textOf(h.token), RequestID: textOf(h.requestID), Client: s.client(c.peer, h.forwarded),
		Body: body, Caller: &c.caller,
	}
	r := answers.Get().(*answer)
	c.reply = r
	r.Body = append(r.Body[:0], emptyRoom[:]...)
	if !s.door.Quick(&p, &r.Reply) {
		c.release()
		return handOver
	}
	now := s.now()
	c.last = s.draining.Load()
	r.head = s.appendHead(r.head[:0], &r.Reply, len(r.Body)-room, now, c.last)
	if len(r.head) <= room {
		r.out = r.Body[room-copy(r.Body[room-len(r.head):], r.head):]
	} else { // an id as long as may be
		r.out = append(r.head, r.Body[room:]...)
	}
	c.extend(now)
	return plain
}

var emptyRoom [room]byte

// client is the caller's address, as far as trusted proxies tell.
func (s *Server) client(peer netip.Addr, lines [][]byte) netip.Addr {
	if len(lines) == 0 {
		return peer
	}
	forwarded := make([]string, len(lines))
	for i, v := range lines {
		forwarded[i] = string(v)
	}
	return s.door.Client(peer, forwarded)
}

// write sends the answer and makes room for the next request; false where the connection is to end.
func (c *conn) write() bool {
	_, err := c.Conn.Write(c.reply.out)
	c.release()
	if err != nil || c.last {
		return false
	}
	c.admitted, c.blank = false, 0
	if !c.head.check {
		c.blank = mostBlank
	}
	left := copy(c.in, c.in[c.head.size+c.head.body:])
	c.in = c.in[:left]
	if left == 0 {
		c.shrink()
		c.busy.Store(false)
	}
	return true
}

// shrink frees the memory of a large request.
func (c *conn) shrink() {
	const keep = 64 << 10
	if cap(c.in) > keep {
		c.in = make([]byte, 0, firstBuffer)
	}
}

// appendHead writes the head of an answer as net/http writes it; last where it is the connection's last.
func (s *Server) appendHead(b []byte, r *fastpath.Reply, body int, now time.Time, last bool) []byte {
	b = append(strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(r.Status), 10), ' ')
	b = append(append(b, http.StatusText(r.Status)...), "\r\nCache-Control: no-store\r\n"...)
	if last {
		b = append(b, "Connection: close\r\n"...)
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(body), 10)
	b = append(b, "\r\nContent-Type: application/json; charset=utf-8\r\nReferrer-Policy: no-referrer\r\n"...)
	if r.RetryAfter != "" {
		b = append(append(append(b, "Retry-After: "...), r.RetryAfter...), "\r\n"...)
	}
	b = append(append(b, "X-Content-Type-Options: nosniff\r\nX-Request-Id: "...), r.RequestID...)
	return append(append(append(b, "\r\nDate: "...), s.date.at(now)...), "\r\n\r\n"...)
}

// date is the Date of answers, written once a second.
type date struct{ kept atomic.Pointer[written] }

type written struct {
	second int64
	text   string
}

func (d *date) at(now time.Time) string {
	second := now.Unix()
	if w := d.kept.Load(); w != nil && w.second == second {
		return w.text
	}
	w := &written{second, now.UTC().Format(http.TimeFormat)}
	d.kept.Store(w)
	return w.text
}
