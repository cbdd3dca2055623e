package routes_test

import (
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/routes"
)

func parse(t *testing.T, text string) *routes.Table {
	t.Helper()
	table, err := routes.Parse("routes.yaml", []byte(text), perm.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestTheMoreSpecificRuleWinsWhateverTheirOrder(t *testing.T) {
	t.Parallel()
	rules := []string{
		"{method: '*', path: '/**', permissions: [], cost: 1}", "{method: GET, path: '/v1/**', permissions: [], cost: 2}",
		"{method: GET, path: '/v1/{a}', permissions: [], cost: 3}", "{method: GET, path: /v1/x, permissions: [], cost: 4}",
		"{method: HEAD, path: /v1/x, permissions: [], cost: 5}", "{method: '*', path: /v1/x, permissions: [], cost: 6}",
		"{method: GET, path: '/v1/{a}/y', permissions: [], cost: 7}",
		"{method: GET, path: '/v1/x/{b}', permissions: [], cost: 8}",
		"{method: GET, path: /v1/z/, permissions: [], cost: 9}", "{method: GET, path: /caf%C3%A9, permissions: [], cost: 10}",
		"{method: GET, path: /, permissions: [], cost: 11}",
	}
	wants := map[string]int{
		"GET /": 11, "POST /": 1, "GET /v1": 2, "GET /v1/": 2, "GET /v1/x": 4, "HEAD /v1/x": 5, "POST /v1/x": 6,
		"GET /v1/q": 3, "HEAD /v1/q": 3, "POST /v1/q": 1,
		"GET /v1/x/y": 8, "GET /v1/q/y": 7, "GET /v1/x/q": 8, "GET /v1/q/q": 2, "GET /v1/z": 3, "GET /v1/z/": 9,
		"GET /v1/x/": 2, "GET /v2": 1,
		"GET /caf%C3%A9": 10, "GET /caf%c3%a9": 10, "DELETE /v1/x/y/z": 1,
	}
	for turn := range len(rules) {
		table := parse(t, "routes:\n  - "+strings.Join(append(rules[turn:], rules[:turn]...), "\n  - "))
		for request, cost := range wants {
			method, path, _ := strings.Cut(request, " ")
			if r := table.Match(method, path); r == nil || r.Cost != cost {
				t.Errorf("turn %d: %s: %+v, want the rule that costs %d", turn, request, r, cost)
			}
		}
	}
}

func TestWhatNoRuleMatchesIsDenied(t *testing.T) {
	t.Parallel()
	table := parse(
		t,
		"routes:\n- {method: GET, path: '/v1/{id}', public: true}\n- {method: [POST], path: '/v1/a/**', permissions: {all: [calls:read], any: [calls:write]}}",
	)
	for _, request := range []string{"POST /v1/x", "GET /", "GET /v1", "GET /v1/", "GET /v1/x/", "GET /v1/x/y",
		"GET /v1/a/b", "PUT /v1/a", "get /v1/x", "HEAD /v1/a/b"} {
		method, path, _ := strings.Cut(request, " ")
		if r := table.Match(method, path); r != nil {
			t.Errorf("%s is matched by %s", request, r.Signature())
		}
	}
	if r := table.Match("POST", "/v1/a/b"); r.Says() != "all of calls:read; and one of calls:write" {
		t.Errorf("it says %q", r.Says())
	}
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                         "routes.yaml:1:1: there is nothing in the file",
		"[]":                       "routes.yaml:1:1: want a mapping with the member routes, not a list",
		"routes: []":               "routes.yaml:1:9: routes: the list is empty",
		"rules: []":                `routes.yaml:1:1: unknown member "rules": want routes`,
		"routes:\n- GET /x":        "routes.yaml:2:3: want {method, path, permissions}, not text",
		"routes:\n- {path: /x}":    "routes.yaml:2:3: there is no method",
		"routes:\n- {method: GET}": "routes.yaml:2:3: there is no path",
		"routes:\n- {method: [], path: /x, public: true}": "routes.yaml:2:12: method: the list is empty",

		"routes:\n- {method: get, path: /x, public: true}": `routes.yaml:2:12: method: "get": want upper-case letters`,

		"routes:\n- {method: [GET, '*'], path: /x, public: true}":           "routes.yaml:2:18: method: '*' is every method",
		"routes:\n- {method: [GET, GET], path: /x, public: true}":           "routes.yaml:2:18: method: GET stands twice",
		"routes:\n- {method: GET, path: x, public: true}":                   "routes.yaml:2:23: path: must begin with /",
		"routes:\n- {method: GET, path: /a//b, public: true}":               `path: "" is not in canonical form`,
		"routes:\n- {method: GET, path: /../b, public: true}":               `path: ".." is not in canonical form`,
		"routes:\n- {method: GET, path: /%61, public: true}":                `path: "%61" is not in canonical form`,
		"routes:\n- {method: GET, path: '/**/b', public: true}":             "path: ** stands for everything that follows",
		"routes:\n- {method: GET, path: '/a*', public: true}":               `path: "a*": want a whole segment`,
		"routes:\n- {method: GET, path: '/x{id}', public: true}":            `path: "x{id}": want a whole segment`,
		"routes:\n- {method: GET, path: '/{}', public: true}":               `path: "{}": want a whole segment`,
		"routes:\n- {method: GET, path: /x}":                                "routes.yaml:2:3: there is no permissions",
		"routes:\n- {method: GET, path: /x, public: false}":                 "public: want true, or leave it out",
		"routes:\n- {method: GET, path: /x, public: 'true'}":                "public: want true, or leave it out",
		"routes:\n- {method: GET, path: /x, public: true, permissions: []}": "permissions: stands beside public",
		"routes:\n- {method: GET, path: /x, public: true, cost: 2}":         "cost: stands beside public",
		"routes:\n- {method: GET, path: /x, permisions: []}":                `unknown member "permisions"`,
		"routes:\n- {method: GET, path: /x, permissions: calls:read}":       "permissions: want a list, not text",
		"routes:\n- {method: GET, path: /x, permissions: [calls:raed]}":     `routes.yaml:2:41: permissions: "calls:raed" is not in the catalogue`,
		"routes:\n- {method: GET, path: /x, permissions: {}}":               "permissions: want all, any, or a list",
		"routes:\n- {method: GET, path: /x, permissions: {any: []}}":        "any: the list is empty",
		"routes:\n- {method: GET, path: /x, permissions: [], cost: 1001}":   "cost: want a whole number from 0 to 1000",
		"routes:\n- {method: GET, path: /x, permissions: [], cost: '1'}":    "cost: want a whole number",
		"routes:\n- {method: GET, path: '/{a}', public: true}\n- {method: '*', path: '/{b}', permissions: []}\n- {method: [PUT, GET], path: '/{c}', permissions: []}": "routes.yaml:4:3: GET /{c} is the same request as the rule in line 2",
		"routes: &x\n- {method: GET, path: /x, public: true}":               "anchors are not allowed",
		"routes:\n- {method: GET, path: /x, path: /y, public: true}":        "path stands twice",
		"routes:\n- {method: GET, path: /x, public: true}\n---\nroutes: []": "a second document",
	} {
		_, err := routes.Parse("routes.yaml", []byte(text), perm.Builtin())
		if err == nil || !strings.HasPrefix(err.Error(), "routes.yaml:") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(
		[]byte(
			"routes:\n- {method: GET, path: '/v1/{id}/**', permissions: {all: [calls:read], any: [calls:write]}, cost: 5}",
		),
		"/v1/x",
	)
	f.Fuzz(func(t *testing.T, data []byte, path string) {
		table, err := routes.Parse("r.yaml", data, perm.Builtin())
		if err != nil {
			if !strings.HasPrefix(err.Error(), "r.yaml:") {
				t.Errorf("no place in %q", err)
			}
			return
		}
		table.Match("GET", path)
	})
}

// T107: a table demands an environment and workspaces for all of its routes, and a route says otherwise for itself.
func TestT107ATableDemandsAnEnvironmentAndWorkspaces(t *testing.T) {
	t.Parallel()
	const one, other = "00000000-0000-7000-8000-00000000000c", "00000000-0000-7000-8000-00000000000d"
	table := parse(
		t,
		"environment: live\nworkspaceId: ["+strings.ToUpper(
			one,
		)+", "+other+"]\nroutes:\n- {method: GET, path: /a, permissions: []}\n"+
			"- {method: GET, path: /b, permissions: [calls:read], environment: test}\n- {method: GET, path: /c, permissions: [], environment: [live, test], workspaceId: "+one+"}\n"+
			"- {method: GET, path: /d, public: true}",
	)
	for path, want := range map[string]string{
		"/a": "any key that is good; and of the environment live; and of the workspace " + one + " or " + other,
		"/b": "all of calls:read; and of the environment test; and of the workspace " + one + " or " + other,
		"/c": "any key that is good; and of the environment live or test; and of the workspace " + one,
		"/d": "public: no key is asked for",
	} {
		if got := table.Match("GET", path).Says(); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	for _, wrong := range []string{"environment: []", "environment: prod", "environment: ''", "environment: [live, svc]",
		"workspaceId: []", "workspaceId: acme", "environment: {}", "enviroment: live"} {
		for _, text := range []string{wrong + "\nroutes:\n- {method: GET, path: /a, permissions: []}",
			"routes:\n- {method: GET, path: /a, permissions: [], " + wrong + "}"} {
			if _, err := routes.Parse("routes.yaml", []byte(text), perm.Builtin()); err == nil {
				t.Errorf("%q was taken", text)
			}
		}
	}
	for _, beside := range []string{"environment: live", "workspaceId: " + one} {
		if _, err := routes.Parse("routes.yaml", []byte("routes:\n- {method: GET, path: /a, public: true, "+beside+"}"),
			perm.Builtin()); err == nil {
			t.Errorf("%q was taken beside public", beside)
		}
	}
}
