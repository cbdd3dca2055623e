package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/gateway"
)

// pageRoute stands for every page in the log and the metrics; the pattern says which it was.
var pageRoute = &route{name: "page", public: true}

// elsewhere answers paths without an operation: with a page, if there is one.
func (a *api) elsewhere(_ http.ResponseWriter, r *http.Request) {
	if x := exchangeOf(r); !x.servePage(r) {
		x.fail(noRoute())
	}
}

// servePage answers with a page, and reports whether there is one. Under /api/ there is none: clients there read
// JSON.
func (x *exchange) servePage(r *http.Request) bool {
	if r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/") {
		return false
	}
	_, pattern := x.api.Pages.Handler(r)
	if pattern == "" {
		return false
	}
	_, path, cut := strings.Cut(pattern, " ")
	if x.on = pattern; cut {
		x.on = path
	}
	x.route, x.r = pageRoute, r
	x.strictTransport()
	x.api.Pages.ServeHTTP(x.w, r)
	return true
}

// strictTransport has browsers come by TLS alone for a year (RFC 6797), where this process itself speaks TLS. A proxy
// that ends TLS decides for itself.
func (x *exchange) strictTransport() {
	if x.r.TLS != nil {
		x.w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// forPeople reports whether a person reads a refusal: a browser asks for HTML, and API clients do not.
func (x *exchange) forPeople() bool {
	return x.api.Refuse != nil && strings.Contains(x.r.Header.Get("Accept"), "text/html") &&
		!strings.HasPrefix(x.r.URL.Path, "/api/")
}

// Origin tells pages the address of a request, as a Caller without an identity.
func Origin(r *http.Request) control.Caller {
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return control.Caller{}
	}
	return x.origin()
}

// Known has the log name the caller of a page's request.
func Known(r *http.Request, c control.Caller) {
	if x, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
		x.caller, x.home = c, string(c.Person.Workspace)
	}
}

// Failed counts a failed attempt to sign in, together with failed credentials of the same address, and answers how long
// to wait where there are too many.
func Failed(r *http.Request) time.Duration {
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return 0
	}
	return x.api.Failures.Failed(x.client)
}

// Wait answers how long an address with too many failed attempts has to wait, and counts nothing.
func Wait(r *http.Request) time.Duration {
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return 0
	}
	return x.api.Failures.Wait(x.client)
}

// OverTLS tells whether the client speaks TLS: to us, or to a trusted proxy that says so.
func OverTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok || r.Header.Get("X-Forwarded-Proto") != "https" {
		return false
	}
	peer := gateway.Address(r.RemoteAddr)
	return slices.ContainsFunc(x.api.TrustedProxies.List(), func(p netip.Prefix) bool { return p.Contains(peer) })
}

func (x *exchange) origin() control.Caller {
	return control.Caller{Address: x.remote(), UserAgent: userAgent(x.api.redact.text(x.r.UserAgent())), RequestID: x.id,
		Receipt: &x.receipt}
}
