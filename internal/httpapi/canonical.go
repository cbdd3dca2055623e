package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/session"
)

// screen refuses, before any route is looked for, what no route may see: a path that could be read in two ways, and a credential
// in the URL, which proxies and browsers write down. Neither is looked up, repeated or logged.
func (a *api) screen(r *http.Request) error {
	if err := canonical(r.URL.EscapedPath()); err != nil {
		return err
	}
	for segment := range strings.SplitSeq(r.URL.Path, "/") {
		if a.isCredential(segment) {
			return keyInURL("path")
		}
	}
	if r.URL.RawQuery == "" {
		return nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fault.Invalid("query", "is not well formed")
	}
	for name, given := range values {
		if slices.Contains(credentialNames, strings.ToLower(name)) {
			return keyInURL(name)
		}
		if a.isCredential(name) || slices.ContainsFunc(given, a.isCredential) {
			return keyInURL("query")
		}
	}
	return nil
}

// credentialNames are parameters in which people put keys.
var credentialNames = []string{"api_key", "apikey", "api-key", "x-api-key", "access_token", "key", "token"}

// isCredential tells whether a text is a key or the token of a session.
func (a *api) isCredential(s string) bool { return a.isKey(s) || session.IsToken(s) }

func keyInURL(field string) error {
	return fault.Invalid(field, "a credential must not stand in a URL, where logs keep it: treat it as exposed, and send it in the Authorization header")
}

// canonical refuses an escaped path that has another spelling, or that another reader might resolve to another path.
func canonical(path string) error {
	if path == "/" {
		return nil
	}
	if !strings.HasPrefix(path, "/") {
		return badPath()
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if !canonicalSegment(segment) {
			return badPath()
		}
	}
	return nil
}

func badPath() error { return fault.Invalid("path", "is not in canonical form") }

// canonicalSegment: not empty, no dot segment, only visible ASCII, without what separates elsewhere (/ \ ;), and nothing escaped
// that needs no escape (RFC 3986, section 6.2.2.2) or that hides another escape.
func canonicalSegment(s string) bool {
	if s == "" || s == "." || s == ".." {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return false
			}
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			if unreserved(c) {
				return false
			}
			i += 2
		}
		if c <= ' ' || c > '~' || strings.IndexByte(`/\;%`, c) >= 0 {
			return false
		}
	}
	return true
}

func unreserved(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-._~", c) >= 0
}

// unhex reads a digit of an escape, whose form net/url has checked.
func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}
