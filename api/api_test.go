package api_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/keyward/keyward/api"
	"github.com/keyward/keyward/api/apitest"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
)

// operation is one operation of the document, with the JSON pointer that leads to it.
type operation struct {
	at, method, path string
	object           map[string]any
}

func (o operation) id() string { s, _ := o.object["operationId"].(string); return s }

func escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

func object(v any) map[string]any { o, _ := v.(map[string]any); return o }

// document reads the contract, as numbers and text that keep their form.
func document(t *testing.T) (map[string]any, *apitest.Schemas) {
	t.Helper()
	source, err := api.JSON()
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := apitest.NewSchemas(source)
	if err != nil {
		t.Fatal(err)
	}
	return object(v), schemas
}

func operations(doc map[string]any) []operation {
	var all []operation
	for path, item := range object(doc["paths"]) {
		for method, o := range object(item) {
			if method != "parameters" {
				all = append(all, operation{"/paths/" + escape(path) + "/" + method, method, path, object(o)})
			}
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.at, b.at) })
	return all
}

// walk visits every value of the document.
func walk(at string, v any, visit func(at string, v any)) {
	visit(at, v)
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			walk(at+"/"+escape(name), v[name], visit)
		}
	case []any:
		for _, item := range v {
			walk(at+"/-", item, visit)
		}
	}
}

func TestTheDocumentHasEveryOperationOfTheRelease(t *testing.T) {
	t.Parallel()
	doc, _ := document(t)
	want := strings.Fields(
		`createApiKey listApiKeys getApiKey updateApiKeys deleteApiKeys deleteApiKey rotateApiKey rotateSelf getSelf explainApiKey listApiKeyRefusals listRefusals listInstallationRefusals importApiKeys
		listPermissions verifyApiKey verifyApiKeys introspectToken revokeToken createWorkspace listWorkspaces getWorkspace updateWorkspace
		deleteWorkspace putPlan getMe listMembers getMember putMember updateMember removeMember restoreMember inviteMember resetSignIn createRole listRoles getRole updateRole deleteRole
		listLogs getApiKeyLimits getApiKeyUsage getWorkspaceLimits getWorkspaceUsage getUsage createServiceKey listServiceKeys deleteServiceKey createSignInLink startSession listSessions endSessions endSession
		requestApiKey requestApiKeyRotation listKeyRequests getKeyRequest declineKeyRequest
		createWebhook listWebhooks getWebhook updateWebhook deleteWebhook rotateWebhookSecret testWebhook listWebhookDeliveries replayWebhookDelivery
		createPortalSession listPortalSessions endPortalSessions getPortalSession endPortalSession exchangePortalSession renewPortalSession
		listNodes getInstallation getUsageByWorkspace getApiKeyPermissionUsage getWorkspacePermissionUsage readFeed readFeedSnapshot leaseMinutes reserveDays reportUses getFrontPage checkRequest getHealth getReadiness getMetrics getOpenapi getReference getReferenceFile`,
	)
	var got []string
	for _, o := range operations(doc) {
		got = append(got, o.id())
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
}

func TestEveryOperationSaysWhatItIsAndWhoMayCall(t *testing.T) {
	t.Parallel()
	doc, _ := document(t)
	catalogue := perm.Builtin()
	for _, o := range operations(doc) {
		for _, name := range []string{"operationId", "summary", "description", "x-keyward-permission"} {
			if s, _ := o.object[name].(string); s == "" {
				t.Errorf("%s %s has no %s", o.method, o.path, name)
			}
		}
		if tags, _ := o.object["tags"].([]any); len(tags) != 1 {
			t.Errorf("%s has %d tags, want 1", o.id(), len(tags))
		}
		security, ok := o.object["security"].([]any)
		needs, _ := o.object["x-keyward-permission"].(string)
		if !ok || (len(security) == 0) != (needs == "none") {
			t.Errorf("%s: security %v and the permission %q do not agree", o.id(), security, needs)
		}
		if strings.HasPrefix(needs, "scope:") || needs == "none" || needs == "any" {
			continue
		}
		if !slices.ContainsFunc(catalogue.Entries(), func(e perm.Entry) bool { return e.Name() == needs }) {
			t.Errorf("%s needs %q, which is not in the catalogue", o.id(), needs)
		}
	}
}

// The limits of a key hold for the calls that it makes here. GET /api-keys/self alone is free.
func TestEveryOperationOfAnAPIKeyTellsItsLimits(t *testing.T) {
	t.Parallel()
	doc, _ := document(t)
	seen := 0
	for _, o := range operations(doc) {
		security, _ := o.object["security"].([]any)
		byKey := slices.ContainsFunc(security, func(s any) bool { _, ok := object(s)["apiKey"]; return ok })
		if !byKey || o.id() == "getSelf" {
			continue
		}
		seen++
		responses := object(o.object["responses"])
		if responses["429"] == nil {
			t.Errorf("%s does not say that it answers 429", o.id())
		}
		for status, answer := range responses {
			if status[0] != '2' {
				continue
			}
			for _, name := range []string{"RateLimit", "RateLimit-Policy"} {
				if object(object(answer)["headers"])[name] == nil {
					t.Errorf("%s does not say the header %s of %s", o.id(), name, status)
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d operations are an API key's", seen)
	}
}

func TestEveryParameterOfAPathIsDeclared(t *testing.T) {
	t.Parallel()
	doc, schemas := document(t)
	names := regexp.MustCompile(`\{(\w+)\}`)
	for path, item := range object(doc["paths"]) {
		var want, got []string
		for _, m := range names.FindAllStringSubmatch(path, -1) {
			want = append(want, m[1])
		}
		list, _ := object(item)["parameters"].([]any)
		for _, p := range list {
			declared := object(p)
			if ref, ok := declared["$ref"].(string); ok {
				declared = object(schemas.Value(strings.TrimPrefix(ref, "#")))
			}
			name, _ := declared["name"].(string)
			got = append(got, name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestEveryReferenceLeadsSomewhereAndEveryComponentIsUsed(t *testing.T) {
	t.Parallel()
	doc, schemas := document(t)
	used := map[string]bool{}
	walk("", doc, func(at string, v any) {
		ref, ok := object(v)["$ref"].(string)
		if !ok {
			return
		}
		used[ref] = true
		if !strings.HasPrefix(ref, "#/") || schemas.Value(strings.TrimPrefix(ref, "#")) == nil {
			t.Errorf("%s: %s leads nowhere", at, ref)
		}
	})
	for kind, components := range object(doc["components"]) {
		if kind == "securitySchemes" {
			continue
		}
		for name := range object(components) {
			if ref := "#/components/" + kind + "/" + name; !used[ref] {
				t.Errorf("%s is not used", ref)
			}
		}
	}
}

// contents calls visit for every content of a request or an answer, references followed.
func contents(
	t *testing.T, doc map[string]any, schemas *apitest.Schemas,
	visit func(name, mediaType, at string, content map[string]any),
) {
	t.Helper()
	each := func(name, at string) {
		for mediaType, c := range object(schemas.Value(at + "/content")) {
			visit(name, mediaType, at+"/content/"+escape(mediaType), object(c))
		}
	}
	follow := func(at string) string {
		if ref, ok := object(raw(doc, at))["$ref"].(string); ok {
			return strings.TrimPrefix(ref, "#")
		}
		return at
	}
	for _, o := range operations(doc) {
		if o.object["requestBody"] != nil {
			each(o.id()+" request", follow(o.at+"/requestBody"))
		}
		for status := range object(o.object["responses"]) {
			each(o.id()+" "+status, follow(o.at+"/responses/"+status))
		}
	}
}

// raw returns the value at a pointer without following references.
func raw(v any, at string) any {
	for part := range strings.SplitSeq(strings.TrimPrefix(at, "/"), "/") {
		v = object(v)[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return v
}

func TestEveryContentHasExamplesThatItsSchemaAdmits(t *testing.T) {
	t.Parallel()
	doc, schemas := document(t)
	checked := 0
	contents(t, doc, schemas, func(name, mediaType, at string, content map[string]any) {
		schema, err := schemas.At(at + "/schema")
		if err != nil {
			t.Errorf("%s: %s: %v", name, mediaType, err)
			return
		}
		examples := object(content["examples"])
		if len(examples) == 0 {
			t.Errorf("%s: %s has no examples", name, mediaType)
		}
		for key := range examples {
			example := object(schemas.Value(at + "/examples/" + key))
			if s, _ := example["summary"].(string); s == "" {
				t.Errorf("%s: the example %s has no summary", name, key)
			}
			if err := schema.Validate(example["value"]); err != nil {
				t.Errorf("%s: the example %s: %v", name, key, err)
			}
			checked++
		}
	})
	if checked < 400 {
		t.Errorf("%d examples were checked, want at least 400", checked)
	}
}

func TestEverySchemaCompiles(t *testing.T) {
	t.Parallel()
	doc, schemas := document(t)
	for name := range object(raw(doc, "/components/schemas")) {
		if _, err := schemas.At("/components/schemas/" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, o := range operations(doc) {
		list, _ := o.object["parameters"].([]any)
		for _, p := range list {
			if object(p)["$ref"] == nil && object(p)["schema"] == nil {
				t.Errorf("%s: the parameter %v has no schema", o.id(), object(p)["name"])
			}
		}
	}
}

func TestEveryObjectSaysWhetherItMayHoldMore(t *testing.T) {
	t.Parallel()
	doc, _ := document(t)
	walk("/components/schemas", raw(doc, "/components/schemas"), func(at string, v any) {
		schema := object(v)
		kinds, isList := schema["type"].([]any)
		if schema["type"] != "object" && !(isList && slices.Contains(kinds, any("object"))) {
			return
		}
		if _, ok := schema["additionalProperties"]; !ok {
			t.Errorf("%s does not say whether it may hold more", at)
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if object(schema["properties"])[name.(string)] == nil {
				t.Errorf("%s requires %v, which it does not have", at, name)
			}
		}
	})
}

func TestTheCodesOfErrorsAreThoseOfTheProductWithTheirStatus(t *testing.T) {
	t.Parallel()
	doc, schemas := document(t)
	var want []string
	for _, c := range fault.Codes() {
		want = append(want, string(c))
	}
	var got []string
	listed, _ := schemas.Value("/components/schemas/ErrorCode/enum").([]any)
	for _, c := range listed {
		got = append(got, c.(string))
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("codes (-the product's +the document's):\n%s", diff)
	}
	contents(t, doc, schemas, func(name, _, at string, content map[string]any) {
		_, status, _ := strings.Cut(name, " ")
		for key := range object(content["examples"]) {
			code, ok := object(raw(schemas.Value(at+"/examples/"+key), "/value/error"))["code"].(string)
			if !ok {
				continue
			}
			if got := fault.Code(code).Status(); status != jsonNumber(got) {
				t.Errorf("%s: the example %s has the code %s, which goes with %d", name, key, code, got)
			}
		}
	})
}

func jsonNumber(n int) string { b, _ := json.Marshal(n); return string(b) }

// widening are the members of bodies by which a person, or a key, may come to do more than before: an operation whose
// body has one is a door for the grant rule. harmless are the others. A new member must be put into one of the two.
var (
	widening = []string{
		"permissions", "roleId", "scopes", "owner", "isActive", "expiresAt", "rateLimit", "requestsPerMinute",
		"requestsPerDay", "allowedIps", "environment", "permissionMode", "settings", "selfRotation", "overlapSeconds",
		"sha256", "digest", "generate", "workspaceIds", "environments", "removalId", "createMember", "capabilities",
		"overrides", "keys",
		"ceiling", "expiresInSeconds", "followerModes", "url", "events",
	}
	harmless = []string{
		"name",
		"description",
		"metadata",
		"email",
		"displayName",
		"workspaceId",
		"userId",
		"apiKeys",
		"id",
		"ids",
		"maskedKey",
		"defaultRateLimit",
		"maxKeyLifetimeSeconds",
		"requireExpiry",
		"code",
		"root",
		"token",
		"token_type_hint",
		"rehash",
		"algorithm",
		"value",
		"encoding",
		"secret",
		"maxKeys",
		"maxMembers",
		"maxRoles",
		"maxEventsPerDay",
		"ceilingPerKey",
		// Of a portal session: the first two bound what it grants, and the others say where it is shown, and how.
		"maxLifetimeSeconds",
		"requireAllowedIps",
		"allowedOrigins",
		"reveal",
		"locale",
		"theme",
		"returnUrl",
		"label",
		"clientSecret",
	}
)

// T3, T97: every door through which permissions can flow, or by which a key may do more, is marked, so that the suite
// of doors finds it.
func TestT3T97EveryOperationWhoseBodyCarriesAuthorityIsMarked(t *testing.T) {
	t.Parallel()
	doc, schemas := document(t)
	// A demand is no grant, and a workspace's plan bounds its keys and lifts none beyond its own limits. A follower
	// takes of limits, and tells of uses.
	asks := []string{
		"verifyApiKey", "verifyApiKeys", "introspectToken", "revokeToken", "putPlan", "leaseMinutes", "reserveDays",
		"reportUses",
	}
	known := map[string]bool{}
	for _, o := range operations(doc) {
		carries := ""
		visited := map[string]bool{}
		var look func(v any)
		look = func(v any) {
			walk("", v, func(_ string, v any) {
				for name := range object(object(v)["properties"]) {
					known[name] = true
					if slices.Contains(widening, name) {
						carries = name
					}
					if !slices.Contains(asks, o.id()) && !slices.Contains(widening, name) && !slices.Contains(harmless, name) {
						t.Errorf("the body of %s has %s, which is in neither list here", o.id(), name)
					}
				}
				if ref, ok := object(v)["$ref"].(string); ok && !visited[ref] {
					visited[ref] = true
					look(schemas.Value(strings.TrimPrefix(ref, "#")))
				}
			})
		}
		look(o.object["requestBody"])
		grants, _ := o.object["x-grants"].(bool)
		if carries != "" && !grants && !slices.Contains(asks, o.id()) {
			t.Errorf("%s carries authority in its body (%s) and is not marked x-grants", o.id(), carries)
		}
	}
	for _, name := range slices.Concat(widening, harmless) {
		if !known[name] {
			t.Errorf("no body has %s", name)
		}
	}
	for _, id := range []string{"updateApiKeys", "rotateApiKey", "rotateSelf", "removeMember", "updateWorkspace"} {
		i := slices.IndexFunc(operations(doc), func(o operation) bool { return o.id() == id })
		if grants, _ := operations(doc)[i].object["x-grants"].(bool); !grants {
			t.Errorf("%s is not marked x-grants", id)
		}
	}
}

func TestNoKeyInTheDocumentIsGood(t *testing.T) {
	t.Parallel()
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(format.Pattern()).FindAllString(string(api.YAML()), -1)
	if len(found) == 0 {
		t.Fatal("no example of a key was found")
	}
	for _, key := range found {
		if _, ok := format.Parse(key); ok {
			t.Errorf("%s has a right checksum", key)
		}
	}
}

func TestTheJSONKeepsTheOrderOfTheSource(t *testing.T) {
	t.Parallel()
	source, err := api.JSON()
	if err != nil {
		t.Fatal(err)
	}
	last := -1
	for _, name := range []string{`{"openapi":"3.1.1"`, `"info":{`, `"servers":`, `"paths":{`,
		`"/api/v2/api-keys":{"post":`, `"/healthz":`, `"components":{`} {
		at := bytes.Index(source, []byte(name))
		if at <= last {
			t.Errorf("%s stands at %d, want after %d", name, at, last)
		}
		last = at
	}
	if !json.Valid(source) {
		t.Error("not JSON")
	}
}
