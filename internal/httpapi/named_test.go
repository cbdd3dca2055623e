package httpapi_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keyward/keyward/api"
)

// nowhere are the operations that belong to no workspace, or take the demand for one in their body: in the query
// they refuse it by name.
var nowhere = []string{
	"verifyApiKey", "verifyApiKeys", "introspectToken", "revokeToken", "createWorkspace", "getUsage",
	"getUsageByWorkspace", "getInstallation",
	"listInstallationRefusals", "listNodes", "createServiceKey", "listServiceKeys", "startSession", "readFeed",
	"readFeedSnapshot", "leaseMinutes", "reserveDays", "reportUses", "exchangePortalSession", "renewPortalSession",
}

// request is one that the root can do, or the caller in by.
type request struct {
	on, body, by string
	roams        bool // names no object, so that workspaceId alone says where
	demands      bool // takes workspaceId as a demand on the object: another's is the verdict NOT_FOUND
	bare         bool // without workspaceId
}

// ask does the request in a workspace of its own, under the name of another one if that is given. The state may
// change only under its own name.
func (op request) ask(h *house, other string) answer {
	h.t.Helper()
	n, key := h.settle("u-ann", "u-alan")
	free := h.do("POST", "/api/v2/workspaces/"+n.ws+"/roles", h.root, `{"name":"Free","permissions":[]}`).
		want(201).
		text("data.result.role.id")
	bound := h.do("POST", "/api/v2/service-keys", h.root, `{"name":"s","scopes":["verify"],"workspaceIds":["`+n.ws+`"]}`).
		want(201).text("data.result.serviceKey.id")
	code := h.do("POST", "/api/v2/sign-in-links", h.root, `{"workspaceId":"`+n.ws+`","userId":"`+n.user+`"}`).
		want(201).text("data.result.signInLink.code")
	session := h.do("POST", "/api/v2/sessions", "", `{"code":"`+code+`"}`).want(201).text("data.result.session.id")
	portal := h.do(
		"POST", "/api/v2/portal-sessions", h.root,
		`{"workspaceId":"`+n.ws+`","userId":"u-ann","capabilities":["keys:read"],"allowedOrigins":[]}`,
	).
		want(201).
		text("data.result.portalSession.id")
	fill := func(text string) string {
		return strings.NewReplacer("{free}", free, "{bound}", bound, "{session}", session, "{portal}", portal).
			Replace(n.in(text))
	}
	method, path, _ := strings.Cut(fill(op.on), " ")
	named := "?workspaceId="
	if strings.Contains(path, "?") {
		named = "&workspaceId="
	}
	caller := h.root
	if op.by == "key" {
		caller = key
	}
	named += cmp.Or(other, n.ws)
	if op.bare {
		named = ""
	}
	before := h.shown(n)
	kind := header("X-Nothing", "")
	if strings.HasPrefix(op.body, "token=") {
		kind = func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }
	}
	a := h.do(method, "/api/v2"+path+named, caller, fill(op.body), kind)
	if other != "" && h.shown(n) != before {
		h.t.Errorf("%s under another workspace's name changed something: %s", op.on, a.Body)
	}
	return a
}

// naming are requests by their operation: each can be done as it stands, once, in the workspace {ws}.
var naming = map[string]request{
	"createApiKey":  {on: "POST /api-keys", body: `{"userId":"{user}","name":"a","permissions":[]}`},
	"listApiKeys":   {on: "GET /api-keys", by: "key"},
	"updateApiKeys": {on: "PUT /api-keys", body: `{"apiKeys":[{"id":"{key}","name":"b"}]}`},
	"deleteApiKeys": {on: "DELETE /api-keys", body: `{"ids":["{key}"]}`},
	"getSelf":       {on: "GET /api-keys/self", by: "key"},
	"importApiKeys": {
		on: "POST /api-keys/import", body: `{"apiKeys":[{"userId":"{user}","name":"a","generate":true}]}`,
	},
	"getApiKey":                {on: "GET /api-keys/{key}"},
	"deleteApiKey":             {on: "DELETE /api-keys/{key}"},
	"rotateSelf":               {on: "POST /api-keys/self/rotate", body: `{"overlapSeconds":60}`, by: "key"},
	"rotateApiKey":             {on: "POST /api-keys/{key}/rotate", body: `{}`},
	"getMe":                    {on: "GET /me", by: "key"},
	"listPermissions":          {on: "GET /permissions", by: "key"},
	"explainApiKey":            {on: "GET /api-keys/{key}/explain", demands: true},
	"listApiKeyRefusals":       {on: "GET /api-keys/{key}/refusals"},
	"listRefusals":             {on: "GET /workspaces/{ws}/refusals"},
	"getApiKeyLimits":          {on: "GET /api-keys/{key}/limits"},
	"getApiKeyUsage":           {on: "GET /api-keys/{key}/usage"},
	"getApiKeyPermissionUsage": {on: "GET /api-keys/{key}/usage/permissions"},
	"verifyApiKey":             {on: "POST /api-keys/verify", body: `{"key":"x"}`},
	"verifyApiKeys":            {on: "POST /api-keys/verify-batch", body: `{"items":[{"key":"x"}]}`},
	"introspectToken":          {on: "POST /oauth2/introspect", body: `token=x`},
	"revokeToken":              {on: "POST /oauth2/revoke", body: `token=x`},
	"createWorkspace": {on: "POST /workspaces",
		body: `{"name":"W","owner":{"userId":"u","email":"o@example.com"}}`},
	"listWorkspaces":     {on: "GET /workspaces", by: "key"},
	"getWorkspace":       {on: "GET /workspaces/{ws}"},
	"updateWorkspace":    {on: "PATCH /workspaces/{ws}", body: `{"name":"V"}`},
	"deleteWorkspace":    {on: "DELETE /workspaces/{ws}"},
	"listMembers":        {on: "GET /workspaces/{ws}/members"},
	"getMember":          {on: "GET /workspaces/{ws}/members/{user}"},
	"putMember":          {on: "PUT /workspaces/{ws}/members/new", body: `{"email":"n@example.com","roleId":"{role}"}`},
	"updateMember":       {on: "PATCH /workspaces/{ws}/members/{user}", body: `{"email":"n@example.com"}`},
	"removeMember":       {on: "DELETE /workspaces/{ws}/members/{user}", body: `{}`},
	"restoreMember":      {on: "POST /workspaces/{ws}/members/{gone}/restore", body: `{"removalId":"{removal}"}`},
	"inviteMember":       {on: "POST /workspaces/{ws}/members/u-ann/invitation"},
	"resetSignIn":        {on: "POST /workspaces/{ws}/members/{user}/sign-in-reset"},
	"createRole":         {on: "POST /workspaces/{ws}/roles", body: `{"name":"R","permissions":[]}`},
	"listRoles":          {on: "GET /workspaces/{ws}/roles"},
	"getRole":            {on: "GET /workspaces/{ws}/roles/{role}"},
	"updateRole":         {on: "PATCH /workspaces/{ws}/roles/{role}", body: `{"permissions":[]}`},
	"deleteRole":         {on: "DELETE /workspaces/{ws}/roles/{free}"},
	"putPlan":            {on: "PUT /workspaces/{ws}/plan", body: `{"maxKeys":1000}`},
	"getWorkspaceLimits": {on: "GET /workspaces/{ws}/limits"},
	"getWorkspaceUsage":  {on: "GET /workspaces/{ws}/usage"},
	"listLogs":           {on: "GET /workspaces/logs", by: "key"},
	"getUsage":           {on: "GET /usage"},

	"getWorkspacePermissionUsage": {on: "GET /workspaces/{ws}/usage/permissions"},
	"getUsageByWorkspace":         {on: "GET /usage/workspaces"},
	"getInstallation":             {on: "GET /installation"},

	"listInstallationRefusals": {on: "GET /refusals"},
	"createServiceKey":         {on: "POST /service-keys", body: `{"name":"s","scopes":["verify"]}`},
	"listServiceKeys":          {on: "GET /service-keys"},
	"deleteServiceKey":         {on: "DELETE /service-keys/{bound}"},
	"listNodes":                {on: "GET /nodes"},
	"readFeed":                 {on: "GET /feed?leaving=true"},
	"readFeedSnapshot":         {on: "GET /feed/snapshot"},
	"leaseMinutes": {
		on: "POST /feed/leases", body: `{"incarnation":"i","leases":[{"number":1,"keyId":"{key}","minute":{}}]}`,
	},
	"reserveDays": {
		on: "POST /feed/days", body: `{"incarnation":"i","number":1,"claims":[{"accountId":"{key}","day":"2026-01-01"}]}`,
	},
	"reportUses":       {on: "POST /feed/usage", body: `{"incarnation":"i","number":1}`},
	"createSignInLink": {on: "POST /sign-in-links", body: `{"userId":"{user}"}`},
	"startSession":     {on: "POST /sessions", body: `{"code":"x"}`},
	"listSessions":     {on: "GET /sessions", roams: true},
	"endSessions":      {on: "DELETE /sessions?userId={user}", roams: true},
	"endSession":       {on: "DELETE /sessions/{session}"},

	"requestApiKey":         {on: "POST /key-requests", body: `{"userId":"{user}","name":"a","permissions":[]}`},
	"requestApiKeyRotation": {on: "POST /api-keys/{key}/key-requests", body: `{}`},
	"listKeyRequests":       {on: "GET /key-requests", by: "key"},
	"getKeyRequest":         {on: "GET /key-requests/{request}"},
	"declineKeyRequest":     {on: "DELETE /key-requests/{request}"},

	"createWebhook":         {on: "POST /webhooks", body: `{"url":"https://example.com"}`, roams: true},
	"listWebhooks":          {on: "GET /webhooks", roams: true},
	"getWebhook":            {on: "GET /webhooks/{hook}"},
	"updateWebhook":         {on: "PATCH /webhooks/{hook}", body: `{"description":"d"}`},
	"deleteWebhook":         {on: "DELETE /webhooks/{hook}"},
	"rotateWebhookSecret":   {on: "POST /webhooks/{hook}/rotate-secret", body: `{}`},
	"testWebhook":           {on: "POST /webhooks/{hook}/test"},
	"listWebhookDeliveries": {on: "GET /webhooks/{hook}/deliveries"},
	"replayWebhookDelivery": {on: "POST /webhooks/{hook}/deliveries/{delivery}/replay"},

	"createPortalSession": {
		on: "POST /portal-sessions", body: `{"userId":"u-ann","capabilities":["keys:read"],"allowedOrigins":[]}`,
	},
	"listPortalSessions":    {on: "GET /portal-sessions", roams: true},
	"endPortalSessions":     {on: "DELETE /portal-sessions?userId=u-ann", roams: true},
	"getPortalSession":      {on: "GET /portal-sessions/{portal}"},
	"endPortalSession":      {on: "DELETE /portal-sessions/{portal}"},
	"exchangePortalSession": {on: "POST /portal-sessions/exchange", body: `{"clientSecret":"x"}`},
	"renewPortalSession":    {on: "POST /portal-sessions/{portal}/renew"},
}

var queryNamed = regexp.MustCompile(
	`components/parameters/WorkspaceIdQuery|"in":"query","name":"workspaceId"|"name":"workspaceId","in":"query"`,
)

// documented are the operations of the API's own document, by name, each with whether it says that it takes
// workspaceId in its query.
func documented(t *testing.T) map[string]bool {
	t.Helper()
	source, err := api.JSON()
	must(t, err)
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	must(t, json.Unmarshal(source, &doc))
	all := map[string]bool{}
	for path, item := range doc.Paths {
		for method, raw := range item {
			var op struct{ OperationID string }
			if method == "parameters" || !strings.HasPrefix(path, "/api/v2/") {
				continue
			}
			must(t, json.Unmarshal(raw, &op))
			all[op.OperationID] = queryNamed.Match(raw)
		}
	}
	return all
}

// Every operation of the document takes workspaceId beside all else: as its object's own it changes nothing, and as
// another's the answer is 404, for each item of a bulk operation, and nothing happens. The few that belong to no
// workspace refuse it by name.
func TestT7EveryOperationTakesAWorkspaceOrRefusesItByName(t *testing.T) {
	t.Parallel()
	h := open(t)
	theirs, _ := h.settle("u-eve", "u-edgar")
	all := documented(t)
	if len(all) < 40 {
		t.Fatalf("%d operations", len(all))
	}
	for name, takes := range all {
		op, known := naming[name]
		switch {
		case !known:
			t.Errorf("%s has no request in the table", name)
		case takes == slices.Contains(nowhere, name):
			t.Errorf("%s: the document says that it takes workspaceId: %t", name, takes)
		case !takes:
			op.ask(h, theirs.ws).refused(http.StatusBadRequest, "invalid_request", "workspaceId")
		default:
			for _, other := range []string{theirs.ws, "00000000-0000-7000-8000-000000000000", "x"} {
				if op.roams && other == theirs.ws {
					continue // the root works in that one, too
				}
				a, want := op.ask(h, other), "not_found"
				switch {
				case op.demands && other == "x":
					want = `"field":"workspaceId"`
				case op.demands:
					want = `"verdict":"NOT_FOUND"`
				}
				if !strings.Contains(a.Body.String(), want) {
					t.Errorf("%s with another workspace, %s: %d %s", name, other, a.Code, a.Body)
				}
			}
			if a := op.ask(h, ""); a.Code >= 300 {
				t.Errorf("%s with its own workspace: %d %s", name, a.Code, a.Body)
			}
		}
	}
}
