// Package canonpath owns the accepted spelling of a URL's path. A path that two readers could resolve to two places
// is refused everywhere: the gateway that decides and the server behind it must see the same path. It does not own
// routes.
package canonpath

import (
	"strings"
	"unicode/utf8"
)

// Strict reports whether an escaped path is one of our own API's: / alone, or segments that are not empty, no dot
// segments, only visible ASCII, without characters that separate elsewhere (/ \ ;), and no escape that is not needed
// (RFC 3986, section 6.2.2.2) or that hides another escape. It allocates nothing.
func Strict(path string) bool {
	if path == "/" {
		return true
	}
	return segments(path, false)
}

// Open reports whether an escaped path of an API behind a gateway has one reading. Beside the paths that Strict
// accepts, it accepts a trailing slash, escaped UTF-8 and the escaped blank (%20), which has no other spelling (RFC
// 3986, section 2.1). It refuses %3F and %23, because a second decoder would read a query or a fragment there, and a
// dot segment padded with blanks, because some file systems drop the blanks. It allocates nothing unless the path holds
// an escape.
func Open(path string) bool {
	if path == "/" {
		return true
	}
	return segments(strings.TrimSuffix(path, "/"), true)
}

func segments(path string, open bool) bool {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return false
	}
	for segment := range strings.SplitSeq(rest, "/") {
		if !one(segment, open) {
			return false
		}
	}
	return true
}

func one(s string, open bool) bool {
	if s == "" || dots(s) {
		return false
	}
	wide := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		escaped := c == '%'
		if escaped {
			var ok bool
			if c, ok = escape(s[i:]); !ok || unreserved(c) {
				return false
			}
			i += 2
		}
		switch {
		case open && escaped && c == ' ':
		case open && escaped && c >= utf8.RuneSelf:
			wide = true
		case c <= ' ' || c > '~' || strings.IndexByte(`/\;%`, c) >= 0:
			return false
		case open && (c == '?' || c == '#'):
			return false
		}
	}
	return !wide || readable(Decode(s))
}

// dots reports whether a segment is . or .., also with escaped blanks around it.
func dots(s string) bool {
	for strings.HasPrefix(s, "%20") {
		s = s[len("%20"):]
	}
	for strings.HasSuffix(s, "%20") {
		s = s[:len(s)-len("%20")]
	}
	return s == "." || s == ".."
}

// readable: UTF-8, and nothing that steers.
func readable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r <= 0x9f })
}

// Decode decodes the escapes of a segment; other text stays unchanged. It allocates only if there is an escape.
func Decode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c, ok := escape(s[i:]); ok {
			b = append(b, c)
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// escape reads the escape at the beginning of s.
func escape(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, low := unhex(s[1]), unhex(s[2])
	return high<<4 | low, high < 16 && low < 16
}

func unreserved(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-._~", c) >= 0
}

// unhex reads a hexadecimal digit; 255 for any other byte.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
