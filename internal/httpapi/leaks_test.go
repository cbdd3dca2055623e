package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/keyward/keyward/api"
	"github.com/keyward/keyward/internal/session"
)

// credentials are whole and well formed, and unknown to the server.
var credentials = map[string]string{
	"a key":            wellFormedKey,
	"a session token":  "keyward_session_" + strings.Repeat("b", 43),
	"a sign-in code":   "keyward_link_" + strings.Repeat("c", 43),
	"a key in a text":  "the old one: " + wellFormedKey + "!",
	"a key after more": "x" + wellFormedKey + "0",
}

// document is the API's description, with its references followed.
type document struct{ root map[string]any }

func readDocument(t *testing.T) document {
	t.Helper()
	source, err := api.JSON()
	must(t, err)
	var d document
	must(t, json.Unmarshal(source, &d.root))
	return d
}

func (d document) follow(v any) map[string]any {
	m, _ := v.(map[string]any)
	for ref, ok := m["$ref"].(string); ok; ref, ok = m["$ref"].(string) {
		var at any = d.root
		for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			at = at.(map[string]any)[name]
		}
		m, _ = at.(map[string]any)
	}
	return m
}

// texts gives a body for each place of a schema that takes a string, with {} where that stands; by path.
func (d document) texts(schema any, path, body string, out map[string]string) {
	s := d.follow(schema)
	for _, alternatives := range []string{"oneOf", "anyOf", "allOf"} {
		list, _ := s[alternatives].([]any)
		for _, one := range list {
			d.texts(one, path, body, out)
		}
	}
	types := fmt.Sprint(s["type"])
	if strings.Contains(types, "string") || s["enum"] != nil {
		out[path] = strings.Replace(body, "{}", `"{}"`, 1)
	}
	if items := s["items"]; items != nil {
		d.texts(items, path+"[0]", strings.Replace(body, "{}", `[{}]`, 1), out)
	}
	properties, _ := s["properties"].(map[string]any)
	for name, property := range properties {
		d.texts(property, strings.TrimPrefix(path+"."+name, "."), strings.Replace(body, "{}", `{"`+name+`":{}}`, 1), out)
	}
	if s["additionalProperties"] == true || len(properties) == 0 && types == "object" { // metadata: a value, and a name
		out[path+".any"] = strings.Replace(body, "{}", `{"any":"{}"}`, 1)
		out[path+".within.[1]"] = strings.Replace(body, "{}", `{"within":[1,"{}"]}`, 1)
	}
}

// own are the places where an operation takes a credential. Those of bulk items refuse the item alone.
var own = map[string][]string{
	"POST /api/v2/api-keys/verify":       {"key"},
	"POST /api/v2/api-keys/verify-batch": {"items[0].key"},
	"POST /api/v2/sessions":              {"code"},

	"POST /api/v2/portal-sessions/exchange": {"clientSecret"},
}

var bulk = []string{"PUT /api/v2/api-keys", "DELETE /api/v2/api-keys", "POST /api/v2/api-keys/import"}

// T17: no place of any request takes a whole credential, but those that are for one. It is refused with its place, and
// not repeated.
func TestT17NoFieldOfAnyRequestTakesACredential(t *testing.T) {
	t.Parallel()
	h := open(t)
	n, _ := h.settle("u-ann", "u-alan")
	d := readDocument(t)
	places := 0
	for path, item := range d.root["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			on := strings.ToUpper(method) + " " + path
			requestBody := d.follow(d.follow(operation)["requestBody"])
			content, _ := requestBody["content"].(map[string]any)
			media := d.follow(content["application/json"])
			if media == nil || slices.Contains(bulk, on) {
				continue
			}
			bodies := map[string]string{}
			d.texts(media["schema"], "", "{}", bodies)
			target := strings.NewReplacer("{workspaceId}", n.ws, "{userId}", n.user, "{roleId}", n.role, "{id}", n.key).
				Replace(path)
			for _, place := range slices.Sorted(maps.Keys(bodies)) {
				if place == "" || slices.Contains(own[on], place) {
					continue
				}
				places++
				for what, value := range credentials {
					a := h.do(strings.ToUpper(method), target, h.root, strings.Replace(bodies[place], "{}", value, 1))
					if a.Code != 400 || session.Leaks(a.Body.String()) || !strings.Contains(a.Body.String(), "credential") {
						t.Errorf("%s: %s in %s: %d %s", on, what, place, a.Code, a.Body)
					}
				}
			}
		}
	}
	if places < 40 {
		t.Errorf("%d places: too few to say anything", places)
	}
	if session.Leaks(h.log.String()) {
		t.Error("a credential is in the log")
	}
}

// T17: an item of a bulk operation is refused alone, and its credential is masked.
func TestT17AnItemWithACredentialIsRefusedAloneAndMasked(t *testing.T) {
	t.Parallel()
	h := open(t)
	n, _ := h.settle("u-ann", "u-alan")
	for what, value := range credentials {
		for _, field := range []string{`"name":"{}"`, `"description":"{}"`, `"metadata":{"a":"{}"}`, `"metadata":{"{}":1}`,
			`"metadata":{"a":[{"b":"{}"}]}`} {
			body := `{"apiKeys":[{"id":"` + n.key + `",` + strings.Replace(
				field, "{}", value, 1,
			) + `},{"id":"` + n.key + `","name":"fine"}]}`
			a := h.do("PUT", "/api/v2/api-keys", h.root, body).want(200)
			if a.at("data.result.errors.0.error") != "invalid_request" || a.at("data.result.updated.0.id") != n.key ||
				session.Leaks(a.Body.String()) {
				t.Errorf("%s in %s: %s", what, field, a.Body)
			}
			imported := `{"workspaceId":"` + n.ws + `","apiKeys":[{"userId":"u-ann","name":"n",` + strings.Replace(
				field, "{}", value, 1,
			) + `}]}`
			if strings.HasPrefix(field, `"name"`) {
				imported = strings.Replace(imported, `"name":"n",`, "", 1)
			}
			a = h.do("POST", "/api/v2/api-keys/import", h.root, imported)
			if strings.Contains(a.Body.String(), `"key":"kw_`) || session.Leaks(a.Body.String()) {
				t.Errorf("imported with %s in %s: %s", what, field, a.Body)
			}
		}
	}
	a := h.do("DELETE", "/api/v2/api-keys", h.root, `{"ids":["`+wellFormedKey+`"]}`).want(200)
	if got := a.text("data.result.errors.0.id"); got != "kw_live_AAAA…mIO6" {
		t.Errorf("the id of an item is shown as %s", got)
	}
	if kept := h.shown(n); session.Leaks(kept) {
		t.Errorf("a credential was kept: %s", kept)
	}
}

// T17: in paths and parameters a credential is refused; a 400 for a header would break requests through proxies, so
// there it is replaced or masked.
func TestT17ACredentialInAHeaderOrAURLIsNotKept(t *testing.T) {
	t.Parallel()
	h := open(t)
	n, _ := h.settle("u-ann", "u-alan")
	for what, value := range credentials {
		escaped := strings.NewReplacer(" ", "%20", "!", "%21").Replace(value)
		h.do("GET", "/api/v2/workspaces/"+n.ws+"/members/"+escaped, h.root, "").refused(400, "invalid_request", "path")
		h.do("GET", "/api/v2/api-keys?workspaceId="+n.ws+"&search="+escaped, h.root, "").
			refused(400, "invalid_request", "query")
		h.do("POST", "/api/v2/api-keys", h.root, `{"workspaceId":"`+n.ws+`","userId":"u-ann","name":"n"}`,
			header("Idempotency-Key", strings.ReplaceAll(value, " ", "-"))).refused(400, "invalid_request", "Idempotency-Key")
		a := h.do("PATCH", "/api/v2/workspaces/"+n.ws, h.root, `{"name":"`+what+`"}`,
			header("X-Request-Id", strings.Trim(strings.ReplaceAll(value, " ", "-"), "!")),
			header("User-Agent", "tool ("+value+")")).
			want(200)
		if session.Leaks(a.Header().Get("X-Request-Id")) {
			t.Errorf("%s: answered as a request's id", what)
		}
	}
	if kept := h.shown(n); session.Leaks(kept) || session.Leaks(h.log.String()) {
		t.Errorf("a credential was kept: %s", kept)
	}
}

// The id of a request is repeated in the answer and in the log: one of another form, or a credential, has one of ours
// in its place.
func TestARequestIdIsAWordOfOursT72(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, value := h.key(h.workspace(), "")
	for given, kept := range map[string]bool{"mine-1": true, "a b": false, "<b>": false, `x"y`: false,
		strings.Repeat("x", 500): false, h.root: false, value: false,
		"x." + value: false} {
		a := h.do("POST", "/api/v2/api-keys/verify", h.root, `{"key":"`+value+`"}`, header("X-Request-Id", given)).want(200)
		if got := a.Header().Get("X-Request-Id"); (got == given) != kept || got == "" {
			t.Errorf("%q is answered %q", given, got)
		}
		if !kept && strings.Contains(h.log.String(), given) {
			t.Errorf("%q is in the log", given)
		}
	}
}
