package sdk_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keyward/keyward/api"
	"github.com/keyward/keyward/api/apitest"
	"github.com/keyward/keyward/internal/conversation"
	"github.com/keyward/keyward/internal/strictjson"
)

// notCalled lists the operations for browsers, gateways and machines, which no program calls through a client.
var notCalled = []string{"getFrontPage", "checkRequest", "getMetrics", "getOpenapi", "getReference", "getReferenceFile"}

// operations are those of the API's document.
type operations struct {
	schemas *apitest.Schemas
	all     []operation
}

type operation struct {
	id, method, path string
	at               string // in the document
	query            map[string]any
}

// call is one exchange in the words of a client: an operation and its arguments.
type call struct {
	URL            string            `json:"url"`
	Token          string            `json:"token"`
	Operation      string            `json:"operation"`
	Path           map[string]string `json:"path"`
	Query          url.Values        `json:"query"`
	Body           json.RawMessage   `json:"body,omitempty"`
	Form           url.Values        `json:"form,omitempty"`
	IdempotencyKey string            `json:"idempotencyKey,omitempty"`
	Proof          string            `json:"proof,omitempty"`

	exchange  exchange
	operation operation
}

func readOperations(t *testing.T) *operations {
	t.Helper()
	text, err := api.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	o := &operations{}
	if o.schemas, err = apitest.NewSchemas(text); err != nil {
		t.Fatal(err)
	}
	for path, item := range object(document["paths"]) {
		for method := range object(item) {
			if method == "parameters" {
				continue
			}
			at := "/paths/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(path)
			op := operation{method: strings.ToUpper(method), path: path, at: at + "/" + method, query: map[string]any{}}
			op.id, _ = o.schemas.Value(op.at + "/operationId").(string)
			for _, list := range []any{object(item)["parameters"], o.schemas.Value(op.at + "/parameters")} {
				parameters, _ := list.([]any)
				for _, p := range parameters {
					p := object(o.followed(p))
					if name, _ := p["name"].(string); p["in"] == "query" {
						op.query[name] = p["schema"]
					}
				}
			}
			o.all = append(o.all, op)
		}
	}
	return o
}

// followed follows a reference.
func (o *operations) followed(v any) any {
	if ref, ok := object(v)["$ref"].(string); ok {
		return o.schemas.Value(strings.TrimPrefix(ref, "#"))
	}
	return v
}

// calls are the exchanges that a client can say. The others are named with the reason, once each.
func (o *operations) calls(t *testing.T, all []exchange) []call {
	t.Helper()
	var calls []call
	left := map[string]int{}
	seen := map[string]bool{}
	for _, e := range all {
		c, reason := o.call(e)
		if reason != "" {
			left[reason]++
			continue
		}
		said := e.request.Method + e.request.Target + e.request.Body + fmt.Sprint(e.request.Header, e.status)
		if !seen[said] {
			seen[said] = true
			calls = append(calls, c)
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(left)) {
		t.Logf("%d of %d exchanges are not replayed: %s", left[reason], len(all), reason)
	}
	return calls
}

// call puts an exchange into the words of a client, or says why no client says it.
func (o *operations) call(e exchange) (call, string) {
	path, query, err := queryOf(e.request.Target)
	if err != nil {
		return call{}, broken
	}
	if belowPortal.MatchString(path) && !strings.HasSuffix(path, "/exchange") {
		return call{}, "a page makes it through a portal session"
	}
	path = belowPortal.ReplaceAllString(path, "/api/")
	if wholeKey.MatchString(path[strings.LastIndex(path, "/")+1:]) {
		return call{}, inURL
	}
	op, arguments, ok := o.find(e.request.Method, path)
	if !ok || slices.Contains(notCalled, op.id) {
		return call{}, "no client calls the operation"
	}
	c := call{Operation: op.id, Path: arguments, Query: query, exchange: e, operation: op}
	if reason := c.head(e.request.Header); reason != "" {
		return call{}, reason
	}
	for name := range query {
		if _, known := op.query[name]; !known {
			return call{}, "its query is not in the document"
		}
	}
	if reason := o.queryFits(op, query); reason != "" {
		return call{}, reason
	}
	return c, o.bodyFits(&c)
}

// inURL is the reason for which clients refuse a call themselves, as their own tests say.
const inURL = "a credential stands in its URL, where no client puts one"

var belowPortal = regexp.MustCompile(`^/portal/[0-9a-f-]{36}/api/`)

// bearer matches a token as a client sends it.
var bearer = regexp.MustCompile(`^Bearer [^ ,]+$`)

// bare lists the operations that need no token.
var bare = []string{"getHealth", "getReadiness", "startSession", "exchangePortalSession", "renewPortalSession"}

// head reads the headers that a client sends.
func (c *call) head(header http.Header) string {
	for name, values := range header {
		value := values[0]
		switch {
		case name == "Authorization" && bearer.MatchString(value) && len(values) == 1:
			c.Token = value[len("Bearer "):]
		case name == "Idempotency-Key" && value != "":
			c.IdempotencyKey = value
		case name == "Dpop":
			c.Proof = value
		case name == "Content-Type", name == "Accept":
		case name == "Origin" && c.Operation == "exchangePortalSession": // the browser adds it
		default:
			return "it has a header that no client sends"
		}
	}
	if c.IdempotencyKey != "" && !slices.Contains([]string{"createApiKey", "rotateApiKey", "rotateSelf"}, c.Operation) {
		return "it has an Idempotency-Key where a client sends none"
	}
	if c.Token == "" && !slices.Contains(bare, c.Operation) {
		return "it has no token"
	}
	wantsProof := slices.Contains([]string{"exchangePortalSession", "renewPortalSession"}, c.Operation)
	if (c.Proof != "") != wantsProof {
		return "a proof is missing, or one too many"
	}
	return ""
}

// find gives the operation of a path and the values of its parameters. A path without a parameter comes first.
func (o *operations) find(method, path string) (found operation, arguments map[string]string, ok bool) {
	segments := strings.Split(path, "/")
	for _, op := range o.all {
		template := strings.Split(op.path, "/")
		if op.method != method || len(template) != len(segments) {
			continue
		}
		values := map[string]string{}
		for i, s := range template {
			if strings.HasPrefix(s, "{") {
				values[strings.Trim(s, "{}")] = segments[i]
			} else if s != segments[i] {
				values = nil
				break
			}
		}
		if values != nil && (!ok || len(values) < len(arguments)) {
			found, arguments, ok = op, values, true
		}
	}
	for _, value := range arguments {
		if value == "" {
			return found, nil, false
		}
	}
	return found, arguments, ok
}

// moments are the parameters and members that are times.
var moments = []string{"from", "to", "expiringBefore", "unusedSince", "triedSince", "expiresAt"}

// wholeTime matches a time as oneTime writes it.
var wholeTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

const broken = "its arguments are not what the document allows, so that no typed client has them"

// queryFits tells whether the document allows the parameters.
func (o *operations) queryFits(op operation, query url.Values) string {
	for name, values := range query {
		schema := object(o.followed(op.query[name]))
		for _, value := range values {
			if value == "" || slices.Contains(moments, name) && oneTime(value) == value && !wholeTime.MatchString(value) {
				return broken
			}
			if wholeKey.MatchString(value) {
				return inURL
			}
			if least, ok := schema["minimum"]; ok && value == "0" && fmt.Sprint(least) != "0" {
				return broken // in Go 0 is the default
			}
			if choice, ok := schema["enum"].([]any); ok && !slices.Contains(choice, any(value)) {
				return broken
			}
			kind := schema["type"]
			var n json.Number
			if (kind == "integer" || kind == "number") && json.Unmarshal([]byte(value), &n) != nil {
				return broken
			}
			if kind == "integer" && strings.Trim(value, "0123456789") != "" {
				return broken
			}
			if kind == "boolean" && value != "true" && value != "false" {
				return broken
			}
			if kind != "array" && schema["oneOf"] == nil && len(values) > 1 {
				return broken
			}
		}
	}
	return ""
}

// bodyFits reads the body, and tells whether the document allows it.
func (o *operations) bodyFits(c *call) string {
	e := c.exchange
	content := object(o.schemas.Value(o.schemas.Resolve(c.operation.at+"/requestBody") + "/content"))
	if e.request.Body == "" {
		if required, _ := o.schemas.Value(o.schemas.Resolve(c.operation.at+"/requestBody") + "/required").(bool); required {
			return broken
		}
		return ""
	}
	media, _, err := mime.ParseMediaType(e.request.Header.Get("Content-Type"))
	if err != nil || content[media] == nil {
		return broken
	}
	if media != "application/json" {
		c.Form, err = url.ParseQuery(e.request.Body)
		for name, values := range c.Form {
			known := slices.Contains([]string{"token", "ip", "environment", "workspaceId"}, name)
			if !known || name != "workspaceId" && len(values) > 1 || values[0] == "" {
				return broken
			}
		}
		if err != nil || !c.Form.Has("token") {
			return broken
		}
		return ""
	}
	at := o.bodyAt(c.operation)
	schema, err := o.schemas.At(at)
	if err != nil {
		return err.Error()
	}
	var body any
	if strictjson.Decode([]byte(e.request.Body), &body) != nil || schema.Validate(body) != nil || odd(e.request.Body) {
		return broken
	}
	c.Body = json.RawMessage(e.request.Body)
	return ""
}

// odd tells whether a body has a number that is an integer and is not written as one, or a time that is none.
func odd(text string) bool {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var body any
	if decoder.Decode(&body) != nil {
		return true
	}
	var walk func(name string, v any) bool
	walk = func(name string, v any) bool {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				if walk(name, inner) {
					return true
				}
			}
		case []any:
			for _, inner := range v {
				if walk("", inner) {
					return true
				}
			}
		case json.Number:
			return strings.ContainsAny(v.String(), ".eE")
		case string:
			return slices.Contains(moments, name) && oneTime(v) == v && !wholeTime.MatchString(v)
		}
		return false
	}
	return walk("", body)
}

func (o *operations) bodyAt(op operation) string {
	return o.schemas.Resolve(o.schemas.Resolve(op.at+"/requestBody") + "/content/application~1json/schema")
}

// nullIsAbsent names the members of requests of which the document says that null is as if they were not there; "" is
// all of them.
var nullIsAbsent = map[string]string{
	"putPlan": "", "createServiceKey": "", "createPortalSession": "",
	"createApiKey": "description", "requestApiKey": "description",
}

// sameRequest compares a client's request with the conversation's.
func (o *operations) sameRequest(c *call, got conversation.Message) (wrong []string) {
	want := c.exchange.request
	differ := func(what string, got, want any) {
		if !reflect.DeepEqual(got, want) {
			wrong = append(wrong, fmt.Sprintf("the client sends the %s %v\nwant %v", what, got, want))
		}
	}
	differ("method", got.Method, want.Method)
	gotPath, gotQuery, err := queryOf(got.Target)
	if err != nil {
		return []string{err.Error()}
	}
	wantPath, wantQuery, _ := queryOf(want.Target)
	wantPath = belowPortal.ReplaceAllString(wantPath, "/api/")
	differ("path", gotPath, wantPath)
	differ("query", o.plainQuery(c.operation, gotQuery), o.plainQuery(c.operation, wantQuery))
	for _, name := range []string{"Authorization", "Dpop"} {
		if (c.Operation == "getHealth" || c.Operation == "getReadiness") && name == "Authorization" {
			continue // a probe needs no token
		}
		differ(name, got.Header.Get(name), want.Header.Get(name))
	}
	if c.IdempotencyKey != "" {
		differ("Idempotency-Key", got.Header.Get("Idempotency-Key"), c.IdempotencyKey)
	}
	if c.Form != nil {
		form, err := url.ParseQuery(got.Body)
		if err != nil {
			return append(wrong, err.Error())
		}
		differ("form", form, c.Form)
		return wrong
	}
	differ("body", asText(o.plainBody(c, got.Body)), asText(o.plainBody(c, want.Body)))
	return wrong
}

// plainQuery leaves out defaults, and writes times in one form.
func (o *operations) plainQuery(op operation, query url.Values) map[string][]string {
	out := map[string][]string{}
	for name, values := range query {
		schema := object(o.followed(op.query[name]))
		for _, value := range values {
			if fallback, ok := schema["default"]; ok && fmt.Sprint(fallback) == value {
				continue
			}
			out[name] = append(out[name], oneTime(value))
		}
	}
	return out
}

// plainBody adds the defaults to a body, so that saying one and leaving it out are the same.
func (o *operations) plainBody(c *call, text string) any {
	var body any = map[string]any{}
	if text != "" {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&body); err != nil {
			return err.Error()
		}
	}
	body = o.withDefaults(o.bodyAt(c.operation), body)
	switch name, some := nullIsAbsent[c.Operation]; {
	case some && name == "":
		if ceiling := object(object(body)["ceiling"]); ceiling["requireAllowedIps"] == false {
			delete(ceiling, "requireAllowedIps")
		}
		return plainValue(body, false)
	case some && object(body)[name] == nil:
		delete(object(body), name)
	case c.Operation == "reportUses": // a list that is empty says nothing
		for name, inner := range object(body) {
			if list, ok := inner.([]any); ok && len(list) == 0 {
				delete(object(body), name)
			}
		}
	}
	return timesOf(body)
}

func (o *operations) withDefaults(at string, v any) any {
	at = o.schemas.Resolve(at)
	switch v := v.(type) {
	case map[string]any:
		for name := range object(o.schemas.Value(at + "/properties")) {
			inner := o.schemas.Resolve(at + "/properties/" + name)
			if value, there := v[name]; there {
				v[name] = o.withDefaults(inner, value)
			} else if fallback := o.schemas.Value(inner + "/default"); fallback != nil {
				v[name] = fallback
			} else if fallback := o.schemas.Value(at + "/properties/" + name + "/default"); fallback != nil {
				v[name] = fallback
			}
		}
		// A demand that is a list is one of all of them, and one workspace a list of one.
		if all, ok := v["permissions"].([]any); ok && v["key"] != nil && v["name"] == nil {
			v["permissions"] = map[string]any{"all": all}
		}
		if demand := object(v["permissions"]); demand != nil {
			if all, ok := demand["all"].([]any); ok && len(all) == 0 {
				delete(demand, "all")
			}
			if len(demand) == 0 {
				delete(v, "permissions")
			}
		}
		if one, ok := v["workspaceId"].(string); ok && v["key"] != nil && v["name"] == nil {
			v["workspaceId"] = []any{one}
		}
	case []any:
		for i := range v {
			v[i] = o.withDefaults(at+"/items", v[i])
		}
	}
	return v
}

// timesOf writes the times of a value in one form.
func timesOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = timesOf(v[name])
		}
	case []any:
		for i := range v {
			v[i] = timesOf(v[i])
		}
	case string:
		return oneTime(v)
	}
	return v
}
