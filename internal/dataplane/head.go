package dataplane

import (
	"bytes"
	"strings"
	"unsafe"

	"github.com/keyward/keyward/internal/fastpath"
)

// state classifies the bytes at the front of a connection.
type state int

const (
	short state = iota // the beginning of what may become a plain request
	whole              // a plain head
	odd                // anything else: net/http's
)

// head is the head of a plain request. Its parts are slices of the received bytes.
type head struct {
	size      int // with the empty line
	body      int // bytes behind it
	batch     bool
	token     []byte
	requestID []byte
	forwarded [][]byte // X-Forwarded-For

	check  bool // a proxy's: see check.go
	query  []byte
	fields []field
}

// The request lines, all of each: one spelling, one version.
var (
	lineOne  = []byte("POST " + fastpath.VerifyPath + " HTTP/1.1\r\n")
	lineMany = []byte("POST " + fastpath.VerifyBatchPath + " HTTP/1.1\r\n")
)

// Bounds of a plain head; a longer one goes to net/http and its own bounds.
const (
	maxHead  = 4 << 10
	maxLines = 64
	maxXFF   = 8
)

// parse looks at the bytes at the front of a connection. A head is plain where
//   - the request line is one of the two, to the byte, or a check's,
//   - every line ends with CR LF, and neither stands anywhere else,
//   - every name is letters, digits and hyphens, with the colon right behind it, and every value is visible ASCII and
//     blanks,
//   - Host, Content-Length, Content-Type and Authorization stand there exactly once, X-Request-Id at most once; in a
//     check, which has no
//     body, Host alone must, and Content-Length must not,
//   - the length is digits without a leading zero, from 1 to 1 MiB, and nothing else says where the body ends,
//   - nothing asks for anything but an answer: no Transfer-Encoding, Expect, Upgrade, Trailer, TE, Content-Encoding or
//     X-Api-Key, and no
//     Connection but keep-alive.
func parse(b []byte, h *head) state {
	*h = head{forwarded: h.forwarded[:0], fields: h.fields[:0]}
	at, s := requestLine(b, h)
	if s != whole {
		return s
	}
	seen := 0
	for range maxLines {
		rest := b[at:]
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			return unfinished(b, rest)
		}
		if end == 0 || rest[end-1] != '\r' || bytes.IndexByte(rest[:end-1], '\r') >= 0 {
			return odd
		}
		at += end + 1
		if end == 1 {
			h.size = at
			if at > maxHead || seen&h.needed() != h.needed() {
				return odd
			}
			return whole
		}
		if !h.field(rest[:end-1], &seen) {
			return odd
		}
	}
	return odd
}

// requestLine reads the first line and tells where the next one begins.
func requestLine(b []byte, h *head) (int, state) {
	for _, line := range [][]byte{lineOne, lineMany} {
		n := min(len(b), len(line))
		if !bytes.Equal(b[:n], line[:n]) {
			continue
		}
		if n < len(line) {
			return 0, short
		}
		h.batch = &line[0] == &lineMany[0]
		return n, whole
	}
	return checkLine(b, h)
}

// unfinished: the last line has not come to its end, and may still be a plain one.
func unfinished(b, line []byte) state {
	if len(b) >= maxHead {
		return odd
	}
	if cr := bytes.IndexByte(line, '\r'); cr >= 0 && cr != len(line)-1 {
		return odd
	}
	return short
}

// The fields that are read, as bits of those that were seen.
const (
	seenHost = 1 << iota
	seenLength
	seenType
	seenAuthorization
	seenRequestID

	neededOfAll = seenHost
	neededOfAsk = seenHost | seenLength | seenType | seenAuthorization
)

func (h *head) needed() int {
	if h.check {
		return neededOfAll
	}
	return neededOfAsk
}

// field reads one line without its end.
func (h *head) field(line []byte, seen *int) bool {
	colon := bytes.IndexByte(line, ':')
	if colon < 1 {
		return false
	}
	name, value := line[:colon], trim(line[colon+1:])
	for _, c := range name {
		if class[c]&inName == 0 {
			return false
		}
	}
	for _, c := range value {
		if class[c]&inValue == 0 {
			return false
		}
	}
	read := h.known
	if h.check {
		read = h.checkField
	}
	bit, ok := read(name, value)
	if *seen&bit != 0 {
		return false
	}
	*seen |= bit
	return ok
}

// known reads the fields that matter, by their names' lengths first. The bit is set for those that may stand there
// once.
func (h *head) known(name, value []byte) (bit int, ok bool) {
	switch len(name) {
	case len("TE"):
		return 0, !is(name, "te")
	case len("Host"):
		if is(name, "host") {
			return seenHost, isHost(value)
		}
	case len("Expect"):
		return 0, !is(name, "expect")
	case len("Upgrade"): // and Trailer
		return 0, !is(name, "upgrade") && !is(name, "trailer")
	case len("X-Api-Key"):
		return 0, !is(name, "x-api-key")
	case len("Connection"):
		return 0, !is(name, "connection") || is(value, "keep-alive")
	case len("Content-Type"):
		switch {
		case is(name, "content-type"):
			return seenType, string(value) == "application/json" || string(value) == "application/json; charset=utf-8"
		case is(name, "x-request-id"):
			h.requestID = value
			return seenRequestID, len(value) > 0
		}
	case len("Authorization"):
		if is(name, "authorization") {
			token, ok := bytes.CutPrefix(value, []byte("Bearer "))
			h.token = token
			return seenAuthorization, ok && len(token) > 0 && token[0] != ' '
		}
	case len("Content-Length"):
		if is(name, "content-length") {
			h.body, ok = length(value)
			return seenLength, ok
		}
	case len("X-Forwarded-For"):
		if is(name, "x-forwarded-for") {
			h.forwarded = append(h.forwarded, value)
			return 0, len(h.forwarded) <= maxXFF
		}
	case len("Content-Encoding"):
		return 0, !is(name, "content-encoding")
	case len("Transfer-Encoding"):
		return 0, !is(name, "transfer-encoding")
	}
	return 0, true
}

// length reads 1 … maxBody in digits.
func length(value []byte) (n int, ok bool) {
	if len(value) == 0 || len(value) > 7 || value[0] == '0' {
		return 0, false
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n <= maxBody
}

// isHost: letters, digits and the characters between them in a name, an address or a port. The port is not checked,
// because it is not used.
func isHost(value []byte) bool {
	for _, c := range value {
		if class[c]&inHost == 0 {
			return false
		}
	}
	return len(value) > 0
}

// is tells whether a name is this one, which is in lower case.
func is(name []byte, want string) bool {
	if len(name) != len(want) {
		return false
	}
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != want[i] {
			return false
		}
	}
	return true
}

// trim takes blanks off both ends; a tab is no blank here, and makes the line an odd one.
func trim(b []byte) []byte { return bytes.Trim(b, " ") }

// The places in which a byte may stand.
const (
	inName = 1 << iota
	inValue
	inHost
	inQuery
)

var class = func() (t [256]uint8) {
	for c := ' '; c <= '~'; c++ {
		t[c] |= inValue
		if c != ' ' && !strings.ContainsRune("\"#<>\\^`{|}", c) {
			t[c] |= inQuery
		}
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-':
			t[c] |= inName | inHost
		case c == '.', c == ':', c == '[', c == ']':
			t[c] |= inHost
		}
	}
	return t
}()

// textOf looks at bytes as a string, which lives as long as they do.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
