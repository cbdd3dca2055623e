package httpapi_test

import (
	"regexp"
	"strings"
	"testing"
)

func TestAKeyLivesFromCreationToDeletion(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	name, value := h.key(
		ws, `,"permissions":["calls:read"],"metadata":{"a":"<b>"},"rateLimit":{"requestsPerMinute":60,"requestsPerDay":null}`,
	)
	if got := h.code(value, `,"permissions":["calls:read"]`); got != "VALID" {
		t.Fatalf("a new key is %s", got)
	}
	shown := h.do("GET", "/api/v2/api-keys/"+name, h.root, "").want(200)
	if masked := shown.text("data.result.apiKey.key"); masked == value || !strings.Contains(masked, "…") {
		t.Errorf("the key is shown as %s", masked)
	}

	rotated := h.do("POST", "/api/v2/api-keys/"+name+"/rotate", h.root, `{"overlapSeconds":60}`).want(200)
	next := rotated.text("data.result.key")
	if rotated.text("data.result.apiKey.key") != next || rotated.text("data.result.revocation.effective") != "everywhere" {
		t.Errorf("a rotation answers %s", rotated.Body)
	}
	if h.code(value, "") != "VALID" || h.code(next, "") != "VALID" {
		t.Error("both values work during the overlap")
	}
	if got := h.do("GET", "/api/v2/api-keys/"+name, h.root,
		"").text("data.result.apiKey.previousKeys.0.key"); strings.Contains(
		got, value,
	) {
		t.Errorf("an earlier value is shown as %s", got)
	}
	h.do("POST", "/api/v2/api-keys/"+name+"/rotate?wait=all", h.root, "").want(200)
	if h.code(value, "") != "NOT_FOUND" || h.code(next, "") != "NOT_FOUND" {
		t.Error("a rotation without an overlap ends every earlier value")
	}

	h.do("PUT", "/api/v2/api-keys", h.root, `{"apiKeys":[{"id":"`+name+`","isActive":false,"metadata":null}]}`).want(200)
	deleted := h.do("DELETE", "/api/v2/api-keys/"+name, h.root, "").want(200)
	if deleted.text("data.result.deleted.0") != name || deleted.text("data.result.revocation.deadline") == "" {
		t.Errorf("a deletion answers %s", deleted.Body)
	}
	h.do("GET", "/api/v2/api-keys/"+name, h.root, "").refused(404, "not_found", "")
}

func TestTheMembersOfAKeyStandInTheContractsOrder(t *testing.T) {
	t.Parallel()
	h := open(t)
	name, _ := h.key(h.workspace(), `,"metadata":{"z":1,"a":"<&>"},"expiresAt":"2100-01-02"`)
	body := h.do("GET", "/api/v2/api-keys/"+name, h.root, "").want(200).Body.String()
	form := regexp.MustCompile(
		`^{"success":true,"data":{"message":"[^"]+","result":{"apiKey":{"id":"[^"]+","key":"[^"]+","workspaceId":"[^"]+",` +
			`"userId":"u-owner","name":"a key","isActive":true,"createdAt":"[-0-9]{10}T[:0-9]{8}\.[0-9]{3}Z","updatedAt":"[^"]+","lastUsedAt":null,` +
			`"expiresAt":"2100-01-02T00:00:00.000Z","rateLimit":{"requestsPerMinute":null,"requestsPerDay":null},"permissions":\[[^]]+\],` +
			`"creator":{"id":"u-owner","email":"owner@example.com","displayName":null},"environment":"live","description":null,` +
			`"metadata":{"z":1,"a":"<&>"},"allowedIps":\[\],"previousKeys":\[\],"disabledBy":null,"disabledAt":null}}}}$`,
	)
	if !form.MatchString(body) {
		t.Error(body)
	}
}

func TestItemsOfABulkUpdateStandAlone(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	one, _ := h.key(ws, "")
	two, _ := h.key(ws, "")
	a := h.do(
		"PUT", "/api/v2/api-keys", h.root,
		`{"apiKeys":[{"id":"`+one+`","name":"renamed"},{"id":"`+two+`","permissions":null},{"id":"nobody"}]}`,
	).
		want(200)
	if a.text("data.result.updated.0.name") != "renamed" || a.text("data.result.errors.0.error") != "invalid_request" ||
		a.text(
			"data.result.errors.0.details.0.field",
		) != "permissions" || a.text("data.result.errors.1.error") != "not_found" {
		t.Error(a.Body)
	}
	h.do("PUT", "/api/v2/api-keys", h.root, `{"apiKeys":[{"id":"`+one+`","foo":1}]}`).
		refused(400, "invalid_request", "apiKeys[0].foo")
	h.do("PUT", "/api/v2/api-keys", h.root, `{"apiKeys":[]}`).refused(400, "invalid_request", "apiKeys")
	h.do("PUT", "/api/v2/api-keys", h.root, `{"apiKeys":[{"id":"`+one+`","name":null}]}`).
		refused(400, "invalid_request", "apiKeys[0].name")
	many := `{"ids":["a"` + strings.Repeat(`,"a"`, 100) + `]}`
	h.do("DELETE", "/api/v2/api-keys", h.root, many).refused(400, "invalid_request", "ids")
}

func TestT19AReplayedCreationShowsTheSameValueToItsCredential(t *testing.T) {
	t.Parallel()
	h := open(t)
	body := `{"workspaceId":"` + h.workspace() + `","userId":"u-owner","name":"n"}`
	first := h.do("POST", "/api/v2/api-keys", h.root, body, header("Idempotency-Key", "x1")).want(201)
	again := h.do("POST", "/api/v2/api-keys", h.root, body, header("Idempotency-Key", "x1")).want(201)
	if first.text("data.result.apiKey.id") != again.text("data.result.apiKey.id") ||
		again.text("data.result.key") != first.text("data.result.key") ||
		again.text("data.result.apiKey.key") != first.text("data.result.key") {
		t.Error(again.Body)
	}
	h.do("POST", "/api/v2/api-keys", h.root, strings.Replace(body, `"n"`, `"m"`, 1), header("Idempotency-Key", "x1")).
		refused(409, "conflict", "Idempotency-Key")
	h.do("POST", "/api/v2/api-keys", h.root, body, header("Idempotency-Key", "a b")).
		refused(400, "invalid_request", "Idempotency-Key")
	h.do("POST", "/api/v2/api-keys", h.root, body, header("Idempotency-Key", "")).
		refused(400, "invalid_request", "Idempotency-Key")
	h.do("POST", "/api/v2/api-keys", h.root, body, header("Idempotency-Key", "x"), header("Idempotency-Key", "y")).
		refused(400, "invalid_request", "Idempotency-Key")
}

func TestAKeyOfTheWorkspaceWorksInItAndNowhereElse(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws, other := h.workspace(), h.workspace()
	_, value := h.key(ws, "")
	self := h.do("GET", "/api/v2/api-keys/self", value, "").want(200)
	if got := self.text("data.result.apiKey.workspaceId"); got != ws {
		t.Error(got)
	}
	name := h.do("GET", "/api/v2/workspaces/"+ws, value, "").want(200).text("data.result.workspace.name")
	if got := self.text("data.result.apiKey.workspaceName"); got != name || name == "" {
		t.Errorf("its workspace is called %q, want %q", got, name)
	}
	h.do("GET", "/api/v2/workspaces/"+ws, value, "").want(200)
	h.do("GET", "/api/v2/workspaces/"+other, value, "").refused(404, "not_found", "")
	h.do("GET", "/api/v2/api-keys?workspaceId="+other, value, "").refused(404, "not_found", "")
	h.do("GET", "/api/v2/api-keys", h.root, "").refused(400, "invalid_request", "workspaceId")
	h.do("GET", "/api/v2/service-keys", value, "").refused(403, "permission_denied", "scope")
	if got := h.do("GET", "/api/v2/permissions", value,
		"").want(200).text("data.result.permissions.0.name"); got != "agents:read" {
		t.Error(got)
	}
}

func TestKeysAreTakenInOneByOne(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.do("POST", "/api/v2/api-keys/import", h.root, `{"workspaceId":"`+h.workspace()+`","apiKeys":[{"userId":"u-owner","name":"new","generate":true},`+
		`{"userId":"u-owner","name":"old","sha256":"`+strings.Repeat("ab", 32)+`"},{"userId":"u-owner","name":"x","generate":true,"permissions":["no:such"]}]}`).
		want(201)
	if a.text("data.result.imported.0.key") == "" || a.at("data.result.imported.1.key") != nil ||
		a.at("data.result.errors.0.index") != 2.0 || a.text("data.result.errors.0.details.0.field") != "permissions[0]" {
		t.Error(a.Body)
	}
}
