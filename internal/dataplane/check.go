package dataplane

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/fastpath"
)

// A check has a request line of its own: a GET of the one path, without a query or with one of plain characters.
var (
	lineCheck = []byte("GET " + fastpath.CheckPath)
	lineEnd   = []byte(" HTTP/1.1\r\n")
)

// field is a line of a check's head: which of them mean something is the gateway's to say.
type field struct{ name, value []byte }

// checkLine reads the first line of a check and tells where the next one begins.
func checkLine(b []byte, h *head) (int, state) {
	if n := min(len(b), len(lineCheck)); !bytes.Equal(b[:n], lineCheck[:n]) {
		return 0, odd
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) >= maxHead {
			return 0, odd
		}
		return 0, short
	}
	line := b[:end+1]
	rest, ok := bytes.CutSuffix(line, lineEnd)
	if !ok || len(rest) < len(lineCheck) {
		return 0, odd
	}
	if rest = rest[len(lineCheck):]; len(rest) > 0 {
		if rest[0] != '?' || len(rest) == 1 {
			return 0, odd
		}
		for _, c := range rest[1:] {
			if class[c]&inQuery == 0 {
				return 0, odd
			}
		}
		h.query = rest[1:]
	}
	h.check = true
	return len(line), whole
}

// checkField reads one field of a check. A check has no body, so nothing may announce one.
func (h *head) checkField(name, value []byte) (bit int, ok bool) {
	switch len(name) {
	case len("TE"):
		if is(name, "te") {
			return 0, false
		}
	case len("Host"):
		if is(name, "host") {
			return seenHost, isHost(value)
		}
	case len("Expect"):
		if is(name, "expect") {
			return 0, false
		}
	case len("Upgrade"): // and Trailer
		if is(name, "upgrade") || is(name, "trailer") {
			return 0, false
		}
	case len("Connection"):
		if is(name, "connection") {
			return 0, is(value, "keep-alive")
		}
	case len("X-Request-Id"):
		if is(name, "x-request-id") {
			h.requestID = value
			return seenRequestID, len(value) > 0
		}
	case len("Content-Length"):
		if is(name, "content-length") {
			return 0, false
		}
	case len("X-Forwarded-For"):
		if is(name, "x-forwarded-for") {
			h.forwarded = append(h.forwarded, value)
		}
	case len("Transfer-Encoding"):
		if is(name, "transfer-encoding") {
			return 0, false
		}
	}
	h.fields = append(h.fields, field{name, value})
	return 0, len(h.forwarded) <= maxXFF
}

// answerCheck asks the door about a proxy's request, and puts the answer together.
func (c *conn) answerCheck() step {
	h, s := &c.head, c.server
	p := &c.check
	p.Asked.Reset()
	p.Asked.Query, p.RequestID, p.Peer = textOf(h.query), textOf(h.requestID), c.peer
	for i := range h.fields {
		p.Asked.Header(textOf(h.fields[i].name), textOf(h.fields[i].value))
	}
	p.Client = s.client(c.peer, h.forwarded)
	r := answers.Get().(*answer)
	c.reply = r
	if !s.door.QuickCheck(p, &r.Reply) {
		c.release()
		return handOver
	}
	now := s.now()
	c.last = s.draining.Load()
	r.out = append(s.appendCheckHead(r.head[:0], &r.Reply, now, c.last), r.Body...)
	r.head = r.out[:0]
	c.extend(now)
	return plain
}

// appendCheckHead writes the head of an answer to a check as net/http writes it: by name, and the date last.
func (s *Server) appendCheckHead(b []byte, r *fastpath.Reply, now time.Time, last bool) []byte {
	b = append(strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(r.Status), 10), ' ')
	b = append(append(b, http.StatusText(r.Status)...), "\r\nCache-Control: no-store\r\n"...)
	if last {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(strconv.AppendInt(append(b, "Content-Length: "...), int64(len(r.Body)), 10), "\r\n"...)
	if len(r.Body) > 0 {
		b = append(b, "Content-Type: application/json; charset=utf-8\r\n"...)
	}
	for _, h := range r.Headers {
		b = append(append(append(append(b, h.Name...), ": "...), h.Value...), "\r\n"...)
	}
	return append(append(append(b, "Date: "...), s.date.at(now)...), "\r\n\r\n"...)
}
