package gateway

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/keyward/keyward/internal/routes"
)

// exposed are the headers of a refusal that a page may read beside those that every page may.
const exposed = "RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id"

// crossOrigin holds the CORS answer to a browser about the page that asks. The zero value adds nothing.
type crossOrigin struct {
	rule   *routes.CORS
	allow  string // of Access-Control-Allow-Origin; "" where the origin is not allowed
	method string // of a preflight that the gateway answers; "" for every other request
}

// isPreflight reports whether the request is a browser's question before a request to another origin (Fetch standard,
// "CORS-preflight request"). A request with a header that some servers take for another method is none.
func (a *Asked) isPreflight(to target) bool {
	return to.method == http.MethodOptions && a.requestMethod.times == 1 && validMethod(a.requestMethod.value) &&
		!a.override
}

// crossOrigin records the route's CORS rule for the asking page, for refusals. It reports whether that settles a
// preflight request, which never carries a key: the API behind answers it, or d does.
func (g *Gate) crossOrigin(a *Asked, to target, d *Decision) (settled bool) {
	table := g.table.Load()
	if table == nil || !to.whole() || a.origin.times != 1 {
		return false
	}
	preflight := a.isPreflight(to)
	method := to.method
	if preflight {
		method = a.requestMethod.value
	}
	r := table.Match(method, to.path)
	if r == nil || r.CORS == nil {
		return false
	}
	d.cross = crossOrigin{rule: r.CORS, allow: r.CORS.Allow(a.origin.value)}
	if !preflight || d.cross.allow == "" {
		return false
	}
	if r.CORS.Gateway {
		d.cross.method = method
	}
	return true
}

// CrossOrigin tells the fields for browsers: of a preflight answer, and of a refusal where the route allows the page's
// origin. An answer that lets a request pass has none, since the API behind sets its own.
func (d *Decision) CrossOrigin(tell func(name, value string)) {
	if d.cross.rule == nil || d.Passes() {
		return
	}
	if d.cross.allow != AnyOrigin {
		tell("Vary", "Origin")
	}
	if d.cross.allow == "" {
		return
	}
	tell("Access-Control-Allow-Origin", d.cross.allow)
	if d.cross.method == "" {
		tell("Access-Control-Expose-Headers", exposed)
		return
	}
	tell("Access-Control-Allow-Methods", d.cross.method)
	tell("Access-Control-Allow-Headers", strings.Join(d.cross.rule.Headers, ", "))
	tell("Access-Control-Max-Age", strconv.Itoa(d.cross.rule.MaxAge))
}

// AnyOrigin is the value of Access-Control-Allow-Origin for every origin.
const AnyOrigin = routes.AnyOrigin

// Preflight reports that the decision itself is the answer to a browser's preflight request.
func (d *Decision) Preflight() bool { return d.cross.method != "" }
