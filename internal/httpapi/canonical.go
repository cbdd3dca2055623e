package httpapi

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/keyward/keyward/internal/canonpath"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/session"
)

// screen refuses requests before a route is chosen: a path that could be read in two ways, and a credential in the
// URL, which proxies and browsers write down. Neither is looked up, repeated or logged.
func (a *api) screen(r *http.Request) error {
	if !canonpath.Strict(r.URL.EscapedPath()) {
		return fault.Invalid("path", "is not in canonical form")
	}
	if session.Leaks(r.URL.Path) {
		return gateway.KeyInURL("path")
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
		if link := r.URL.Path == "/signin/link" && name == "code"; link && !slices.ContainsFunc(given, session.IsToken) {
			continue // a one-time link is followed
		}
		if session.Leaks(name) || slices.ContainsFunc(given, session.Leaks) {
			return gateway.KeyInURL("query")
		}
	}
	return nil
}
