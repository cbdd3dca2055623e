package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAVerdictTellsNothingOfAKeyThatIsNotThere(t *testing.T) {
	t.Parallel()
	h := open(t)
	for key, code := range map[string]string{"": "MALFORMED", "x": "MALFORMED", wellFormedKey: "NOT_FOUND",
		h.root: "NOT_FOUND"} {
		a := h.do("POST", "/api/v2/api-keys/verify", h.root, `{"key":"`+key+`"}`).want(200)
		if want := `"result":{"valid":false,"code":"` + code + `"}}}`; !strings.HasSuffix(a.Body.String(), want) {
			t.Errorf("%s: %s", key, a.Body)
		}
	}
}

func TestAVerdictTellsWhatAKeyIs(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	name, value := h.key(ws, `,"permissions":["calls:read"],"expiresAt":"2100-01-02","metadata":{"plan":"a&b"}`)
	ask := func(more string) string {
		return h.do("POST", "/api/v2/api-keys/verify", h.root, `{"key":"`+value+`"`+more+`}`).want(200).Body.String()
	}
	about := `"keyId":"` + name + `","workspaceId":"` + ws +
		`","userId":"u-owner","name":"a key","environment":"live","permissions":["calls:read"],` +
		`"expiresAt":"2100-01-02T00:00:00.000Z","metadata":{"plan":"a&b"}`
	for _, c := range []struct{ more, want string }{
		{"", `{"valid":true,"code":"VALID",` + about + `}`},
		{`,"permissions":[]`, `{"valid":true,"code":"VALID",` + about + `}`},
		{`,"permissions":["calls:read"],"cost":0,"ip":"203.0.113.1"`, `{"valid":true,"code":"VALID",` + about + `}`},
		{`,"permissions":{"any":["calls:write","calls:read"]},"cost":1000`, `{"valid":true,"code":"VALID",` + about + `}`},
		{`,"permissions":["calls:write","calls:read"]`,
			`{"valid":false,"code":"INSUFFICIENT_PERMISSIONS",` + about + `,"missingPermissions":["calls:write"]}`},
		{`,"permissions":{"any":["calls:delete","calls:write"]}`, `{"valid":false,"code":"INSUFFICIENT_PERMISSIONS",` +
			about + `,"missingPermissions":["calls:write","calls:delete"]}`},
	} {
		if got := ask(c.more); !strings.HasSuffix(got, `"result":`+c.want+`}}`) {
			t.Errorf("%s: %s", c.more, got)
		}
	}
}

func TestAQuestionThatIsWrongNamesItsField(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, c := range []struct{ body, field string }{
		{`{}`, "key"},
		{`{"key":null}`, "key"},
		{`{"key":"x","permissions":["calls:read","calls:fly"]}`, "permissions[1]"},
		{`{"key":"x","permissions":{"any":["calls:fly"]}}`, "permissions.any[0]"},
		{`{"key":"x","permissions":{"any":[]}}`, "permissions.any"},
		{`{"key":"x","permissions":{"all":["calls:read"],"any":[ ]}}`, "permissions.any"},
		{`{"key":"x","permissions":{"all":["calls:read","calls:fly"]}}`, "permissions.all[1]"},
		{`{"key":"x","permissions":{"one":[]}}`, "permissions.one"},
		{`{"key":"x","permissions":{"all":null}}`, "permissions.all"},
		{`{"key":"x","permissions":"calls:read"}`, "permissions"},
		{`{"key":"x","permissions":null}`, "permissions"},
		{`{"key":"x","permissions":[1]}`, "permissions[0]"},
		{`{"key":"x","cost":-1}`, "cost"},
		{`{"key":"x","cost":1001}`, "cost"},
		{`{"key":"x","cost":1.0}`, "cost"},
		{`{"key":"x","ip":"nowhere"}`, "ip"},
		{`{"key":"x","ip":""}`, "ip"},
		{`{"key":"x","ip":"fe80::1%eth0"}`, "ip"},
	} {
		h.do("POST", "/api/v2/api-keys/verify", h.root, c.body).refused(400, "invalid_request", c.field)
		h.do("POST", "/api/v2/api-keys/verify-batch", h.root, `{"items":[{"key":"x"},`+c.body+`]}`).
			refused(400, "invalid_request", "items[1]."+c.field)
	}
	h.do("POST", "/api/v2/api-keys/verify-batch", h.root, `{"items":[]}`).refused(400, "invalid_request", "items")
	h.do(
		"POST", "/api/v2/api-keys/verify-batch", h.root, `{"items":[{"key":"x"}`+strings.Repeat(`,{"key":"x"}`, 1000)+`]}`,
	).
		refused(400, "invalid_request", "items")
}

func TestABatchIsAnsweredInItsOrder(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, value := h.key(h.workspace(), "")
	a := h.do(
		"POST", "/api/v2/api-keys/verify-batch", h.root,
		`{"items":[{"key":"x"},{"key":"`+value+`"},{"key":"`+wellFormedKey+`"}]}`,
	).
		want(200)
	if a.text("data.result.results.0.code") != "MALFORMED" || a.text("data.result.results.1.code") != "VALID" ||
		a.text("data.result.results.2.code") != "NOT_FOUND" {
		t.Error(a.Body)
	}
}

func TestOnlyAServiceKeyThatMayVerifyAsks(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, value := h.key(h.workspace(), "")
	scoped := func(scope string) string {
		return h.do("POST", "/api/v2/service-keys", h.root, `{"name":"s","scopes":["`+scope+`"]}`).
			want(201).
			text("data.result.key")
	}
	verifies := scoped("verify")
	for _, token := range []string{value, scoped("revoke"), scoped("follow"), scoped("portal")} {
		a := h.do("POST", "/api/v2/api-keys/verify", token, `{"key":"x"}`)
		a.refused(403, "permission_denied", "scope")
		h.do("POST", "/api/v2/api-keys/verify-batch", token, `{"items":[{"key":"x"}]}`).
			refused(403, "permission_denied", "scope")
		h.do("POST", "/api/v2/oauth2/introspect", token, "token=x", asForm).refused(403, "permission_denied", "scope")
	}
	for _, token := range []string{verifies, scoped("manage"), scoped("root")} {
		h.do("POST", "/api/v2/api-keys/verify", token, `{"key":"x"}`).want(200)
	}
	h.do("GET", "/api/v2/workspaces", verifies, "").refused(403, "permission_denied", "scope")
}

func TestNothingIsSaidOfAnyKeyWhileTheFactsAreNotSure(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, value := h.key(h.workspace(), "")
	h.replica.Fence()
	a := h.do("POST", "/api/v2/api-keys/verify", h.root, `{"key":"`+value+`"}`)
	a.refused(503, "unavailable", "")
	if a.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	h.do("GET", "/api/v2/api-keys/self", value, "").refused(503, "unavailable", "")
}

func asForm(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }

func TestTheStandardsOperationsSpeakTheStandards(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	name, value := h.key(ws, `,"permissions":["calls:read","calls:write"],"expiresAt":"2100-01-02"`)
	_, other := h.key(ws, "")
	introspect := func(form string) answer { return h.do("POST", "/api/v2/oauth2/introspect", h.root, form, asForm) }
	a := introspect("token=" + value + "&token_type_hint=access_token&whatever=x").want(200)
	if a.at("active") != true || a.text("scope") != "calls:read calls:write" || a.text("client_id") != name ||
		a.text("sub") != "u-owner" ||
		a.at("exp") != 4102531200.0 || a.at("iat").(float64) < 1.7e9 ||
		a.text("token_type") != "Bearer" ||
		a.text("workspace_id") != ws {
		t.Error(a.Body)
	}
	rotated := h.do("POST", "/api/v2/api-keys/"+name+"/rotate", h.root, `{"overlapSeconds":60}`).want(200)
	end, err := time.Parse(time.RFC3339, rotated.text("data.result.apiKey.previousKeys.0.expiresAt"))
	if got := introspect("token=" + value).want(200); err != nil || got.at("exp") != float64(end.Unix()) {
		t.Errorf("an earlier value ends at %v: %s", end, got.Body)
	}
	value = rotated.text("data.result.key")
	if got := introspect("token=" + value).want(200); got.at("exp") != 4102531200.0 {
		t.Errorf("the new value ends with the key: %s", got.Body)
	}
	for _, unknown := range []string{"x", wellFormedKey, h.root} {
		if got := introspect("token=" + unknown).want(200).Body.String(); got != `{"active":false}` {
			t.Errorf("%s: %s", unknown, got)
		}
	}
	for _, bad := range []string{"", "tok=x", "token=", "token=a&token=b", "token=%zz", "token=x&ip=y"} {
		r := introspect(bad)
		if bad == "" {
			r = h.do("POST", "/api/v2/oauth2/introspect", h.root, "", asForm)
		}
		if r.want(400).text("error") != "invalid_request" || r.text("error_description") == "" {
			t.Errorf("%s: %s", bad, r.Body)
		}
	}

	revoke := func(token, by string) answer {
		return h.do("POST", "/api/v2/oauth2/revoke", by, "token="+token, asForm)
	}
	revoke(other, value).refused(403, "permission_denied", "token")
	for _, unknown := range []string{"x", wellFormedKey} {
		if got := revoke(unknown, value).want(200).Body.String(); got != `{}` {
			t.Error(got)
		}
	}
	revoke(value, value).want(200)
	if got := h.code(value, ""); got != "DISABLED" {
		t.Errorf("a revoked key is %s", got)
	}
	revoke(value, h.root).want(200)
	again := h.do("PUT", "/api/v2/api-keys", h.root, `{"apiKeys":[{"id":"`+name+`","isActive":true}]}`).want(200)
	if again.text("data.result.errors.0.error") != "conflict" {
		t.Error(again.Body)
	}
}
