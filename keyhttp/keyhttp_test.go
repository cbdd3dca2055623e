package keyhttp_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/keyhttp"
	"github.com/keyward/keyward/keywardtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a Keyward server with a workspace, and a client that may only verify.
type house struct {
	*keywardtest.Server
	workspace string
	client    *keyward.Client
}

func newHouse(t *testing.T, opts ...keywardtest.Option) *house {
	t.Helper()
	h := &house{Server: keywardtest.New(t, opts...)}
	h.workspace = h.Workspace(t, "Acme", "ada")
	made, err := h.Client().
		CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{Name: "guard", Scopes: []keyward.Scope{"verify"}})
	if err != nil {
		t.Fatal(err)
	}
	h.client = client(t, h.URL, made.Key.Reveal())
	return h
}

func client(t *testing.T, url, token string, opts ...keyward.Option) *keyward.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := keyward.New(
		url,
		append(opts, keyward.WithToken(token), keyward.WithHTTPClient(&http.Client{Transport: transport}))...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answer is the answer to a request; the handler behind the guard answers the user's id.
type answer struct {
	*httptest.ResponseRecorder
	t *testing.T
}

func (a answer) error() (e struct {
	Code, Message, RequestID string
	Details                  []keyward.Detail
}) {
	a.t.Helper()
	var body struct {
		Success *bool
		Error   *json.RawMessage
	}
	if err := json.Unmarshal(a.Body.Bytes(), &body); err != nil || body.Success == nil || *body.Success ||
		body.Error == nil {
		a.t.Fatalf("no refusal: %d %s", a.Code, a.Body)
	}
	if err := json.Unmarshal(*body.Error, &e); err != nil {
		a.t.Fatal(err)
	}
	if e.RequestID == "" || e.RequestID != a.Header().Get("X-Request-Id") || e.Details == nil {
		a.t.Errorf("a refusal without its id or details: %s", a.Body)
	}
	return e
}

// get sends a request with headers, in pairs.
func get(t *testing.T, guarded func(http.Handler) http.Handler, target string, headers ...string) answer {
	t.Helper()
	r := httptest.NewRequest("GET", target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	guarded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, ok := keyhttp.From(r.Context())
		if !ok || !caller.Valid {
			t.Error("the handler does not know who calls")
		}
		_, _ = io.WriteString(w, caller.UserID)
	})).ServeHTTP(w, r)
	return answer{w, t}
}

func TestAGoodKeyGetsThroughAndTheHandlerKnowsWhoCalls(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	guard := keyhttp.New(h.client)
	key := h.Key(t, h.workspace, "ada", "calls:read", "agents:read")
	for name, headers := range map[string][]string{
		"Bearer":    {"Authorization", "Bearer " + key},
		"bearer":    {"authorization", "bearer  " + key},
		"X-API-Key": {"X-API-Key", key},
		"both":      {"Authorization", "Bearer " + key, "X-API-Key", key},
	} {
		for rule, guarded := range map[string]func(http.Handler) http.Handler{
			"one": guard.Require("calls:read"), "all": guard.Require("calls:read", "agents:read"), "none": guard.Require(),
			"any": guard.RequireAny("calls:write", "calls:read"),
		} {
			if a := get(t, guarded, "/calls?q=1", headers...); a.Code != 200 || a.Body.String() != "ada" {
				t.Errorf("%s, %s: %d %s", name, rule, a.Code, a.Body)
			}
		}
	}
	if _, ok := keyhttp.From(t.Context()); ok {
		t.Error("somebody called where nobody did")
	}
}

func TestEveryReasonToRefuseIsToldAsKeywardTellsIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	guard := keyhttp.New(h.client)
	good := h.Key(t, h.workspace, "ada", "calls:read")
	disabled := h.Key(t, h.workspace, "ada", "calls:read")
	bound, err := h.Client().
		CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: h.workspace, UserID: "ada", Name: "bound",
			Permissions: keyward.Permissions("calls:read"), AllowedIPs: []string{"203.0.113.0/24"}})
	if err != nil {
		t.Fatal(err)
	}
	found, err := h.client.Verify(t.Context(), keyward.VerifyRequest{Key: disabled})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Client().UpdateKeys(t.Context(),
		[]keyward.KeyUpdate{{ID: found.KeyID, IsActive: keyward.Set(false)}}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		headers   []string
		target    string
		status    int
		code      string
		challenge string
		detail    string
	}{
		"no key": {status: 401, code: "unauthenticated", challenge: `Bearer`},
		"another scheme": {headers: []string{"Authorization", "Basic " + good}, status: 401, code: "unauthenticated",
			challenge: `Bearer`},
		"no such key": {headers: []string{"X-API-Key", good[:len(good)-1] + "_"}, status: 401, code: "unauthenticated",
			challenge: `Bearer error="invalid_token"`},
		"a disabled key": {headers: []string{"X-API-Key", disabled}, status: 401, code: "unauthenticated",
			challenge: `Bearer error="invalid_token"`},
		"a service key": {headers: []string{"X-API-Key", h.RootKey}, status: 401, code: "unauthenticated",
			challenge: `Bearer error="invalid_token"`},
		"another address": {headers: []string{"X-API-Key", bound.Key.Reveal()}, status: 403, code: "permission_denied",
			challenge: `Bearer error="insufficient_scope"`, detail: "allowedIps"},
		"too little": {headers: []string{"X-API-Key", good}, status: 403, code: "permission_denied",
			challenge: `Bearer error="insufficient_scope", scope="calls:read calls:write"`, detail: "permissions"},
		"T52 two keys": {headers: []string{"X-API-Key", good, "Authorization", "Bearer " + disabled}, status: 400,
			code: "invalid_request", detail: "X-API-Key"},
		"T52 a key twice": {headers: []string{"X-API-Key", good, "X-API-Key", good}, status: 400, code: "invalid_request",
			detail: "X-API-Key"},
		"T17 in the query": {headers: []string{"X-API-Key", good}, target: "/calls?a=1&token=" + good, status: 400,
			code: "invalid_request", detail: "query"},
		"T17 and if escaped": {target: "/calls?token=" + strings.ReplaceAll(url.QueryEscape(good), "_", "%5f"), status: 400,
			code: "invalid_request", detail: "query"},
	} {
		if c.target == "" {
			c.target = "/calls"
		}
		a := get(t, guard.Require("calls:read", "calls:write"), c.target, c.headers...)
		e := a.error()
		if a.Code != c.status || e.Code != c.code || a.Header().Get("WWW-Authenticate") != c.challenge {
			t.Errorf("%s: %d %s, %s", name, a.Code, a.Header().Get("WWW-Authenticate"), a.Body)
		}
		if c.detail != "" && (len(e.Details) != 1 || e.Details[0].Field != c.detail) {
			t.Errorf("%s: details %v", name, e.Details)
		}
		if strings.Contains(a.Body.String(), good) || a.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v %s", name, a.Header(), a.Body)
		}
	}
	from := keyhttp.New(h.client, keyhttp.WithClientIP(func(*http.Request) string { return "203.0.113.9" }))
	if a := get(t, from.Require("calls:read"), "/calls", "X-API-Key", bound.Key.Reveal()); a.Code != 200 {
		t.Errorf("from its own address: %d %s", a.Code, a.Body)
	}
	if a := get(t, guard.Require("calls:read"), "/calls", "X-Request-Id",
		"from-the-proxy.1"); a.error().RequestID != "from-the-proxy.1" {
		t.Errorf("the request's id: %s", a.Body)
	}
}

// A list that came out empty must not open a door: the service does not start with it.
func TestARuleThatCannotBeMetPanicsWhenItIsMade(t *testing.T) {
	t.Parallel()
	guard := keyhttp.New(newHouse(t).client)
	var configured []string
	for name, make := range map[string]func(){
		"RequireAny of nothing":       func() { guard.RequireAny() },
		"RequireAny of an empty list": func() { guard.RequireAny(configured...) },
		"Check":                       func() { guard.Check(keyhttp.Rule{All: []string{"calls:read"}, Any: []string{}}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: it is taken", name)
				}
			}()
			make()
		}()
	}
}

// scripted is a server that gives one answer to every question and counts them.
func scripted(t *testing.T, status int, verdict string) (*keyward.Client, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"success":%v,"data":{"message":"","result":%s}}`, status == 200, verdict)
	}))
	t.Cleanup(s.Close)
	return client(t, s.URL, "token", keyward.WithRetry(0)), &asked
}

func TestALimitIsToldWithWhenToComeBack(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 23, 59, 0, 0, time.UTC)
	clock := keyhttp.WithNow(func() time.Time { return now })
	const limits = `"keyId":"k","rateLimit":{"minute":{"limit":60,"remaining":0,"resetAt":"2026-11-24T23:59:41.200Z"},"day":{"limit":1000,"remaining":7,"resetAt":"2026-11-25T00:00:00Z"}}`
	for code, wait := range map[string]string{"RATE_LIMITED": "42", "QUOTA_EXCEEDED": "60"} {
		c, _ := scripted(t, 200, `{"valid":false,"code":"`+code+`",`+limits+`}`)
		a := get(t, keyhttp.New(c, clock).Require("calls:read"), "/", "X-API-Key", "k")
		if a.Code != 429 || a.error().Code != "rate_limited" || a.Header().Get("Retry-After") != wait {
			t.Errorf("%s: %d %v %s", code, a.Code, a.Header(), a.Body)
		}
	}
	c, _ := scripted(t, 200, `{"valid":true,"code":"VALID",`+limits+`}`)
	a := get(t, keyhttp.New(c, clock).Require("calls:read"), "/", "X-API-Key", "k")
	if a.Code != 200 || a.Header().Get("RateLimit") != `"minute";r=0;t=42, "day";r=7;t=60` ||
		a.Header().Get("RateLimit-Policy") != `"minute";q=60;w=60, "day";q=1000;w=86400` {
		t.Errorf("%d %v", a.Code, a.Header())
	}
}

func TestNobodyGetsThroughWhereTheServerCannotBeAsked(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that nobody waits any more
		<-r.Context().Done()
	}))
	t.Cleanup(hangs.Close)
	clients := map[string]*keyward.Client{
		"not there": client(t, gone.URL, "token"), "silent": client(t, hangs.URL, "token"),
	}
	for name, s := range map[string]struct {
		status int
		body   string
	}{"unavailable": {503, `null`}, "no verdict": {200, `{}`}, "nothing": {200, `null`}, "not our token": {401, `null`},
		"a contradiction": {200, `{"valid":true,"code":"DISABLED"}`}, "a code of tomorrow": {200,
			`{"valid":false,"code":"TOMORROW"}`}} {
		clients[name], _ = scripted(t, s.status, s.body)
	}
	for name, c := range clients {
		var told error
		guard := keyhttp.New(
			c, keyhttp.WithTimeout(50*time.Millisecond), keyhttp.WithOnError(func(_ *http.Request, err error) { told = err }),
		)
		a := get(t, guard.Require("calls:read"), "/", "X-API-Key", "kw_live_secret")
		if a.Code != 503 || a.error().Code != "unavailable" || a.Header().Get("Retry-After") != "1" {
			t.Errorf("%s: %d %v %s", name, a.Code, a.Header(), a.Body)
		}
		if told == nil && name != "a code of tomorrow" || told != nil && strings.Contains(told.Error(), "kw_live_secret") {
			t.Errorf("%s: told %v", name, told)
		}
	}
}

func TestTheCacheHoldsWhatIsValidWithoutLimitsAndNotForLong(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		verdict string
		then    time.Duration // between the first question and the second
		asked   int64         // by the two, and two others about something else
	}{
		"valid":         {`{"valid":true,"code":"VALID","keyId":"k"}`, 9 * time.Second, 3},
		"too old":       {`{"valid":true,"code":"VALID","keyId":"k"}`, 10 * time.Second, 4},
		"expired since": {`{"valid":true,"code":"VALID","keyId":"k","expiresAt":"2026-11-24T12:00:05Z"}`, 5 * time.Second, 4},
		"its overlap ended": {`{"valid":true,"code":"VALID","keyId":"k","expiresAt":"2026-11-24T12:00:07Z",` +
			`"previousKeyExpiresAt":"2026-11-24T12:00:05Z"}`, 5 * time.Second, 4},
		"with a limit": {`{"valid":true,"code":"VALID","keyId":"k","rateLimit":{"minute":{"limit":9,"remaining":8,"resetAt":"2026-11-24T12:01:00Z"},"day":null}}`, 0, 4},
		"refused":      {`{"valid":false,"code":"NOT_FOUND"}`, 0, 4},
	} {
		at := now
		client, asked := scripted(t, 200, c.verdict)
		guard := keyhttp.New(client, keyhttp.WithCache(10*time.Second, 10), keyhttp.WithNow(func() time.Time { return at }))
		get(t, guard.Require("calls:read"), "/", "X-API-Key", "one")
		at = at.Add(c.then)
		get(t, guard.Require("calls:read"), "/", "X-API-Key", "one")
		get(t, guard.Require("calls:write"), "/", "X-API-Key", "one")
		get(t, guard.Require("calls:read"), "/", "X-API-Key", "two")
		if asked.Load() != c.asked {
			t.Errorf("%s: asked %d times, not %d", name, asked.Load(), c.asked)
		}
	}
	client, asked := scripted(t, 200, `{"valid":true,"code":"VALID","keyId":"k"}`)
	guard := keyhttp.New(client, keyhttp.WithCache(time.Hour, 3), keyhttp.WithNow(func() time.Time { return now }))
	for range 2 {
		for i := range 20 {
			get(t, guard.Require(), "/", "X-API-Key", fmt.Sprint("key-", i))
		}
	}
	if n := asked.Load(); n < 37 {
		t.Errorf("three entries answered %d of 40 questions", 40-n)
	}
	now = now.Add(time.Minute)
	before := asked.Load()
	get(t, guard.Require(), "/", "X-API-Key", "key-19")
	if asked.Load() != before+1 {
		t.Error("an answer was taken for true for more than a minute")
	}
}

func TestARevocationIsTrueForTheNextRequestUnlessThereIsACache(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.Key(t, h.workspace, "ada", "calls:read")
	now := time.Now()
	plain := keyhttp.New(h.client).Require("calls:read")
	cached := keyhttp.New(
		h.client, keyhttp.WithCache(30*time.Second, 10), keyhttp.WithNow(func() time.Time { return now }),
	).
		Require("calls:read")
	for _, guarded := range []func(http.Handler) http.Handler{plain, cached} {
		if a := get(t, guarded, "/", "X-API-Key", key); a.Code != 200 {
			t.Fatalf("before: %d", a.Code)
		}
	}
	if err := h.Client().RevokeToken(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if a := get(t, plain, "/", "X-API-Key", key); a.Code != 401 {
		t.Errorf("after the revocation: %d", a.Code)
	}
	if a := get(t, cached, "/", "X-API-Key", key); a.Code != 200 {
		t.Errorf("from the cache: %d", a.Code)
	}
	now = now.Add(30 * time.Second)
	if a := get(t, cached, "/", "X-API-Key", key); a.Code != 401 {
		t.Errorf("after the cache's end: %d", a.Code)
	}
}

func TestLimitsAreExactWithACacheToo(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for name, guard := range map[string]*keyhttp.Guard{
		"without a cache": keyhttp.New(h.client), "with one": keyhttp.New(h.client, keyhttp.WithCache(time.Minute, 100)),
	} {
		made, err := h.Client().
			CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: h.workspace, UserID: "ada", Name: name,
				Permissions: keyward.Permissions("calls:read"),
				RateLimit:   keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(5)})})
		if err != nil {
			t.Fatal(err)
		}
		costly := guard.Check(keyhttp.Rule{All: []string{"calls:read"}, Cost: new(3)})
		var got []int
		for _, guarded := range []func(http.Handler) http.Handler{costly, costly, guard.Require("calls:read"),
			guard.Require(), guard.Require()} {
			got = append(got, get(t, guarded, "/", "X-API-Key", made.Key.Reveal()).Code)
		}
		if fmt.Sprint(got) != "[200 429 200 200 429]" {
			t.Errorf("%s: of five, three and three and one and one and one: %v", name, got)
		}
		a := get(t, guard.Require(), "/", "X-API-Key", made.Key.Reveal())
		if !strings.HasPrefix(a.Header().Get("RateLimit"), `"minute";r=0;t=`) ||
			a.Header().Get("RateLimit-Policy") != `"minute";q=5;w=60` ||
			a.Header().Get("Retry-After") == "" ||
			a.error().Code != "rate_limited" {
			t.Errorf("%s: %v %s", name, a.Header(), a.Body)
		}
	}
}
