package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/routes"
)

const shopRoutes = `routes:
  - {method: GET, path: '/v1/calls/{id}', permissions: [calls:read]}
  - {method: [POST, PUT], path: /v1/calls, permissions: {any: [calls:write, api-keys:write]}}
  - {method: GET, path: /v1/calls/archive, permissions: [calls:read, calls:write]}
  - {method: '*', path: /status, public: true}
  - {method: GET, path: '/v1/me/**', permissions: []}
`

// proxied is a house behind a trusted proxy at 10.1.1.1, with the table, a key that may read calls, and its id.
func proxied(t *testing.T, table string) (h *house, key, id string) {
	t.Helper()
	h = open(t, trust("10.1.1.0/24"), func(c *httpapi.Config) {
		c.Gateway = gateway.New(
			gateway.Config{
				Engine: c.Engine, Catalogue: c.Catalogue, Format: c.Format, Now: c.Now, TrustedProxies: c.TrustedProxies,
			},
		)
		if table != "" {
			parsed, err := routes.Parse("routes.yaml", []byte(table), perm.Builtin())
			must(t, err)
			c.Gateway.SetRoutes(parsed)
		}
	})
	id, key = h.key(h.workspace(), `,"permissions":["calls:read"]`)
	return h, key, id
}

const proxy = "10.1.1.1:4711"

// ask is a proxy's request.
func (h *house) ask(key, method, uri string, edits ...edit) answer {
	h.t.Helper()
	all := append([]edit{from(proxy), header("X-Forwarded-For", "203.0.113.9")}, edits...)
	if method != "" {
		all = append(all, header("X-Forwarded-Method", method))
	}
	if uri != "" {
		all = append(all, header("X-Forwarded-Uri", uri))
	}
	return h.do("GET", "/check", key, "", all...)
}

func TestTheRouteTableSaysWhatARequestDemands(t *testing.T) {
	t.Parallel()
	h, key, id := proxied(t, shopRoutes)
	for _, c := range []struct {
		method, uri string
		status      int
	}{
		{"GET", "/v1/calls/42", 200}, {"HEAD", "/v1/calls/42", 200}, {"GET", "/v1/calls/42?x=/../y", 200},
		{"GET", "/v1/me", 200}, {"GET", "/v1/me/", 200},
		{"GET", "/v1/me/a/b", 200}, {"GET", "/v1/calls/archive", 403}, {"POST", "/v1/calls", 403},
		{"DELETE", "/v1/calls/42", 403}, {"GET", "/v1/calls", 403},
		{"GET", "/v1/calls/", 403}, {"GET", "/V1/calls/42", 403}, {"GET", "/v1/calls/42/", 403},
		{"GET", "/v1/calls/42/x", 403}, {"GET", "/", 403}, {"GET", "/admin", 403},
	} {
		if got := h.ask(key, c.method, c.uri); got.Code != c.status {
			t.Errorf("%s %s: %d, want %d: %s", c.method, c.uri, got.Code, c.status, got.Body)
		}
	}
	public := h.ask("", "PATCH", "/status").want(200)
	for _, name := range []string{"X-Keyward-Key-Id", "X-Keyward-Workspace-Id", "X-Keyward-User-Id",
		"X-Keyward-Environment", "X-Keyward-Permissions"} {
		if values := public.Header()[name]; len(values) != 1 || values[0] != "" {
			t.Errorf("T59: %s on a public route is %q, want it once and empty", name, values)
		}
	}
	if got := h.ask(key, "GET", "/v1/calls/1").Header()["X-Keyward-Key-Id"]; len(got) != 1 || got[0] != id {
		t.Errorf("X-Keyward-Key-Id %q, want %s", got, id)
	}
}

// A preflight request that the gateway answers is neither a yes nor a refusal; the identity headers are there and
// empty.
func TestAPreflightRequestIsAnsweredWithoutAKey(t *testing.T) {
	t.Parallel()
	h, key, _ := proxied(t, `routes:
  - {method: GET, path: /v1/a, permissions: [calls:read], cors: {origins: ['https://app.example'], preflight: gateway}}
  - {method: GET, path: /v1/b, permissions: [calls:read], cors: {origins: ['*']}}
`)
	origin, method := header("Origin", "https://app.example"), header("Access-Control-Request-Method", "GET")
	got := h.ask("", "OPTIONS", "/v1/a", origin, method).want(204)
	for name, want := range map[string]string{"X-Keyward-Key-Id": "", "X-Keyward-User-Id": "",
		"Access-Control-Allow-Origin": "https://app.example", "Vary": "Origin"} {
		if values := got.Header()[name]; len(values) != 1 || values[0] != want {
			t.Errorf("%s is %q, want it once: %q", name, values, want)
		}
	}
	if got.Body.Len() > 0 {
		t.Errorf("204 has a body: %s", got.Body)
	}
	denied := h.do("GET", "/check?deny_status=403", "", "", from(proxy), header(
		"X-Forwarded-Method", "OPTIONS",
	), header("X-Forwarded-Uri", "/v1/a"), origin, method).
		want(403)
	if denied.Header().Get("X-Keyward-Status") != "204" {
		t.Errorf("X-Keyward-Status is %q", denied.Header().Get("X-Keyward-Status"))
	}
	passed := h.ask("", "OPTIONS", "/v1/b", origin, method).want(200)
	if passed.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("an answer that lets a request pass tells the page something")
	}
	h.ask(key, "OPTIONS", "/v1/a", method).refused(403, "permission_denied", "")
	h.ask("", "OPTIONS", "/v1/a", header("Origin", "https://evil.example"), method).refused(403, "permission_denied", "")
	h.ask("", "GET", "/v1/a", origin, method).refused(401, "unauthenticated", "")
	h.ask("", "OPTIONS", "/v1/a", from("203.0.113.7:1"), origin, method).refused(403, "permission_denied", "")
	refused := h.ask("", "GET", "/v1/b", origin).want(401)
	if refused.Header().Get("Access-Control-Allow-Origin") != "*" ||
		!strings.Contains(refused.Header().Get("Access-Control-Expose-Headers"), "Retry-After") {
		t.Errorf("a refusal to a page: %v", refused.Header())
	}
}

func TestT59EveryRefusalHasTheIdentityHeadersToo(t *testing.T) {
	t.Parallel()
	h, _, _ := proxied(t, shopRoutes)
	for status, a := range map[int]answer{
		401: h.ask("", "GET", "/v1/calls/1"), 403: h.ask("", "GET", "/nowhere"), 400: h.ask("", "GET", "/a/../b"),
	} {
		a.want(status)
		for _, name := range []string{"X-Keyward-Key-Id", "X-Keyward-Workspace-Id", "X-Keyward-User-Id",
			"X-Keyward-Environment", "X-Keyward-Permissions"} {
			if values := a.Header()[name]; len(values) != 1 || values[0] != "" {
				t.Errorf("%d: %s is %q, want it once and empty", status, name, values)
			}
		}
	}
}

func TestT64APathWithASecondReadingIsRefusedWhateverItsRoute(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"routes: [{method: '*', path: '/**', permissions: []}]", ""} {
		h, key, _ := proxied(t, table)
		for _, uri := range []string{
			"/v1/../admin", "/a/%2e%2e/admin", "/a/.%2E/admin", "//admin", "/v1//admin", "/admin%00", "/v1/%2fadmin",
			"/v1%2Fadmin", "/v1/a%5cb", `/v1\admin`, "/v1/;x/admin",
			"/v1/a;jsessionid=1", "/v1/%61dmin", "/v1/%2561dmin", "/v1/a%", "/v1/a%zz", "/v1/./a", "/v1/..", "/v1/a/.", "v1/a",
			"*", "http://x/v1/a", "/a#b", "/a%3fb", "/a%23", "/a b",
			"/caf\xc3\xa9", "/a%ff", "/a\x00", "/a%0a",
		} {
			h.ask(key, "GET", uri).refused(400, "invalid_request", "path")
			h.do("GET", "/check?permission=calls:read", key, "", from(proxy), header("X-Original-URI", uri)).
				refused(400, "invalid_request", "path")
		}
		h.ask(key, "GET", "/v1/caf%C3%A9/a%2Bb/").want(200)
	}
}

func TestT61AForwardedHeaderThatIsMissingIsADenial(t *testing.T) {
	t.Parallel()
	h, key, _ := proxied(t, shopRoutes)
	h.ask(key, "GET", "/v1/calls/1").want(200)
	h.ask(key, "", "/v1/calls/1").refused(403, "permission_denied", "")
	h.ask(key, "GET", "").refused(403, "permission_denied", "")
	h.ask(key, "", "").refused(403, "permission_denied", "")
	h.ask(key, "", "", header("X-Forwarded-Method", ""), header("X-Forwarded-Uri", "")).
		refused(403, "permission_denied", "")

	ws := h.workspace()
	_, bound := h.key(ws, `,"permissions":["calls:read"],"allowedIps":["10.0.0.0/8","203.0.113.0/24"]`)
	h.ask(bound, "GET", "/v1/calls/1").want(200)
	h.do("GET", "/check?permission=calls:read", bound, "", from(proxy)).refused(403, "permission_denied", "allowedIps")
	h.do("GET", "/check?permission=calls:read", bound, "", from("10.9.9.9:1")).want(200)
}

func TestT62ForwardedHeadersAreBelievedFromTheProxiesAlone(t *testing.T) {
	t.Parallel()
	h, key, _ := proxied(t, shopRoutes)
	stranger := from("203.0.113.7:1")
	h.ask(key, "GET", "/v1/calls/1", stranger).refused(403, "permission_denied", "")
	h.ask(key, "GET", "/status", stranger).refused(403, "permission_denied", "")
	_, bound := h.key(h.workspace(), `,"permissions":["calls:read"],"allowedIps":["192.0.2.0/24"]`)
	for _, c := range []struct {
		forwarded []string
		status    int
	}{
		{[]string{"192.0.2.5"}, 200}, {[]string{"198.51.100.1, 192.0.2.5"}, 200},
		{[]string{"198.51.100.1", "192.0.2.5"}, 200}, {[]string{"192.0.2.5, 10.1.1.2"}, 200},
		{[]string{"192.0.2.5:443"}, 200}, {[]string{"192.0.2.5, 198.51.100.1"}, 403},
		{[]string{"192.0.2.5", "198.51.100.1"}, 403}, {[]string{"192.0.2.5, nonsense"}, 403},
		{[]string{"nonsense"}, 403}, {[]string{""}, 403},
	} {
		edits := []edit{from(proxy)}
		for _, line := range c.forwarded {
			edits = append(edits, header("X-Forwarded-For", line))
		}
		if got := h.do("GET", "/check?permission=calls:read", bound, "", edits...); got.Code != c.status {
			t.Errorf("X-Forwarded-For %q: %d, want %d", c.forwarded, got.Code, c.status)
		}
	}
	h.do("GET", "/check?permission=calls:read", bound, "", stranger, header("X-Forwarded-For", "192.0.2.5")).
		refused(403, "permission_denied", "allowedIps")
}

func TestT60EveryOtherSpellingOfATrustedHeaderIsRefused(t *testing.T) {
	t.Parallel()
	h, key, _ := proxied(t, shopRoutes)
	for _, name := range []string{
		"X_Forwarded_Uri", "X-Forwarded_Uri", "x_forwarded_method", "X_Forwarded_For", "X_Forwarded_Proto",
		"X_Forwarded_Prefix", "X_Original_URI", "X-Original_Method",
		"X_Keyward_User_Id", "X-Keyward_User-Id", "x_keyward_permissions", "X_Keyward_Anything", "X_API_Key", "X-Api_Key",
		"X.Forwarded.Uri", "X~Real~Ip",
	} {
		a := h.ask(key, "GET", "/v1/calls/1", func(r *http.Request) { r.Header[name] = []string{"/status"} })
		if a.Code != 400 {
			t.Errorf("%s: %d, want 400", name, a.Code)
		}
	}
	for _, name := range []string{"X_Other", "User_Agent", "X_Forwarder", "X-Forwarded-Proto", "X-Keyward-User-Id"} {
		if a := h.ask(key, "GET", "/v1/calls/1", func(r *http.Request) { r.Header[name] = []string{"x"} }); a.Code != 200 {
			t.Errorf("%s: %d, want 200", name, a.Code)
		}
	}
}

func TestWhatIsForwardedTwiceOrInTwoWaysIsRefused(t *testing.T) {
	t.Parallel()
	h, key, _ := proxied(t, shopRoutes)
	for name, e := range map[string]edit{
		"X-Forwarded-Uri":    header("X-Forwarded-Uri", "/v1/calls/1"),
		"X-Forwarded-Method": header("X-Forwarded-Method", "GET"),
		"X-Original-URI":     header("X-Original-URI", "/status"),
		"X-Original-Method":  header("X-Original-Method", "POST"),
	} {
		if a := h.ask(key, "GET", "/v1/calls/1", e); a.Code != 400 {
			t.Errorf("%s: %d, want 400", name, a.Code)
		}
	}
	h.ask(key, "GET", "/v1/calls/1", header("X-Original-URI", "/v1/calls/1"), header("X-Original-Method", "GET")).want(200)
	h.ask(key, "", "", header("X-Original-URI", "/v1/calls/1"), header("X-Original-Method", "GET")).want(200)
	for _, method := range []string{"get", "GE T", "GET ", "G\x00T", strings.Repeat("A", 33)} {
		h.ask(key, method, "/v1/calls/1").refused(400, "invalid_request", "method")
	}
}

func TestAKeyInTheURLOfTheForwardedRequestIsRefusedAndNotLookedUp(t *testing.T) {
	t.Parallel()
	h, key, _ := proxied(t, shopRoutes)
	escaped := strings.Replace(key, "_", "%5F", 1)
	for _, uri := range []string{"/v1/calls/1?api_key=" + key, "/v1/calls/1?" + key, "/v1/calls/1?x=" + escaped,
		"/v1/calls/1?a=1;b=" + key, "/v1/calls/1?x=" + key[:30]} {
		h.ask("", "GET", uri).refused(400, "invalid_request", "query")
		h.ask(key, "GET", uri).refused(400, "invalid_request", "query")
	}
	h.ask(key, "GET", "/v1/calls/"+key).refused(400, "invalid_request", "path")
	h.ask(key, "GET", "/v1/calls/1?token=abc&key=kw_live").want(200)
	h.do("GET", "/check?key="+key+"&deny_status=403", key, "").want(403)
	for _, piece := range []string{key, key[8:40]} {
		if strings.Contains(h.log.String(), piece) {
			t.Error("the log holds a piece of a key")
		}
	}
}

func TestAClientsQueryThatAProxySendsAlongTakesNothingFromTheTable(t *testing.T) {
	t.Parallel()
	h, key, _ := proxied(t, shopRoutes)
	forwarded := func(method, uri string) []edit {
		return []edit{from(proxy), header("X-Forwarded-Method", method), header("X-Forwarded-Uri", uri)}
	}
	h.do("GET", "/check?permission=calls:read", key, "", forwarded("POST", "/v1/calls?permission=calls:read")...).
		refused(403, "permission_denied", "permissions")
	h.do("GET", "/check?permission=calls:read", key, "", forwarded("GET", "/admin?permission=calls:read")...).
		refused(403, "permission_denied", "")
	h.do("GET", "/check?permission=calls:read", key, "", forwarded("GET", "/v1/calls/1")...).want(200)
	h.do("GET", "/check?permission=calls:write", key, "", forwarded("GET", "/v1/calls/1")...).
		refused(403, "permission_denied", "permissions")
	h.do("GET", "/check?permission=calls:read", "", "", forwarded("GET", "/status")...).refused(401, "unauthenticated", "")
	h.do("GET", "/check?permission=calls:read", key, "", from(proxy)).want(200)
}

func TestDenyStatusMakes403OfEveryRefusalAndKeepsItsBody(t *testing.T) {
	t.Parallel()
	h, key, _ := proxied(t, shopRoutes)
	for _, c := range []struct{ query, key, uri, behind, code string }{
		{"deny_status=403", "", "/v1/calls/1", "401", "unauthenticated"},
		{"deny_status=403", "nonsense", "/v1/calls/1", "401", "unauthenticated"},
		{"deny_status=403", key, "/nowhere", "403", "permission_denied"},
		{"deny_status=403", key, "/a//b", "400", "invalid_request"},
		{"permission=x:y&deny_status=403", key, "/v1/calls/1", "400", "invalid_request"},
		{"%zz&deny_status=403", key, "/v1/calls/1", "400", "invalid_request"},
	} {
		a := h.do(
			"GET", "/check?"+c.query, c.key, "", from(proxy), header("X-Forwarded-Method", "GET"),
			header("X-Forwarded-Uri", c.uri),
		)
		a.refused(403, c.code, "")
		if got := a.Header().Get("X-Keyward-Status"); got != c.behind {
			t.Errorf("%s %s: X-Keyward-Status %q, want %s", c.query, c.uri, got, c.behind)
		}
	}
}
