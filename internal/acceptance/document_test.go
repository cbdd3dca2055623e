package acceptance_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/keyward/keyward/api/apitest"
)

// document is /openapi.json as the server gives it, as far as tests ask.
type document struct {
	root       map[string]any
	operations []operation
}

// operation is one method of one path.
type operation struct {
	id, method, path string
	permission       string // x-keyward-permission
	grants           bool   // x-grants
	anyMethod        bool   // x-keyward-methods: any
	statuses         []string
	parameters       []map[string]any
	body             map[string]any // the schema of a JSON body, nil for none
	mustBody         bool
	form             bool // takes a form instead
	example          any  // of the body

	pattern *regexp.Regexp
}

func readDocument(t *testing.T, url string) *document {
	t.Helper()
	answer, err := plain.Get(url + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	d := &document{}
	if err := json.Unmarshal(text, &d.root); err != nil {
		t.Fatalf("/openapi.json: %v", err)
	}
	for path, item := range object(d.root["paths"]) {
		shared := list(object(item)["parameters"])
		for method, o := range object(item) {
			if method != "parameters" {
				d.operations = append(d.operations, d.operation(strings.ToUpper(method), path, object(o), shared))
			}
		}
	}
	if len(d.operations) < 30 {
		t.Fatalf("the document names only %d operations", len(d.operations))
	}
	slices.SortFunc(d.operations, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return d
}

func object(v any) map[string]any { m, _ := v.(map[string]any); return m }
func list(v any) []any            { l, _ := v.([]any); return l }
func text(v any) string           { s, _ := v.(string); return s }

var pathParameter = regexp.MustCompile(`\\\{[A-Za-z]+\\\}`)

func (d *document) operation(method, path string, o map[string]any, shared []any) operation {
	op := operation{id: text(o["operationId"]), method: method, path: path, permission: text(o["x-keyward-permission"])}
	op.grants, _ = o["x-grants"].(bool)
	op.anyMethod = text(o["x-keyward-methods"]) == "any"
	op.statuses = slices.Sorted(maps.Keys(object(o["responses"])))
	for _, p := range append(slices.Clone(shared), list(o["parameters"])...) {
		op.parameters = append(op.parameters, d.resolve(p))
	}
	body := d.resolve(o["requestBody"])
	op.mustBody, _ = body["required"].(bool)
	content := object(body["content"])
	if c := object(content["application/json"]); c != nil {
		op.body = d.resolve(c["schema"])
		for _, name := range slices.Sorted(maps.Keys(object(c["examples"]))) {
			op.example = d.resolve(object(c["examples"])[name])["value"]
			break
		}
	}
	op.form = content["application/x-www-form-urlencoded"] != nil
	pattern := pathParameter.ReplaceAllString(regexp.QuoteMeta(path), `[^/]+`)
	op.pattern = regexp.MustCompile("^" + pattern + "$")
	return op
}

// resolve follows a reference; members beside it count, too.
func (d *document) resolve(v any) map[string]any {
	m := object(v)
	ref, ok := m["$ref"].(string)
	if !ok {
		return m
	}
	var at any = d.root
	for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		at = object(at)[part]
	}
	out := map[string]any{}
	for k, x := range d.resolve(at) {
		out[k] = x
	}
	for k, x := range m {
		if k != "$ref" {
			out[k] = x
		}
	}
	return out
}

// find gives the operation of a request, also of one through a portal session. A path without a parameter comes before
// one with.
func (d *document) find(r *http.Request) (operation, bool) {
	var found operation
	ok := false
	path := belowPortal.ReplaceAllString(r.URL.EscapedPath(), "/api/")
	for _, o := range d.operations {
		if (o.method == r.Method || o.anyMethod) && o.pattern.MatchString(path) &&
			(!ok || strings.Count(o.path, "{") < strings.Count(found.path, "{")) {
			found, ok = o, true
		}
	}
	return found, ok
}

// checker compiles the document's schemas once.
var checker = sync.OnceValues(apitest.New)

// belowPortal matches the path of a call through a portal session; what follows is the operation's own.
var belowPortal = regexp.MustCompile(`^/portal/[0-9a-f-]{36}/api/`)

// check holds an answer against the document, and names the operation that gave it.
func (d *document) check(e exchange) (operation string, wrong []string) {
	c, err := checker()
	if err != nil {
		return "", []string{err.Error()}
	}
	path := belowPortal.ReplaceAllString(e.request.URL.EscapedPath(), "/api/")
	if err := c.Check(e.request.Method, path, e.response.StatusCode, e.response.Header, e.body); err != nil {
		wrong = append(wrong, "the document: "+err.Error())
	}
	o, _ := d.find(e.request)
	return o.id, wrong
}
