package httpapi

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/dpop"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
)

// dpopScheme is the scheme of RFC 9449, section 7.1.
const dpopScheme = "DPoP"

// The methods and headers of browsers below the path of a portal session, and the headers that they may read.
const (
	portalMethods = "GET, HEAD, POST, PUT, DELETE"
	portalSends   = "Authorization, Content-Type, DPoP, Idempotency-Key"
	portalReads   = "Retry-After, WWW-Authenticate, X-Request-Id"
	portalMaxAge  = "60" // seconds: a session that has ended is asked about again
)

// portalCall takes the path of a browser's call apart: /portal/{portalSessionId}/api/v2/…
func portalCall(escaped string) (portal id.Portal, operation string, ok bool) {
	rest, below := strings.CutPrefix(escaped, portalPath)
	name, operation, cut := strings.Cut(rest, "/")
	if _, is := id.Parse(id.Canonical(name)); !below || !cut || !is || !strings.HasPrefix(operation, "api/") {
		return "", "", false
	}
	if operation = "/" + operation; !strings.HasPrefix(operation, base+"/") { // the version may be left out
		operation = base + strings.TrimPrefix(operation, "/api")
	}
	return id.Portal(id.Canonical(name)), operation, true
}

// enterPortal answers for the origin of a call below the path of a portal session, and turns the request into that of
// the operation. It reports whether the operation is to be served. The answer to a preflight, and every other one, can
// be read by the pages of the session's own origins alone.
func (x *exchange) enterPortal(r *http.Request, portal id.Portal, operation string) (*http.Request, error) {
	x.through, x.address = portal, x.api.PublicURL+r.URL.EscapedPath()
	if x.api.PublicURL == "" {
		return nil, noRoute()
	}
	page, err := x.api.Control.LookAtPortal(x.ctx(), portal)
	if err != nil {
		return nil, err
	}
	if err := x.admitOrigin(&page); err != nil {
		return nil, err
	}
	x.frameOnly = page.FrameOnly
	if r.Method == http.MethodOptions {
		h := x.w.Header()
		h.Set("Access-Control-Allow-Methods", portalMethods)
		h.Set("Access-Control-Allow-Headers", portalSends)
		h.Set("Access-Control-Max-Age", portalMaxAge)
		x.route, x.on = preflight, portalPath+"{portalSessionId}/api/"
		x.w.WriteHeader(http.StatusNoContent)
		return nil, nil
	}
	path, err := url.PathUnescape(operation)
	if err != nil {
		return nil, noRoute()
	}
	inner, at := r.Clone(r.Context()), *r.URL
	at.Path, at.RawPath = path, operation
	inner.URL = &at
	return inner, nil
}

// preflight stands for the questions that browsers ask before they call across origins (Fetch, section 3.2).
var preflight = &route{name: "portalPreflight", public: true, quiet: true}

// admitOrigin holds the Origin of a call against the session's, and lets pages of those read the answer. A call
// without one comes from no page of another origin: browsers send it with each of those.
func (x *exchange) admitOrigin(page *control.PortalPage) error {
	h := x.w.Header()
	h.Add("Vary", "Origin")
	given := x.r.Header.Values("Origin")
	site := x.r.Header.Get("Sec-Fetch-Site")
	switch {
	case len(given) == 0 && (site == "" || site == "same-origin") && x.r.Method != http.MethodOptions:
		return nil
	case len(given) == 1 && (given[0] == x.api.PublicURL || slices.Contains(page.Origins, given[0])):
		h.Set("Access-Control-Allow-Origin", given[0])
		h.Set("Access-Control-Expose-Headers", portalReads)
		return nil
	}
	return fault.New(fault.PermissionDenied, "this page may not call here: its origin is none of the portal session's",
		fault.Detail{Field: "Origin", Message: "is none of allowedOrigins"})
}

// ownOrigin tells whether a call comes from a page of this server, or from no page.
func (x *exchange) ownOrigin() bool {
	origin := x.r.Header.Get("Origin")
	return origin == "" || origin == x.api.PublicURL
}

// ownPage tells whether a call comes from a page of this server: a browser names the origin with each POST. A call
// without an origin comes from no page, and so from no frame.
func (x *exchange) ownPage() bool {
	return x.api.PublicURL != "" && x.r.Header.Get("Origin") == x.api.PublicURL
}

// authenticatePortal takes the token of a portal session with a proof by its key, made for this very request.
func (x *exchange) authenticatePortal() error {
	given := x.r.Header.Values("Authorization")
	if len(given) > 1 {
		return fault.Invalid("Authorization", "stands more than once")
	}
	scheme, token, _ := strings.Cut(strings.Join(given, ""), " ")
	if token = strings.Trim(token, " "); !strings.EqualFold(scheme, dpopScheme) || token == "" {
		return fault.New(
			fault.Unauthenticated,
			"this needs the token of the portal session: Authorization: DPoP <token>, with a proof in DPoP",
		)
	}
	x.tokenSent = true
	proof, err := x.proof(token)
	if err != nil {
		return x.guessed(err)
	}
	place := portalPlace(x.through)
	if wait := x.api.PortalCalls.Wait(place); wait > 0 { // before anything is looked up or written
		return x.tooBusy(wait)
	}
	c, err := x.api.Control.IdentifyPortal(x.ctx(), x.origin(), x.through, token, proof)
	if fault.Is(err, fault.Unauthenticated) {
		return x.guessed(err)
	}
	if err != nil {
		return err
	}
	if wait := x.api.PortalCalls.Failed(place); wait > 0 { // counted with a good token alone: the id is no secret
		return x.tooBusy(wait)
	}
	x.caller, x.token = c, token
	return nil
}

// tooBusy refuses a portal session that makes too many requests.
func (x *exchange) tooBusy(wait time.Duration) error {
	x.retryAfter(wait)
	return fault.New(fault.RateLimited, "this portal session makes too many requests")
}

// portalPlace is the place at which the requests of a portal session are counted: an address that no two sessions
// share, made out of the id.
func portalPlace(portal id.Portal) netip.Addr {
	sum := sha256.Sum256([]byte(portal))
	sum[0] = 0xfd // an address of IPv6
	return netip.AddrFrom16([16]byte(sum[:16]))
}

// proof checks the one proof of possession of a request. token is "" for an operation that gives one.
func (x *exchange) proof(token string) (control.Proof, error) {
	given := x.r.Header.Values("DPoP")
	if len(given) != 1 {
		return control.Proof{}, fault.New(
			fault.Unauthenticated, "this needs one proof of possession, in the header DPoP (RFC 9449)",
			fault.Detail{Field: "DPoP", Message: "must stand once"},
		)
	}
	address := x.address
	if address == "" {
		address = x.api.PublicURL + x.r.URL.EscapedPath()
	}
	p, err := dpop.Check(given[0], dpop.Request{Method: x.r.Method, URL: address, Token: token}, x.api.Now())
	if err != nil {
		return control.Proof{}, fault.New(
			fault.Unauthenticated, "the proof of possession is not good", fault.Detail{Field: "DPoP", Message: err.Error()},
		)
	}
	// Kept for longer than it is good, since the clocks of nodes differ.
	return control.Proof{Thumbprint: p.Thumbprint, ID: p.ID, Until: p.IssuedAt.Add(2 * dpop.Leeway)}, nil
}
