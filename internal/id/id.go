// Package id owns the names of things: a string type for each noun, and version 7 UUIDs (RFC 9562) that never run
// backwards. It does not own the named objects.
package id

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// One type for each noun, so that a role's id can't be taken for a key's. All but User are UUIDs in their canonical
// text form.
type (
	Workspace  string
	Role       string
	Key        string
	ServiceKey string
	Event      string
	Session    string
	Settlement string
	Passkey    string
	Portal     string // a portal session
	Request    string // of a key that waits to be confirmed
	Webhook    string // an endpoint that notices are sent to
	Delivery   string // of a notice to a webhook
	// User is the platform's own name for a person: opaque, see CheckUser.
	User string
)

// Generator makes version 7 UUIDs that sort in the order in which they were made, also within one millisecond and when
// the clock is set back. It is safe for concurrent use.
type Generator struct {
	now  func() time.Time
	rand io.Reader

	mu   sync.Mutex
	last uint64 // milliseconds << 12 | counter
	left []byte // of pool, not yet used
	most int    // bytes that are read at once
	pool [512]byte
}

// NewGenerator takes its time from now and its chance from rand.
func NewGenerator(now func() time.Time, rand io.Reader) *Generator {
	return &Generator{now: now, rand: rand, most: size}
}

// InBatches has the generator read the randomness of 64 ids at once, where each reading is a call of the system. It is
// for ids that name nothing that is kept, such as those of requests: a machine that is copied while it runs may give
// the same chance to two ids.
func (g *Generator) InBatches() *Generator {
	g.most = len(g.pool)
	return g
}

// size is how much randomness an id takes, in bytes.
const size = 8

// Next gives a new UUID. It panics where the source of randomness fails: no id is better than a guessable one.
func (g *Generator) Next() string { return g.NextAt(g.now().UnixMilli()) }

// NextAt is Next for a caller that knows the time, in Unix milliseconds.
func (g *Generator) NextAt(ms int64) string {
	var b [16]byte
	t := g.take(uint64(ms)<<12, b[8:])
	binary.BigEndian.PutUint64(b[:8], t>>12<<16|0x7000|t&0xfff)
	b[8] = b[8]&0x3f | 0x80
	return Format(b)
}

// take fills chance with randomness that is used for nothing else, and advances the 48-bit millisecond clock with its
// 12-bit counter (RFC 9562, section 6.2, method 1 with a borrowed tick).
func (g *Generator) take(t uint64, chance []byte) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.left) == 0 {
		if _, err := io.ReadFull(g.rand, g.pool[:g.most]); err != nil {
			panic(fmt.Errorf("id: read randomness: %w", err))
		}
		g.left = g.pool[:g.most]
	}
	copy(chance, g.left[:size])
	clear(g.left[:size]) // what was given is in memory no more
	g.left = g.left[size:]
	if t <= g.last {
		t = g.last + 1
	}
	g.last = t
	return t
}

// Format writes the canonical form: lower-case hexadecimal digits in groups of 8-4-4-4-12.
func Format(u [16]byte) string {
	var s [36]byte
	return string(Append(s[:0], u))
}

// Append is Format at the end of b.
func Append(b []byte, u [16]byte) []byte {
	b = append(hex.AppendEncode(b, u[:4]), '-')
	b = append(hex.AppendEncode(b, u[4:6]), '-')
	b = append(hex.AppendEncode(b, u[6:8]), '-')
	b = append(hex.AppendEncode(b, u[8:10]), '-')
	return hex.AppendEncode(b, u[10:])
}

// Canonical returns a UUID from outside in its canonical form: RFC 9562 (section 4) has capitals read and small
// letters written. Any other text stays as it is. It allocates only if there are capitals.
func Canonical[T ~string](s T) T {
	if len(s) != 36 || !strings.ContainsAny(string(s), "ABCDEF") {
		return s
	}
	small := strings.ToLower(string(s))
	if _, ok := Parse(small); !ok {
		return s
	}
	return T(small)
}

// Parse reads the canonical form and nothing else: no capitals, braces or urn prefix, so that one object has one
// name. Canonical makes that form of text from outside.
func Parse(s string) (u [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	odd := byte(0)
	for i, at := range places {
		high, low := nibbles[s[at]], nibbles[s[at+1]]
		odd |= high | low
		u[i] = high<<4 | low&15
	}
	if odd > 15 {
		return [16]byte{}, false
	}
	return u, true
}

// places are those of the bytes' first digits.
var places = [16]uint8{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}

// nibbles has the value of each digit; of what is none it is above 15.
var nibbles = func() (n [256]byte) {
	for i := range n {
		n[i] = 0xf0
	}
	for i, c := range []byte("0123456789abcdef") {
		n[c] = byte(i)
	}
	return n
}()

// MaxUser is the longest user id in bytes.
const MaxUser = 255

// CheckUser returns an error for a text that is not a platform's user id: 1–255 characters out of letters, digits and
// . _ - @ : | + =, and neither "." nor "..", which no URL path can carry.
func CheckUser(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("must not be empty")
	case len(s) > MaxUser:
		return fmt.Errorf("is longer than %d characters", MaxUser)
	case s == "." || s == "..":
		return fmt.Errorf("must not be %q", s)
	}
	for i := 0; i < len(s); i++ {
		if !userByte(s[i]) {
			return fmt.Errorf("may hold letters, digits and . _ - @ : | + = only")
		}
	}
	return nil
}

func userByte(c byte) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return true
	}
	switch c {
	case '.', '_', '-', '@', ':', '|', '+', '=':
		return true
	}
	return false
}
