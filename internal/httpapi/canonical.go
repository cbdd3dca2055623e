package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/canonpath"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/session"
)

// screen refuses, before any route is looked for, what no route may see: a path that could be read in two ways, and a credential
// in the URL, which proxies and browsers write down. Neither is looked up, repeated or logged.
func (a *api) screen(r *http.Request) error {
	if !canonpath.Strict(r.URL.EscapedPath()) {
		return fault.Invalid("path", "is not in canonical form")
	}
	for segment := range strings.SplitSeq(r.URL.Path, "/") {
		if a.isCredential(segment) {
			return gateway.KeyInURL("path")
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
		if gateway.NamesCredential(name) {
			return gateway.KeyInURL(name)
		}
		if a.isCredential(name) || slices.ContainsFunc(given, a.isCredential) {
			return gateway.KeyInURL("query")
		}
	}
	return nil
}

// isCredential tells whether a text is a key or the token of a session.
func (a *api) isCredential(s string) bool { return a.isKey(s) || session.IsToken(s) }
