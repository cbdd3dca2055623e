package routes_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/routes"
)

const document = `openapi: 3.1.0
info: {title: Calls, version: '1'}
servers: [{url: 'https://api.example/v1/'}]
security: [{key: [calls:read]}]
paths:
  /calls/{id}:
    parameters: []
    get: {responses: {}}
    put: {security: [{key: [calls:write], other: [calls:read]}], responses: {}}
    delete: {security: [{key: [calls:write]}, {key: [calls:read]}], responses: {}}
    patch: {security: [{key: [calls:write, calls:read]}, {key: [calls:read]}], responses: {}}
  /status: {get: {security: [], responses: {}}, head: {security: [{}], responses: {}}}
  /me: {get: {security: [{key: []}], responses: {}}}
  /files/{name}.json: {get: {responses: {}}}
  /odd: {get: {security: [{key: ['calls:unheard-of']}], responses: {}}}
  /else: {$ref: 'x.yaml'}
  /calls/{other}: {get: {responses: {}}}
`

func TestAFirstTableComesFromADocumentsSecurity(t *testing.T) {
	t.Parallel()
	got, err := routes.FromOpenAPI("openapi.yaml", []byte(document), perm.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	want := `# A first route table, from the security requirements of openapi.yaml.
# Read it before you use it: what is a comment here is denied.
routes:
  - {method: GET, path: '/v1/calls/{id}', permissions: [calls:read]}
  - {method: PUT, path: '/v1/calls/{id}', permissions: [calls:write, calls:read]}
  - {method: DELETE, path: '/v1/calls/{id}', permissions: {any: [calls:write, calls:read]}}
  # PATCH /v1/calls/{id}: its alternatives ask for different sets of permissions: choose one
  - {method: GET, path: '/v1/status', public: true}
  - {method: HEAD, path: '/v1/status', public: true}
  - {method: GET, path: '/v1/me', permissions: []}
  # GET /v1/files/{name}.json: cannot be written as a rule: "{name}.json": want a whole segment as {name}, or ** at the end
  # GET /v1/odd: "calls:unheard-of" is not in the catalogue of permissions
  # /v1/else: stands elsewhere ($ref): write its rules by hand
  # GET /v1/calls/{other}: is the same request as /v1/calls/{id}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if table := parse(t, got); table.Match("GET", "/v1/odd") != nil || table.Match("GET", "/v1/me") == nil {
		t.Error("the table does not say what its text says")
	}
}

func TestAFirstTableAllowsThePagesOfNamedOrigins(t *testing.T) {
	t.Parallel()
	got, err := routes.FromOpenAPI(
		"openapi.yaml", []byte(document), perm.Builtin(), "https://app.example.com", "http://localhost:5173",
	)
	if err != nil {
		t.Fatal(err)
	}
	rule := parse(t, got).Match("GET", "/v1/calls/42")
	if rule == nil || rule.CORS.Allow("http://localhost:5173") == "" || rule.CORS.Allow("https://evil.example") != "" ||
		rule.CORS.Gateway {
		t.Errorf("%+v in\n%s", rule, got)
	}
	if _, err := routes.FromOpenAPI("openapi.yaml", []byte(document), perm.Builtin(), "app.example.com"); err == nil {
		t.Error("a name without a scheme was taken for an origin")
	}
}

func TestADocumentThatSaysNothingOfSecurityOpensNothing(t *testing.T) {
	t.Parallel()
	got, err := routes.FromOpenAPI(
		"o.json", []byte(`{"openapi":"3.0.3","paths":{"/a":{"get":{}},"/b\n- {method: GET}":{"get":{"security":[]}}}}`),
		perm.Builtin(),
	)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got, "\n  - ") {
		t.Errorf("a rule was made of nothing:\n%s", got)
	}
	for _, wrong := range []string{"", "[]", "openapi: 2.0\npaths: {}", "openapi: 3.1.0", "openapi: 3.1.0\npaths: []"} {
		if _, err := routes.FromOpenAPI("o.yaml", []byte(wrong), perm.Builtin()); err == nil ||
			!strings.HasPrefix(err.Error(), "o.yaml:") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}
