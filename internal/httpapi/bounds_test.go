package httpapi_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// bind makes a service key with the scopes and the bounds, as members of its creation's body.
func (h *house) bind(by, scopes, bounds string) (value, name string) {
	h.t.Helper()
	a := h.do("POST", "/api/v2/service-keys", by, `{"name":"bound","scopes":[`+scopes+`]`+bounds+`}`).want(201)
	return a.text("data.result.key"), a.text("data.result.serviceKey.id")
}

// T107: every operation on an object of a workspace, by a service key that manages another one: the answer is that to
// an unknown name, and over there nothing changes. The list is compared with the document by
// TestT7NoOperationIsForgotten.
func TestT107ABoundServiceKeyManagesNothingOutsideItsWorkspaces(t *testing.T) {
	t.Parallel()
	h := open(t)
	theirs, _ := h.settle("u-eve", "u-edgar")
	nobody := names{ws: "00000000-0000-7000-8000-000000000000", key: "00000000-0000-7000-8000-000000000001",
		role: "00000000-0000-7000-8000-000000000002", user: theirs.user,
		request: "00000000-0000-7000-8000-000000000003", hook: "00000000-0000-7000-8000-000000000004",
		delivery: "00000000-0000-7000-8000-000000000005"}
	ours, _ := h.settle("u-ann", "u-alan")
	before := h.shown(theirs)
	for _, scopes := range []string{`"manage"`, `"root"`} {
		bound, _ := h.bind(h.root, scopes, `,"workspaceIds":["`+ours.ws+`"]`)
		for _, op := range append(foreign, []struct{ on, query, body string }{
			{on: "POST /api-keys/import", body: `{"workspaceId":"{ws}","apiKeys":[{"userId":"{user}","name":"a"}]}`},
			{on: "POST /sign-in-links", body: `{"workspaceId":"{ws}","userId":"{user}"}`},
			{on: "GET /sessions", query: "?workspaceId={ws}"},
		}...) {
			method, path, _ := strings.Cut(op.on, " ")
			ask := func(n names) string {
				a := h.do(method, "/api/v2"+n.in(path+op.query), bound, n.in(op.body))
				return passing.ReplaceAllString(
					strings.NewReplacer(n.ws, "{ws}", n.key, "{key}", n.role, "{role}").Replace(a.Body.String()), "",
				) + " " + a.Result().Status
			}
			got, want := ask(theirs), ask(nobody)
			if got != want || !strings.Contains(got, "not_found") {
				t.Errorf("%s: %s outside is told apart, or is there:\n%s\n%s", scopes, op.on, got, want)
			}
		}
		for path, want := range map[string]int{"/api/v2/usage": 403, "/api/v2/workspaces/logs": 403, "/api/v2/sessions": 403,
			"/api/v2/workspaces/" + ours.ws: 200,
			"/api/v2/api-keys/" + ours.key:  200, "/api/v2/workspaces/logs?workspaceId=" + ours.ws: 200} {
			h.do("GET", path, bound, "").want(want)
		}
		h.do("POST", "/api/v2/workspaces", bound, `{"name":"W","owner":{"userId":"u","email":"o@example.com"}}`).want(403)
		list := h.do("GET", "/api/v2/workspaces", bound, "").want(200).Body.String()
		if strings.Contains(list, theirs.ws) || !strings.Contains(list, ours.ws) {
			t.Errorf("the list of workspaces: %s", list)
		}
	}
	if after := h.shown(theirs); after != before {
		t.Errorf("the other workspace changed from\n%s\nto\n%s", before, after)
	}
}

// T107: of the own workspace a key that is bound to an environment manages the keys of that environment alone.
func TestT107AServiceKeyOfOneEnvironmentManagesNoKeyOfTheOther(t *testing.T) {
	t.Parallel()
	h := open(t)
	n, _ := h.settle("u-ann", "u-alan")
	make := func(environment string) string {
		return h.do(
			"POST", "/api/v2/api-keys", h.root,
			`{"workspaceId":"`+n.ws+`","userId":"u-alan","name":"of one kind","environment":"`+environment+`"}`,
		).
			want(201).
			text("data.result.apiKey.id")
	}
	live, test := make("live"), make("test")
	bound, _ := h.bind(h.root, `"manage"`, `,"environments":["live"]`)
	for _, op := range foreign {
		method, path, _ := strings.Cut(op.on, " ")
		if !strings.Contains(op.on+op.body, "{key}") {
			continue
		}
		other, mine := n, n
		other.key, mine.key = test, live
		a := h.do(method, "/api/v2"+other.in(path+op.query), bound, other.in(op.body))
		if !strings.Contains(a.Body.String(), "not_found") {
			t.Errorf("%s on a test key: %s", op.on, a.Body.String())
		}
		if method == "GET" {
			h.do(method, "/api/v2"+mine.in(path+op.query), bound, "").want(200)
		}
	}
	h.do("GET", "/api/v2/api-keys/"+test, h.root, "").want(200)
	list := h.do("GET", "/api/v2/api-keys?workspaceId="+n.ws, bound, "").want(200).Body.String()
	if strings.Contains(list, test) || !strings.Contains(list, live) {
		t.Errorf("the list of keys: %s", list)
	}
	create := func(environment string) int {
		return h.do(
			"POST", "/api/v2/api-keys", bound,
			`{"workspaceId":"`+n.ws+`","userId":"u-alan","name":"n","environment":"`+environment+`"}`,
		).Code
	}
	if create("live") != 201 || create("test") != 404 {
		t.Error("a live key is not made, or a test key is")
	}
	// All that changes a workspace, its members and its roles, or sums up its keys, concerns those of both
	// environments.
	before, whole := h.shown(n), 0
	for _, op := range foreign {
		method, path, _ := strings.Cut(op.on, " ")
		if !strings.Contains(path, "/workspaces/{ws}") || method == "GET" && !strings.HasSuffix(path, "/usage") {
			continue
		}
		whole++
		if a := h.do(method, "/api/v2"+n.in(path+op.query), bound, n.in(op.body)); a.Code != 403 {
			t.Errorf("%s: %d %s", op.on, a.Code, a.Body)
		}
	}
	if after := h.shown(n); after != before || whole < 10 {
		t.Errorf("%d operations; something changed: %t", whole, after != before)
	}
}

// T107: one who is bound to an environment does not get out of it by a key: not by one that they make, nor by one that
// they rotate, nor by a key that such a key makes or a member's session. What these manage is the keys of that
// environment.
func TestT107NoKeyOfABoundServiceKeyLeavesItsEnvironment(t *testing.T) {
	t.Parallel()
	h := open(t)
	n, _ := h.settle("u-ann", "u-alan")
	made := func(by, environment string) (id, value string) {
		a := h.do(
			"POST", "/api/v2/api-keys", by,
			`{"workspaceId":"`+n.ws+`","userId":"u-ann","name":"k","environment":"`+environment+`"}`,
		).
			want(201)
		return a.text("data.result.apiKey.id"), a.text("data.result.key")
	}
	rotated := func(by, id string) string {
		return h.do("POST", "/api/v2/api-keys/"+id+"/rotate", by, `{}`).want(200).text("data.result.key")
	}
	bound, _ := h.bind(h.root, `"manage"`, `,"environments":["test"]`)
	code := h.do("POST", "/api/v2/sign-in-links", bound, `{"workspaceId":"`+n.ws+`","userId":"u-ann"}`).
		want(201).
		text("data.result.signInLink.code")
	session := h.do("POST", "/api/v2/sessions", "", `{"code":"`+code+`"}`).want(201).text("data.result.token")
	old, _ := made(h.root, "test")
	_, byBound := made(bound, "test")
	_, bySession := made(session, "test")
	_, byDerived := made(byBound, "test")
	another, _ := made(byBound, "test")
	imported := h.do(
		"POST", "/api/v2/api-keys/import", bound,
		`{"workspaceId":"`+n.ws+`","apiKeys":[{"userId":"u-ann","name":"i","environment":"test","generate":true}]}`,
	).
		want(201).
		text("data.result.imported.0.key")
	keys := map[string]string{
		"made": byBound, "made by a session": bySession,
		"rotated": rotated(bound, old), "derived": byDerived,
		"imported": imported, "derived and rotated by the root": rotated(h.root, another),
	}
	live, _ := made(h.root, "live")
	test, _ := made(h.root, "test")
	before := h.shown(n)
	for what, key := range keys {
		for _, op := range foreign {
			method, path, _ := strings.Cut(op.on, " ")
			if method == "GET" && !strings.HasSuffix(path, "/usage") && !strings.Contains(path, "{key}") ||
				path == "/workspaces/logs" {
				continue
			}
			other := n
			other.key = live
			a := h.do(method, "/api/v2"+other.in(path+op.query), key, other.in(op.body))
			if text := a.Body.String(); !strings.Contains(text, "not_found") && !strings.Contains(text, "permission_denied") {
				t.Errorf("%s: %s: %d %s", what, op.on, a.Code, text)
			}
		}
		h.do("GET", "/api/v2/api-keys/"+test, key, "").want(200)
		h.do("GET", "/api/v2/api-keys/self", key, "").want(200)
		if got := h.code(key, `,"permissions":["members:invite"]`); got != "VALID" {
			t.Errorf("%s: what the platform asks of the key is another matter: %s", what, got)
		}
	}
	if after := h.shown(n); after != before {
		t.Errorf("something changed from\n%s\nto\n%s", before, after)
	}
}

// T107: every key against every verifier, at every door that asks for one: outside its bounds it is an unknown key.
func TestT107ATableOfKeysAndVerifiers(t *testing.T) {
	t.Parallel()
	h := open(t)
	one, _ := h.settle("u-ann", "u-alan")
	two, _ := h.settle("u-eve", "u-edgar")
	type key struct{ ws, environment, value string }
	var keys []key
	for ws, user := range map[string]string{one.ws: "u-alan", two.ws: "u-edgar"} {
		for _, environment := range []string{"live", "test"} {
			value := h.do(
				"POST", "/api/v2/api-keys", h.root,
				`{"workspaceId":"`+ws+`","userId":"`+user+`","name":"k","environment":"`+environment+`"}`,
			).
				want(201).
				text("data.result.key")
			keys = append(keys, key{ws, environment, value})
		}
	}
	for bounds, sees := range map[string]func(key) bool{
		``:                                   func(key) bool { return true },
		`,"workspaceIds":["` + one.ws + `"]`: func(k key) bool { return k.ws == one.ws },
		`,"workspaceIds":["` + one.ws + `","` + two.ws + `"]`: func(key) bool { return true },
		`,"environments":["test"]`:                            func(k key) bool { return k.environment == "test" },
		`,"workspaceIds":["` + two.ws + `"],"environments":["live"]`: func(k key) bool {
			return k.ws == two.ws &&
				k.environment == "live"
		},
	} {
		verifier, _ := h.bind(h.root, `"verify","revoke"`, bounds)
		for _, k := range keys {
			want := "NOT_FOUND"
			if sees(k) {
				want = "VALID"
			}
			one := h.do("POST", "/api/v2/api-keys/verify", verifier, `{"key":"`+k.value+`"}`).want(200)
			unusual := h.do("POST", "/api/v2/api-keys/verify", verifier, `{"\u006bey":"`+k.value+`"}`).want(200)
			many := h.do("POST", "/api/v2/api-keys/verify-batch", verifier, `{"items":[{"key":"`+k.value+`"}]}`).want(200)
			for _, a := range []answer{one, unusual, many} {
				if !strings.Contains(a.Body.String(), `"code":"`+want+`"`) ||
					want == "NOT_FOUND" && strings.Contains(a.Body.String(), k.ws) {
					t.Errorf("%s in %s for %q: %s", k.environment, k.ws, bounds, a.Body.String())
				}
			}
			form := url.Values{"token": {k.value}}.Encode()
			told := h.do("POST", "/api/v2/oauth2/introspect", verifier, form, asForm).want(200).Body.String()
			if strings.Contains(told, `"active":true`) != sees(k) {
				t.Errorf("introspected %s in %s for %q: %s", k.environment, k.ws, bounds, told)
			}
			if !sees(k) { // revoking answers as for an unknown token, and changes nothing
				h.do("POST", "/api/v2/oauth2/revoke", verifier, form, asForm).want(200)
				if code := h.code(k.value, ""); code != "VALID" {
					t.Errorf("%s in %s after a revocation from outside: %s", k.environment, k.ws, code)
				}
			}
		}
	}
}

// T107: bounds only narrow from the key that makes another, and a bound root sees and deletes only keys within its
// own.
func TestT107AServiceKeyMakesNoneThatReachesFurther(t *testing.T) {
	t.Parallel()
	h := open(t)
	one, _ := h.settle("u-ann", "u-alan")
	two, _ := h.settle("u-eve", "u-edgar")
	bounds := `,"workspaceIds":["` + one.ws + `"],"environments":["live"],"allowedIps":["10.0.0.0/8"]`
	root, rootName := h.bind(h.root, `"root"`, bounds)
	_, wide := h.bind(h.root, `"verify"`, ``)
	inside := from("10.1.2.3:99")
	create := func(bounds string) answer {
		return h.do("POST", "/api/v2/service-keys", root, `{"name":"n","scopes":["root"]`+bounds+`}`, inside)
	}
	for wider, field := range map[string]string{
		``: "workspaceIds", `,"workspaceIds":["` + one.ws + `"],"allowedIps":["10.0.0.0/8"]`: "environments",
		`,"workspaceIds":["` + one.ws +
			`"],"environments":["live"]`: "allowedIps",
		`,"workspaceIds":["` + one.ws + `","` + two.ws +
			`"],"environments":["live"],"allowedIps":["10.0.0.0/8"]`: "workspaceIds",
		`,"workspaceIds":["` + one.ws + `"],"environments":["live","test"],"allowedIps":["10.0.0.0/8"]`: "environments",
		`,"workspaceIds":["` + one.ws + `"],"environments":["live"],"allowedIps":["10.0.0.0/7"]`:        "allowedIps",
		`,"workspaceIds":null,"environments":["live"],"allowedIps":["10.0.0.0/8"]`:                      "workspaceIds",
	} {
		a := create(wider).want(403)
		if !strings.Contains(a.Body.String(), "permission_escalation") ||
			!strings.Contains(a.Body.String(), `"field":"`+field+`"`) {
			t.Errorf("%q: %s", wider, a.Body.String())
		}
	}
	narrow := create(
		`,"workspaceIds":["` + one.ws + `"],"environments":["live"],"allowedIps":["10.1.0.0/16"]`,
	).want(201).
		text("data.result.serviceKey.id")
	for _, empty := range []string{`,"workspaceIds":[]`, `,"environments":[]`, `,"allowedIps":[]`,
		`,"environments":["svc"]`, `,"workspaceIds":["x"]`, `,"workspaceIds":"` + one.ws + `"`} {
		h.do("POST", "/api/v2/service-keys", h.root, `{"name":"n","scopes":["verify"]`+empty+`}`).want(400)
	}
	list := h.do("GET", "/api/v2/service-keys", root, "", inside).want(200).Body.String()
	if strings.Contains(list, wide) || !strings.Contains(list, narrow) || !strings.Contains(list, rootName) {
		t.Errorf("the list: %s", list)
	}
	h.do("DELETE", "/api/v2/service-keys/"+wide, root, "", inside).want(404)
	h.do("DELETE", "/api/v2/service-keys/"+narrow, root, "", inside).want(200)
}

// T107: from outside its networks a service key is an unknown token, at every operation of every listener.
func TestT107FromOutsideItsNetworksAServiceKeyIsAnUnknownToken(t *testing.T) {
	t.Parallel()
	h := open(t)
	n, value := h.settle("u-ann", "u-alan")
	root, _ := h.bind(h.root, `"root"`, `,"allowedIps":["10.0.0.0/8"]`)
	inside, outside := from("10.1.2.3:99"), from("11.1.2.3:99")
	// The root's session from inside is bound to its networks, too.
	code := h.do("POST", "/api/v2/sign-in-links", root, `{"root":true}`, inside).
		want(201).
		text("data.result.signInLink.code")
	if _, err := h.config.Control.RedeemSignInLink(t.Context(), control.Caller{Address: "11.1.2.3"}, code); !fault.Is(
		err, fault.Unauthenticated,
	) {
		t.Fatalf("redeemed from outside: %v", err)
	}
	in, err := h.config.Control.RedeemSignInLink(t.Context(), control.Caller{Address: "10.1.2.3"}, code)
	must(t, err)
	for _, body := range []string{"", `{"key":"` + value + `"}`} {
		method, path := "GET", "/api/v2/workspaces/"+n.ws
		if body != "" {
			method, path = "POST", "/api/v2/api-keys/verify"
		}
		h.do(method, path, in.Token.Reveal(), body, outside).want(401)
		h.do(method, path, in.Token.Reveal(), body, inside).want(200)
	}
	unknown := "kw_svc_" + strings.Repeat("A", 43) + "00QyzM"
	for _, on := range []string{"GET /workspaces/{ws}", "GET /me", "GET /service-keys", "DELETE /api-keys/{key}",
		"GET /nodes", "GET /permissions"} {
		method, path, _ := strings.Cut(on, " ")
		got := h.do(method, "/api/v2"+n.in(path), root, "", outside)
		want := h.do(method, "/api/v2"+n.in(path), unknown, "", outside)
		if got.Code != want.Code ||
			passing.ReplaceAllString(got.Body.String(), "") != passing.ReplaceAllString(want.Body.String(), "") ||
			got.Header().Get("WWW-Authenticate") != want.Header().Get("WWW-Authenticate") {
			t.Errorf("%s: %d %s, an unknown token gets %d %s", on, got.Code, got.Body.String(), want.Code, want.Body.String())
		}
	}
	h.do("POST", "/api/v2/api-keys/verify", root, `{"key":"`+value+`"}`, outside).want(401)
	h.do("POST", "/api/v2/api-keys/verify", root, `{"key":"`+value+`"}`, inside).want(200)
	h.do("GET", "/api/v2/workspaces/"+n.ws, root, "", inside).want(200)
}

// T107: sessions and links made by a bound service key have its bounds: its workspaces, and its networks, also after
// a switch.
func TestT107ASessionByABoundServiceKeyIsBoundAsItIs(t *testing.T) {
	t.Parallel()
	h := open(t)
	one, _ := h.settle("u-ann", "u-alan")
	two, _ := h.settle("u-ann", "u-edgar") // the same owner
	three, _ := h.settle("u-ann", "u-emil")
	manager, _ := h.bind(
		h.root, `"manage"`,
		`,"workspaceIds":["`+one.ws+`","`+three.ws+`"],"environments":["live"],"allowedIps":["10.0.0.0/8"]`,
	)
	inside, outside := from("10.1.2.3:99"), from("11.1.2.3:99")
	code := h.do("POST", "/api/v2/sign-in-links", manager, `{"workspaceId":"`+one.ws+`","userId":"u-ann"}`, inside).
		want(201).
		text("data.result.signInLink.code")
	if _, err := h.config.Control.RedeemSignInLink(t.Context(), control.Caller{Address: "11.1.2.3"}, code); !fault.Is(
		err, fault.Unauthenticated,
	) {
		t.Fatalf("redeemed from outside: %v", err)
	}
	in, err := h.config.Control.RedeemSignInLink(t.Context(), control.Caller{Address: "10.1.2.3"}, code)
	must(t, err)
	token := in.Token.Reveal()
	check := func() {
		t.Helper()
		h.do("GET", "/api/v2/workspaces/"+one.ws, token, "", outside).want(401)
		h.do("GET", "/api/v2/workspaces/"+one.ws, token, "", inside).want(200)
		h.do("GET", "/api/v2/workspaces/"+three.ws, token, "", inside).want(200)
		h.do("GET", "/api/v2/workspaces/"+two.ws, token, "", inside).want(404)
		h.do("GET", "/api/v2/api-keys/"+two.key, token, "", inside).want(404)
		h.do("PATCH", "/api/v2/workspaces/"+one.ws, token, `{"isActive":false}`, inside).want(403)
		if list := h.do("GET", "/api/v2/workspaces", token, "", inside).want(200).Body.String(); strings.Contains(
			list, two.ws,
		) {
			t.Errorf("the list: %s", list)
		}
	}
	check()
	who, err := h.config.Control.Identify(t.Context(), token)
	must(t, err)
	if len(who.Workspaces) != 2 {
		t.Errorf("the switcher offers %v", who.Workspaces)
	}
	switched, err := h.config.Control.SwitchWorkspace(
		t.Context(), who.Caller.From(control.Caller{Address: "10.1.2.3"}), three.ws,
	)
	must(t, err)
	token = switched.Token.Reveal()
	check()
	if _, err := h.config.Control.SwitchWorkspace(t.Context(), switchedCaller(t, h, token), two.ws); !fault.Is(
		err, fault.NotFound,
	) {
		t.Errorf("switched outside: %v", err)
	}
}

func switchedCaller(t *testing.T, h *house, token string) control.Caller {
	t.Helper()
	who, err := h.config.Control.Identify(t.Context(), token)
	must(t, err)
	return who.Caller.From(control.Caller{Address: "10.1.2.3"})
}
