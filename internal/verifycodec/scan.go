package verifycodec

import "unsafe"

// scanner walks over JSON text that is plain: strings of visible ASCII and blanks without an escape, and whole
// numbers of at most four digits. It refuses any other text, including valid JSON: then the strict reader looks at
// it.
type scanner struct {
	b  []byte
	at int
}

// plain marks the bytes of a plain string.
var plain = func() (t [256]bool) {
	for c := ' '; c <= '~'; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// peek passes over space (RFC 8259, section 2) and tells the byte behind it, 0 at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.b) {
		switch c := s.b[s.at]; c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// skip passes over one byte behind space, if it is that one.
func (s *scanner) skip(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// ended tells whether nothing but space is left.
func (s *scanner) ended() bool { return s.peek() == 0 && s.at == len(s.b) }

// text reads a plain string. The result is a part of the body.
func (s *scanner) text() ([]byte, bool) {
	if !s.skip('"') {
		return nil, false
	}
	from := s.at
	for s.at < len(s.b) && plain[s.b[s.at]] {
		s.at++
	}
	if s.at == len(s.b) || s.b[s.at] != '"' {
		return nil, false
	}
	s.at++
	return s.b[from : s.at-1], true
}

// name reads a member's name and the colon behind it.
func (s *scanner) name() ([]byte, bool) {
	n, ok := s.text()
	return n, ok && s.skip(':')
}

// number reads a whole number of at most four digits, without a sign, a leading zero, a fraction or an exponent.
func (s *scanner) number() (n int, ok bool) {
	if s.peek(); s.at == len(s.b) {
		return 0, false
	}
	from := s.at
	for s.at < len(s.b) && s.b[s.at] >= '0' && s.b[s.at] <= '9' && s.at-from < 4 {
		n = n*10 + int(s.b[s.at]-'0')
		s.at++
	}
	if s.at == from || s.b[from] == '0' && s.at > from+1 {
		return 0, false
	}
	switch s.peek() { // a digit too many, or the rest of another kind of number
	case ',', '}':
		return n, true
	}
	return 0, false
}

// textOf looks at bytes as a string, which changes with them: it lives as long as the body does.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
