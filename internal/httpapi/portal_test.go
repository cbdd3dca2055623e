package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/api"
	"github.com/keyward/keyward/internal/dpop/dpoptest"
	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/httplimit"
	"github.com/keyward/keyward/internal/session"
)

const (
	public = "https://keys.example.com"
	app    = "https://app.example.com"
)

// page is a page of the platform in a browser, with a key of its own, and the portal session that it has.
type page struct {
	*house
	ws, host        string // host is a service key with the scope portal
	session, secret string
	token           string
	key             dpoptest.Key
	origin          string
	caps            string // JSON
}

const everything = `["keys:read","keys:create","keys:update","keys:rotate","keys:disable","keys:delete","usage:read","log:read"]`

func aPage(t testing.TB) *page { return pageOf(open(t)) }

func pageOf(h *house) *page {
	p := &page{house: h, ws: h.workspace(), key: dpoptest.NewKey(), origin: app, caps: everything}
	p.host = p.serviceKey(`,"workspaceIds":["` + p.ws + `"]`)
	return p
}

func (p *page) serviceKey(more string) string {
	return p.do("POST", "/api/v2/service-keys", p.root, `{"name":"host","scopes":["portal"]`+more+`}`).
		want(201).
		text("data.result.key")
}

// ask makes a portal session for u-owner; more are further members.
func (p *page) ask(more string) answer {
	p.t.Helper()
	if !strings.Contains(more, `"userId"`) {
		more += `,"userId":"u-owner"`
	}
	return p.do("POST", "/api/v2/portal-sessions", p.host,
		`{"workspaceId":"`+p.ws+`","capabilities":`+p.caps+`,"allowedOrigins":["`+app+`"]`+more+`}`)
}

// begin makes a portal session and exchanges its secret.
func (p *page) begin(more string) *page {
	p.t.Helper()
	a := p.ask(more).want(201)
	p.session, p.secret = a.text("data.result.portalSession.id"), a.text("data.result.clientSecret")
	p.token = p.exchange(p.secret).want(200).text("data.result.token")
	return p
}

func (p *page) path(rest string) string { return "/portal/" + p.session + "/api/v2" + rest }

// send sends a request with headers of its own.
func (p *page) send(method, path, body string, edits ...edit) answer {
	p.t.Helper()
	return p.do(method, path, "", body, append([]edit{header("Origin", p.origin)}, edits...)...)
}

func (p *page) proof(method, path, token string, change ...func(header, claims dpoptest.Members)) string {
	at, _, _ := strings.Cut(public+path, "?")
	return p.key.Proof(method, at, token, p.now(), change...)
}

func (p *page) exchange(secret string, change ...func(header, claims dpoptest.Members)) answer {
	p.t.Helper()
	path := p.path("/portal-sessions/exchange")
	return p.send("POST", path, `{"clientSecret":"`+secret+`"}`, header("DPoP", p.proof("POST", path, "", change...)))
}

// call is a request of the page with its token and a proof.
func (p *page) call(method, rest, body string, edits ...edit) answer {
	p.t.Helper()
	path := p.path(rest)
	return p.send(
		method,
		path,
		body,
		append([]edit{header("Authorization", "DPoP "+p.token), header("DPoP", p.proof(method, path, p.token))}, edits...)...)
}

func (p *page) make(name, more string) answer {
	p.t.Helper()
	return p.call("POST", "/api-keys", `{"name":"`+name+`"`+more+`}`)
}

func TestAPageActsAsItsMemberAndTheLogSaysBoth(t *testing.T) {
	t.Parallel()
	p := aPage(t).begin("")
	made := p.make("from the page", `,"permissions":["calls:read"]`).want(201)
	key := made.text("data.result.apiKey.id")
	if made.text("data.result.apiKey.userId") != "u-owner" || p.code(made.text("data.result.key"), "") != "VALID" {
		t.Errorf("made %s", made.Body)
	}
	p.call("GET", "/api-keys?limit=5", "").want(200)
	p.call("GET", "/api-keys/"+key, "").want(200)
	p.call("PUT", "/api-keys", `{"apiKeys":[{"id":"`+key+`","name":"b","isActive":false}]}`).want(200)
	p.call("PUT", "/api-keys", `{"apiKeys":[{"id":"`+key+`","isActive":true}]}`).want(200)
	p.call("POST", "/api-keys/"+key+"/rotate", `{"overlapSeconds":60}`).want(200)
	p.call("GET", "/api-keys/"+key+"/usage", "").want(200)
	p.call("GET", "/api-keys/"+key+"/refusals", "").want(200)
	p.call("GET", "/permissions", "").want(200)
	if got := p.call("GET", "/me", "").want(200); got.text("data.result.user.id") != "u-owner" ||
		got.text("data.result.credential.type") != "portal_session" {
		t.Errorf("me: %s", got.Body)
	}
	p.call("DELETE", "/api-keys/"+key, "").want(200)
	log := p.call("GET", "/workspaces/logs?limit=100", "").want(200)
	kinds := map[string]bool{}
	for _, e := range log.at("data.result.logs").([]any) {
		e := e.(map[string]any)
		kind, _ := e["eventType"].(string)
		kinds[kind] = true
		by := e["metadata"].(map[string]any)["credential"].(map[string]any)
		if strings.HasPrefix(kind, "api_key.") &&
			(e["actorId"] != "u-owner" || by["type"] != "portal_session" || by["id"] != p.session) {
			t.Errorf("%s by %v with %v", kind, e["actorId"], by)
		}
	}
	for _, kind := range []string{"portal_session.created", "portal_session.started", "api_key.created", "api_key.rotated",
		"api_key.updated", "api_key.deleted"} {
		if !kinds[kind] {
			t.Errorf("the log has no %s", kind)
		}
	}
}

// T111: a stolen token opens nothing: each case is a request of the page, but for one thing.
func TestT111AStolenTokenOpensNothing(t *testing.T) {
	t.Parallel()
	p := aPage(t).begin("")
	other := *p
	other.key = dpoptest.NewKey()
	other.begin("")
	twin := *p // another session of the same browser, with the same key
	twin.begin("")
	ws := p.workspace()
	p2 := *p
	p2.ws, p2.host = ws, p.serviceKey("")
	p2.key = dpoptest.NewKey()
	p2.begin("")
	path := p.path("/api-keys")
	good := func() string { return p.proof("GET", path, p.token) }
	claim := func(name string, value any) string {
		return p.proof("GET", path, p.token, func(_, c dpoptest.Members) { c[name] = value })
	}
	token := header("Authorization", "DPoP "+p.token)
	spent := good()
	p.send("GET", path, "", token, header("DPoP", spent)).want(200)
	for name, c := range map[string]struct {
		path  string
		edits []edit
	}{
		"as Bearer":                   {path, []edit{header("Authorization", "Bearer "+p.token), header("DPoP", good())}},
		"as Bearer without a proof":   {path, []edit{header("Authorization", "Bearer "+p.token)}},
		"as an API key":               {path, []edit{header("X-API-Key", p.token), header("DPoP", good())}},
		"without a proof":             {path, []edit{token}},
		"with two proofs":             {path, []edit{token, header("DPoP", good()), header("DPoP", good())}},
		"with a proof that was used":  {path, []edit{token, header("DPoP", spent)}},
		"with somebody else's key":    {path, []edit{token, header("DPoP", other.proof("GET", path, p.token))}},
		"for another address":         {path, []edit{token, header("DPoP", claim("htu", public+path+"/x"))}},
		"for another host":            {path, []edit{token, header("DPoP", claim("htu", "https://evil.example"+path))}},
		"for the host of the request": {path, []edit{token, header("DPoP", claim("htu", "http://example.com"+path))}},
		"for the main API":            {path, []edit{token, header("DPoP", claim("htu", public+"/api/v2/api-keys"))}},
		"for another method":          {path, []edit{token, header("DPoP", claim("htm", "POST"))}},
		"for another token":           {path, []edit{token, header("DPoP", p.proof("GET", path, other.token))}},
		"for no token":                {path, []edit{token, header("DPoP", p.proof("GET", path, ""))}},
		"too old": {path,
			[]edit{token, header("DPoP", claim("iat", p.now().Add(-62*time.Second).Unix()))}},
		"from the time to come": {path,
			[]edit{token, header("DPoP", claim("iat", p.now().Add(62*time.Second).Unix()))}},
		"another session's token": {path,
			[]edit{header("Authorization", "DPoP "+other.token), header("DPoP", p.proof("GET", path, other.token))}},
		"another workspace's token": {path,
			[]edit{header("Authorization", "DPoP "+p2.token), header("DPoP", p2.proof("GET", path, p2.token))}},
		"the client secret for a token": {path,
			[]edit{header("Authorization", "DPoP "+p.secret), header("DPoP", p.proof("GET", path, p.secret))}},
		"a token that was altered": {path, []edit{
			header("Authorization", "DPoP "+p.token[:len(p.token)-2]+"xy"),
			header("DPoP", p.proof("GET", path, p.token[:len(p.token)-2]+"xy")),
		}},
		"of another session of this key": {
			path, []edit{header("Authorization", "DPoP "+twin.token), header("DPoP", p.proof("GET", path, twin.token))}},
		"below another session": {other.path("/api-keys"),
			[]edit{token, header("DPoP", p.proof("GET", other.path("/api-keys"), p.token))}},
		"below a session that never was": {"/portal/00000000-0000-7000-8000-000000000000/api/v2/api-keys",
			[]edit{token, header("DPoP", good()), func(r *http.Request) { r.Header.Del("Origin") }}},
		"on the main API": {"/api/v2/api-keys",
			[]edit{token, header("DPoP", p.proof("GET", "/api/v2/api-keys", p.token))}},
		"on the main API as Bearer": {"/api/v2/api-keys", []edit{header("Authorization", "Bearer "+p.token)}},
	} {
		if a := p.send("GET", c.path, "", c.edits...); a.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
	}
	p.send("GET", path, "", token, header("DPoP", good())).want(200)
}

// T111: a page of another origin is refused, and cannot read the answer.
func TestT111OnlyPagesOfTheSessionsOriginsCall(t *testing.T) {
	t.Parallel()
	p := aPage(t).begin("")
	for _, origin := range []string{"https://evil.example", "null", "https://app.example.com.evil.example",
		"http://app.example.com",
		"https://app.example.com:8443", "https://APP.example.com", ""} {
		p.origin = origin
		a := p.call("GET", "/api-keys", "")
		a.refused(403, "permission_denied", "Origin")
		if a.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s may read the answer", origin)
		}
		if a := p.send("OPTIONS", p.path("/api-keys"), "", header("Access-Control-Request-Method", "GET")); a.Code < 400 ||
			a.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: the preflight says %d", origin, a.Code)
		}
	}
	for _, origin := range []string{app, public} {
		p.origin = origin
		a := p.send("OPTIONS", p.path("/api-keys"), "", header("Access-Control-Request-Method", "GET")).want(204)
		if h := a.Header(); h.Get("Access-Control-Allow-Origin") != origin || h.Get("Access-Control-Max-Age") != "60" ||
			h.Get("Vary") != "Origin" ||
			h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", origin, h)
		}
		if a := p.call("GET", "/api-keys", "").want(200); a.Header().Get("Access-Control-Allow-Origin") != origin {
			t.Errorf("%s cannot read the answer", origin)
		}
	}
	without := func(r *http.Request) { r.Header.Del("Origin") }
	p.call("GET", "/api-keys", "", without).want(200)
	p.call("GET", "/api-keys", "", without, header("Sec-Fetch-Site", "same-origin")).want(200)
	p.call("GET", "/api-keys", "", without, header("Sec-Fetch-Site", "cross-site")).
		refused(403, "permission_denied", "Origin")
}

// The answer to an exchange holds what GET /api-keys?limit=25 answers, so that a page shows its keys after one request.
// A session that may not read keys is told none.
func TestAnExchangeAnswersTheFirstPageOfKeys(t *testing.T) {
	t.Parallel()
	p := aPage(t)
	for _, c := range []struct {
		caps string
		told bool
	}{{`["keys:read","keys:create"]`, true}, {`["keys:create"]`, false}} {
		p.caps = `["keys:create"]`
		p.begin("").make("one", `,"permissions":[]`).want(201)
		p.caps = c.caps
		a := p.ask("").want(201)
		p.session = a.text("data.result.portalSession.id")
		started := p.exchange(a.text("data.result.clientSecret")).want(200)
		p.token = started.text("data.result.token")
		result := started.at("data.result").(map[string]any)
		if !c.told {
			if _, there := result["firstPage"]; there {
				t.Errorf("%s: the answer holds keys: %s", c.caps, started.Body)
			}
			continue
		}
		want := p.call("GET", "/api-keys?limit=25", "").want(200).at("data.result")
		if diff := cmp.Diff(want, result["firstPage"]); diff != "" {
			t.Errorf("%s: the first page is another one: %s", c.caps, diff)
		}
		if page, _ := result["firstPage"].(map[string]any); len(page["apiKeys"].([]any)) == 0 {
			t.Errorf("%s: no key is told: the test could not fail", c.caps)
		}
	}
}

// T111: a client secret works once, for a while, and every one that does not work gets the same answer.
func TestT111AClientSecretIsExchangedOnce(t *testing.T) {
	t.Parallel()
	p := aPage(t)
	fresh := func(more string) string {
		a := p.ask(more).want(201)
		p.session = a.text("data.result.portalSession.id")
		if want := public + "/portal/" + p.session + "#" + a.text("data.result.clientSecret"); a.text(
			"data.result.url",
		) != want {
			t.Errorf("the address is %s, want %s", a.text("data.result.url"), want)
		}
		return a.text("data.result.clientSecret")
	}
	unknown := "keyward_portal_" + strings.Repeat("A", 43)
	secret := fresh("")
	told := p.exchange(unknown).want(401).text("error.message")
	p.exchange(secret).want(200)
	old := fresh("")
	p.ahead.Add(int64(session.PortalSecretLife))
	elsewhere, gone := fresh(""), ""
	own := p.session
	gone = fresh("")
	p.do("DELETE", "/api/v2/portal-sessions/"+p.session, p.host, "").want(200)
	short := fresh(`,"expiresInSeconds":60`)
	p.ahead.Add(int64(time.Minute))
	for name, one := range map[string]string{"spent": secret, "old": old, "of another session": elsewhere,
		"of one that was ended": gone,
		"of one that is over":   short, "cut short": unknown[:40],
		"a session's token": "keyward_session_" + strings.Repeat("A", 43)} {
		if a := p.exchange(one); a.Code != 401 || a.text("error.message") != told {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
	}
	p.session = own
	p.exchange(elsewhere, func(_, c dpoptest.Members) { c["htm"] = "GET" }).want(401)
	p.exchange(elsewhere).want(200)
}

func TestT111AttemptsWithClientSecretsAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *httpapi.Config) {
		c.Failures = httplimit.NewFailures(3, func() time.Duration { return time.Hour })
	})
	p := &page{house: h, ws: h.workspace(), key: dpoptest.NewKey(), origin: app, caps: everything}
	p.host = p.serviceKey("")
	a := p.ask("").want(201)
	p.session = a.text("data.result.portalSession.id")
	codes := []int{}
	for range 5 {
		codes = append(codes, p.exchange("keyward_portal_"+strings.Repeat("A", 43)).Code)
	}
	if !slices.Equal(codes, []int{401, 401, 401, 429, 429}) {
		t.Errorf("answers %v", codes)
	}
	if a := p.exchange(a.text("data.result.clientSecret")); a.Code != 429 || a.Header().Get("Retry-After") == "" {
		t.Errorf("a good one from that address: %d %s", a.Code, a.Body)
	}
}

// T111: the hosted page gets further tokens by its key until the session ends; no other page does.
func TestT111ATokenIsRenewedByItsKeyForTheHostedPageAlone(t *testing.T) {
	t.Parallel()
	p := aPage(t).begin(`,"expiresInSeconds":1800`)
	renew := func(origin string, key dpoptest.Key) answer {
		was := p.key
		p.key = key
		path := p.path("/portal-sessions/" + p.session + "/renew")
		a := p.do("POST", path, "", "", header("Origin", origin), header("DPoP", p.proof("POST", path, "")))
		p.key = was
		return a
	}
	p.ahead.Add(int64(session.PortalTokenLife))
	p.call("GET", "/api-keys", "").want(401)
	renew(app, p.key).refused(403, "permission_denied", "Origin")
	renew(public, dpoptest.NewKey()).want(401)
	main := "/api/v2/portal-sessions/" + p.session + "/renew"
	p.do("POST", main, "", "", header("Origin", app), header("DPoP", p.proof("POST", main, ""))).
		refused(403, "permission_denied", "Origin")
	p.do("POST", main, "", "", header("DPoP", p.proof("POST", main, ""))).want(200)
	for name, proof := range map[string]string{"another address": p.proof("POST", main+"x", ""),
		"another method": p.proof("GET", main, "")} {
		if a := p.do("POST", main, "", "", header("DPoP", proof)); a.Code != 401 ||
			!strings.HasPrefix(a.Header().Get("WWW-Authenticate"), "DPoP") {
			t.Errorf("for %s: %d %v", name, a.Code, a.Header())
		}
	}
	p.token = renew(public, p.key).want(200).text("data.result.token")
	p.call("GET", "/api-keys", "").want(200)
	p.ahead.Add(int64(session.PortalTokenLife))
	p.call("GET", "/api-keys", "").want(401)
	renew(public, p.key).want(401)
}

// T96, T111: every end of a portal session takes effect at once.
func TestT96T111APortalSessionEndsWithEverythingThatItStandsOn(t *testing.T) {
	t.Parallel()
	p := aPage(t)
	roles := map[string]string{}
	for _, r := range p.do("GET", "/api/v2/workspaces/"+p.ws+"/roles", p.root,
		"").want(200).at("data.result.roles").([]any) {
		roles[r.(map[string]any)["name"].(string)] = r.(map[string]any)["id"].(string)
	}
	at := func(rest string) string { return "/api/v2/workspaces/" + p.ws + rest }
	put := func(role string) {
		a := p.do("PUT", at("/members/mia"), p.root, `{"email":"mia@example.com","roleId":"`+roles[role]+`"}`)
		if a.Code >= 300 {
			t.Fatal(a.Body)
		}
	}
	own := p.do(
		"POST", at("/roles"), p.root, `{"name":"Own","permissions":["api-keys:read","api-keys:write","calls:read"]}`,
	).
		want(201).
		text("data.result.role.id")
	roles["Own"] = own
	host := p.do("POST", "/api/v2/service-keys", p.root, `{"name":"short","scopes":["portal"]}`).want(201)
	for name, c := range map[string]struct {
		end  func()
		undo func()
	}{
		"the member leaves": {end: func() { p.do("DELETE", at("/members/mia"), p.root, "").want(200) }},
		"the member leaves and comes back": {end: func() {
			p.do("DELETE", at("/members/mia"), p.root, "").want(200)
			put("Own")
		}},
		"the member gets a lesser role":   {end: func() { put("Viewer") }},
		"the member gets another role":    {end: func() { put("Member") }},
		"another role, and the old again": {end: func() { put("Viewer"); put("Own") }},
		"the role loses a permission": {
			end: func() { p.do("PATCH", at("/roles/"+own), p.root, `{"permissions":["api-keys:read"]}`).want(200) },
			undo: func() {
				p.do("PATCH", at("/roles/"+own), p.root,
					`{"permissions":["api-keys:read","api-keys:write","calls:read"]}`).want(200)
			}},
		"the workspace is switched off": {
			end:  func() { p.do("PATCH", at(""), p.root, `{"isActive":false}`).want(200) },
			undo: func() { p.do("PATCH", at(""), p.root, `{"isActive":true}`).want(200) }},
		"the workspace is switched off and on": {end: func() {
			p.do("PATCH", at(""), p.root, `{"isActive":false}`).want(200)
			p.do("PATCH", at(""), p.root, `{"isActive":true}`).want(200)
		}},
		"the session is ended": {end: func() {
			p.do("DELETE", "/api/v2/portal-sessions/"+p.session, p.host, "").want(200)
		}},
		"all of the user's are ended": {
			end: func() { p.do("DELETE", "/api/v2/portal-sessions?userId=mia", p.host, "").want(200) },
		},
		"its time is over": {end: func() { p.ahead.Add(int64(session.PortalLife)) }},
		"the service key of it is deleted": {end: func() {
			p.do("DELETE", "/api/v2/service-keys/"+host.text("data.result.serviceKey.id"), p.root, "").want(200)
		}},
		"the service key of it expires": {end: func() { p.ahead.Add(int64(2 * time.Minute)) }},
	} {
		put("Own")
		p.caps, p.host = `["keys:read","keys:create"]`, host.text("data.result.key")
		if strings.Contains(name, "service key") {
			end := p.now().Add(time.Minute).UTC().Format(time.RFC3339)
			host = p.do(
				"POST", "/api/v2/service-keys", p.root, `{"name":"short","scopes":["portal"],"expiresAt":"`+end+`"}`,
			).want(201)
			p.host = host.text("data.result.key")
		}
		p.begin(`,"userId":"mia"`)
		p.call("GET", "/api-keys", "").want(200)
		c.end()
		if a := p.make("late", `,"permissions":[]`); a.Code != 401 {
			t.Errorf("%s: a key is made: %d %s", name, a.Code, a.Body)
		}
		if a := p.call("GET", "/api-keys", ""); a.Code != 401 {
			t.Errorf("%s: keys are read: %d", name, a.Code)
		}
		if a := p.do("GET", "/api/v2/portal-sessions/"+p.session, p.root, ""); a.Code != 404 {
			t.Errorf("%s: the session is shown: %d", name, a.Code)
		}
		if c.undo != nil {
			c.undo()
		}
		if strings.Contains(name, "service key") {
			host = p.do("POST", "/api/v2/service-keys", p.root, `{"name":"short","scopes":["portal"]}`).want(201)
		}
	}
}

// T111: no operation of the API is open to a portal session but those that its capabilities name; and none of them on
// the main API.
// T96: a portal session that a person made for themselves ends as their own session ends.
func TestT96T111APortalSessionEndsWithTheSessionThatMadeIt(t *testing.T) {
	t.Parallel()
	p := aPage(t)
	code := p.do("POST", "/api/v2/sign-in-links", p.root, `{"workspaceId":"`+p.ws+`","userId":"u-owner"}`).
		want(201).text("data.result.signInLink.code")
	in := p.do("POST", "/api/v2/sessions", "", `{"code":"`+code+`"}`).want(201)
	p.host = in.text("data.result.token")
	p.begin("")
	p.call("GET", "/api-keys", "").want(200)
	p.do("DELETE", "/api/v2/sessions/"+in.text("data.result.session.id"), p.root, "").want(200)
	if a := p.call("GET", "/api-keys", ""); a.Code != 401 {
		t.Errorf("after the end of the session that made it: %d %s", a.Code, a.Body)
	}
}

func TestT111EveryOperationIsClosedToAPortalSessionButThoseItIsFor(t *testing.T) {
	t.Parallel()
	p := aPage(t)
	opens := openToPortals(t)
	if len(opens) != 13 {
		t.Fatalf("the document opens %v", opens)
	}
	s := &stage{house: p.house, ws: p.ws, member: "u-owner"}
	s.role = s.call("POST", s.at("/roles"), `{"name":"Reader","permissions":["calls:read"]}`).text("data.result.role.id")
	s.call("PUT", s.at("/members/boss"), `{"email":"b@example.com","roleId":"`+p.roleNamed("Owner")+`"}`)
	s.service, s.session = "00000000-0000-7000-8000-000000000000", "00000000-0000-7000-8000-000000000000"
	reached := map[string]bool{}
	for _, on := range httpapi.Operations() {
		method, pattern, _ := strings.Cut(on, " ")
		if !strings.HasPrefix(pattern, "/api/v2/") { // pages
			continue
		}
		capabilities := []session.Capability{""} // all of them
		if opens[on] != "" {
			capabilities = append(capabilities, session.Capabilities()...)
		}
		for _, c := range capabilities {
			s.target, s.value = p.key2()
			path, body := strings.NewReplacer(
				"{id}", s.target, "{workspaceId}", p.ws, "{userId}", "u-owner", "{roleId}", s.role, "{$}", "",
			).
				Replace(pattern),
				""
			if request, ok := late[on]; ok {
				path, body = request(s)
				body = strings.NewReplacer(`"userId":"boss",`, ``, `,"expiresAt"`, `,"permissions":[],"expiresAt"`).Replace(body)
			}
			if p.caps = `["` + string(c) + `"]`; c == "" {
				p.caps = everything
			}
			p.begin("")
			rest := strings.TrimPrefix(path, "/api/v2")
			before := p.shownAll()
			a := p.call(method, rest, body)
			wanted := opens[on]
			switch open := wanted == "any" || wanted != "" && (c == "" || string(c) == wanted); {
			case open && a.Code >= 300:
				t.Errorf("%s with %q: %d %s", on, c, a.Code, a.Body)
			case open:
				reached[on] = true
			case wanted != "" && a.Code != 403 && !itemRefused(a):
				t.Errorf("%s with %q: %d %s", on, c, a.Code, a.Body)
			case wanted == "" && a.Code != 404 && a.Code != 405 && !strings.Contains(on, "/exchange") &&
				!strings.Contains(on, "/renew"):
				t.Errorf("%s is there for a portal session: %d %s", on, a.Code, a.Body)
			}
			if !reached[on] && p.shownAll() != before {
				t.Errorf("%s with %q changed something", on, c)
			}
		}
		if a := p.send(method, pattern, "", header("Authorization", "DPoP "+p.token),
			header("DPoP", p.proof(method, pattern, p.token))); a.Code < 400 {
			t.Errorf("%s on the main API: %d", on, a.Code)
		}
	}
	for on := range opens {
		if !reached[on] {
			t.Errorf("%s was never reached", on)
		}
	}
}

// openToPortals reads from the document which operations a capability opens. The update of the walk switches a key off.
func openToPortals(t *testing.T) map[string]string {
	t.Helper()
	source, err := api.JSON()
	must(t, err)
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	must(t, json.Unmarshal(source, &doc))
	opens := map[string]string{}
	for path, item := range doc.Paths {
		for method, raw := range item {
			var o struct {
				Portal string `json:"x-keyward-portal"`
			}
			if method != "parameters" && json.Unmarshal(raw, &o) == nil && o.Portal != "" && o.Portal != "none" {
				opens[strings.ToUpper(method)+" "+path] = strings.TrimPrefix(o.Portal, "keys:update ")
			}
		}
	}
	return opens
}

// itemRefused tells whether each item of a bulk operation was refused for want of a capability.
func itemRefused(a answer) bool {
	return a.Code == 200 && strings.Contains(a.Body.String(), `"updated":[]`) &&
		strings.Contains(a.Body.String(), "permission_denied")
}

// roleNamed finds a role of the workspace.
func (p *page) roleNamed(name string) string {
	roles := p.do("GET", "/api/v2/workspaces/"+p.ws+"/roles", p.root, "").want(200).at("data.result.roles").([]any)
	for _, r := range roles {
		if r := r.(map[string]any); r["name"] == name {
			return r["id"].(string)
		}
	}
	p.t.Fatalf("no role %s", name)
	return ""
}

func (p *page) key2() (string, string) { return p.house.key(p.ws, `,"permissions":[]`) }

// shownAll is all that operations can change, as the root sees it.
func (p *page) shownAll() string {
	var all strings.Builder
	for _, path := range []string{"/api/v2/api-keys?limit=100&workspaceId=" + p.ws, "/api/v2/workspaces/" + p.ws,
		"/api/v2/workspaces/" + p.ws + "/members",
		"/api/v2/workspaces/" + p.ws + "/roles", "/api/v2/service-keys?limit=100", "/api/v2/sessions"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", path, http.NoBody)
		r.Header.Set("Authorization", "Bearer "+p.root)
		p.handler.ServeHTTP(w, r)
		all.Write(w.Body.Bytes())
	}
	return all.String()
}

func TestPortalSessionsNeedThePublicURL(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *httpapi.Config) { c.PublicURL = "" })
	ws := h.workspace()
	h.do(
		"POST", "/api/v2/portal-sessions", h.root,
		`{"workspaceId":"`+ws+`","userId":"u-owner","capabilities":["keys:read"],"allowedOrigins":[]}`,
	).
		refused(409, "conflict", "KEYWARD_PUBLIC_URL")
}

// T111: values of a session that reveals in the frame alone go to the server's own origin.
func TestT111AHostPageGetsNoValueOfASessionThatRevealsInTheFrameAlone(t *testing.T) {
	t.Parallel()
	p := aPage(t)
	a := p.ask(`,"reveal":"frame"`).want(201)
	p.session, p.secret = a.text("data.result.portalSession.id"), a.text("data.result.clientSecret")
	p.exchange(p.secret).refused(403, "permission_denied", "Origin")
	path := "/api/v2/portal-sessions/exchange"
	p.send("POST", path, `{"clientSecret":"`+p.secret+`"}`, header("DPoP", p.proof("POST", path, ""))).
		refused(403, "permission_denied", "Origin")
	nowhere := func(r *http.Request) { r.Header.Del("Origin") } // of a program with the client secret
	path = p.path("/portal-sessions/exchange")
	p.send("POST", path, `{"clientSecret":"`+p.secret+`"}`, header("DPoP", p.proof("POST", path, "")), nowhere).
		refused(403, "permission_denied", "Origin")
	p.origin = public
	p.token = p.exchange(p.secret).want(200).text("data.result.token")
	key := p.make("a", `,"permissions":[]`).want(201).text("data.result.apiKey.id")
	p.origin = app
	p.make("b", `,"permissions":[]`).refused(403, "permission_denied", "Origin")
	p.call("POST", "/api-keys/"+key+"/rotate", "").refused(403, "permission_denied", "Origin")
	p.call("POST", "/api-keys", `{"name":"c","permissions":[]}`, nowhere).refused(403, "permission_denied", "Origin")
	p.call("POST", "/api-keys/"+key+"/rotate", "", nowhere).refused(403, "permission_denied", "Origin")
	p.call("GET", "/api-keys", "").want(200)
}

// T111: a portal session makes so many requests in a minute and no more; strangers who know its id use none of them up,
// and other sessions have their own.
func TestT111APortalSessionMakesSoManyRequestsInAMinute(t *testing.T) {
	t.Parallel()
	const most = 5
	elapsed := time.Hour
	h := open(t, func(c *httpapi.Config) {
		c.PortalCalls = httplimit.NewFailures(most, func() time.Duration { return elapsed })
	})
	p := pageOf(h).begin("")
	for range 2 * most { // a token that is none
		a := p.send("GET", p.path("/api-keys"), "",
			header("Authorization", "DPoP keyward_portaltoken_x"), header("DPoP", p.proof("GET", p.path("/api-keys"), "x")))
		if a.Code != 401 {
			t.Fatalf("a stranger gets %d", a.Code)
		}
	}
	for range most {
		p.call("GET", "/api-keys", "").want(200)
	}
	a := p.call("GET", "/api-keys", "").want(429)
	if a.Header().Get("Retry-After") == "" || a.text("error.code") != "rate_limited" {
		t.Errorf("the refusal is %v %s", a.Header(), a.Body)
	}
	q := pageOf(h).begin("")
	q.call("GET", "/api-keys", "").want(200)
	elapsed += 62 * time.Second
	p.call("GET", "/api-keys", "").want(200)
}
