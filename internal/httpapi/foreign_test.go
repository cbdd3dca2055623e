package httpapi_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward/api"
)

// names are the objects of one workspace in requests.
type names struct{ ws, key, role, user, removal, request, hook, delivery string }

func (n names) in(text string) string {
	return strings.NewReplacer("{ws}", n.ws, "{key}", n.key, "{role}", n.role, "{user}", n.user, "{gone}", "u-gone",
		"{removal}", n.removal,
		"{request}", n.request, "{hook}", n.hook, "{delivery}", n.delivery).Replace(text)
}

// settle makes a workspace with an owner, a member, one who was removed, a role,
// a key and a request for one; value is a key of the owner's that holds
// everything.
func (h *house) settle(owner, member string) (n names, value string) {
	h.t.Helper()
	n.user = member
	n.ws = h.do(
		"POST", "/api/v2/workspaces", h.root, `{"name":"W","owner":{"userId":"`+owner+`","email":"o@example.com"}}`,
	).
		want(201).
		text("data.result.workspace.id")
	n.role = h.do("POST", "/api/v2/workspaces/"+n.ws+"/roles", h.root, `{"name":"Reader","permissions":["calls:read"]}`).
		want(201).text("data.result.role.id")
	h.do("PUT", "/api/v2/workspaces/"+n.ws+"/members/"+member, h.root, `{"email":"m@example.com","roleId":"`+n.role+`"}`).
		want(201)
	left := "/api/v2/workspaces/" + n.ws + "/members/u-gone"
	h.do("PUT", left, h.root, `{"email":"g@example.com","roleId":"`+n.role+`"}`).want(201)
	n.removal = h.do("DELETE", left, h.root, "").want(200).text("data.result.removalId")
	for _, user := range []string{owner, member} {
		a := h.do("POST", "/api/v2/api-keys", h.root, `{"workspaceId":"`+n.ws+`","userId":"`+user+`","name":"a key"}`).
			want(201)
		if user == owner {
			value = a.text("data.result.key")
		} else {
			n.key = a.text("data.result.apiKey.id")
		}
	}
	asked := `{"workspaceId":"` + n.ws + `","userId":"` + owner + `","name":"asked","permissions":[]}`
	n.request = h.do("POST", "/api/v2/key-requests", h.root, asked).want(201).text("data.result.keyRequest.id")
	n.hook = h.do("POST", "/api/v2/webhooks", h.root, `{"workspaceId":"`+n.ws+`","url":"https://example.com"}`).want(201).
		text("data.result.webhook.id")
	n.delivery = h.do("POST", "/api/v2/webhooks/"+n.hook+"/test", h.root, "").want(201).text("data.result.delivery.id")
	for _, on := range []string{"false", "true"} { // the delivery fails
		h.do("PATCH", "/api/v2/webhooks/"+n.hook, h.root, `{"isActive":`+on+`}`).want(200)
	}
	return n, value
}

// shown is all that the root sees of a workspace.
func (h *house) shown(n names) string {
	var all strings.Builder
	for _, path := range []string{"/workspaces/{ws}", "/workspaces/{ws}/members", "/workspaces/{ws}/roles",
		"/api-keys?workspaceId={ws}",
		"/workspaces/logs?workspaceId={ws}&limit=100", "/key-requests/{request}",
		"/webhooks/{hook}", "/webhooks/{hook}/deliveries"} {
		all.WriteString(h.do("GET", "/api/v2"+n.in(path), h.root, "").want(200).Body.String() + "\n")
	}
	return all.String()
}

// foreign are the operations that name something of a workspace, each with everything that it can name.
var foreign = []struct{ on, query, body string }{
	{on: "POST /api-keys", body: `{"workspaceId":"{ws}","userId":"{user}","name":"a","permissions":["calls:read"]}`},
	{on: "GET /api-keys", query: "?workspaceId={ws}&userId={user}"},
	{on: "PUT /api-keys", body: `{"apiKeys":[{"id":"{key}","name":"mine now"}]}`},
	{on: "DELETE /api-keys", body: `{"ids":["{key}"]}`},
	{on: "GET /api-keys/{key}"},
	{on: "DELETE /api-keys/{key}"},
	{on: "POST /api-keys/{key}/rotate", body: `{}`},
	{on: "GET /api-keys/{key}/limits"},
	{on: "GET /api-keys/{key}/usage"},
	{on: "GET /api-keys/{key}/usage/permissions"},
	{on: "GET /api-keys/{key}/explain"},
	{on: "GET /api-keys/{key}/refusals"},
	{on: "POST /key-requests", body: `{"workspaceId":"{ws}","userId":"{user}","name":"a","permissions":["calls:read"]}`},
	{on: "POST /api-keys/{key}/key-requests", body: `{}`},
	{on: "GET /key-requests", query: "?workspaceId={ws}"},
	{on: "GET /key-requests/{request}"},
	{on: "DELETE /key-requests/{request}"},
	{on: "POST /webhooks", body: `{"workspaceId":"{ws}","url":"https://example.com"}`},
	{on: "GET /webhooks", query: "?workspaceId={ws}"},
	{on: "GET /webhooks/{hook}"},
	{on: "PATCH /webhooks/{hook}", body: `{"url":"https://example.org"}`},
	{on: "DELETE /webhooks/{hook}"},
	{on: "POST /webhooks/{hook}/rotate-secret", body: `{}`},
	{on: "POST /webhooks/{hook}/test"},
	{on: "GET /webhooks/{hook}/deliveries"},
	{on: "POST /webhooks/{hook}/deliveries/{delivery}/replay"},
	{on: "GET /workspaces/{ws}/refusals"},
	{on: "GET /workspaces/{ws}"},
	{on: "PATCH /workspaces/{ws}", body: `{"name":"mine now"}`},
	{on: "PUT /workspaces/{ws}/plan", body: `{"maxKeys":1}`},
	{on: "DELETE /workspaces/{ws}"},
	{on: "GET /workspaces/{ws}/limits"},
	{on: "GET /workspaces/{ws}/usage"},
	{on: "GET /workspaces/{ws}/usage/permissions"},
	{on: "GET /workspaces/{ws}/members"},
	{on: "GET /workspaces/{ws}/members/{user}"},
	{on: "PUT /workspaces/{ws}/members/new", body: `{"email":"n@example.com","roleId":"{role}"}`},
	{on: "PATCH /workspaces/{ws}/members/{user}", body: `{"roleId":"{role}"}`},
	{on: "DELETE /workspaces/{ws}/members/{user}"},
	{on: "DELETE /workspaces/{ws}/members/{user}", query: "?keys=transfer:{user}"},
	{on: "POST /workspaces/{ws}/members/{user}/invitation"},
	{on: "POST /workspaces/{ws}/members/{user}/sign-in-reset"},
	{on: "POST /workspaces/{ws}/members/{gone}/restore", body: `{"removalId":"{removal}"}`},
	{on: "POST /workspaces/{ws}/roles", body: `{"name":"Mine","permissions":[]}`},
	{on: "GET /workspaces/{ws}/roles"},
	{on: "GET /workspaces/{ws}/roles/{role}"},
	{on: "PATCH /workspaces/{ws}/roles/{role}", body: `{"permissions":[]}`},
	{on: "DELETE /workspaces/{ws}/roles/{role}"},
	{on: "GET /workspaces/logs", query: "?workspaceId={ws}&actorId={user}"},
}

// passing matches the parts that differ between two answers to the same request.
var passing = regexp.MustCompile(`"(requestId|deadline)":"[^"]*"`)

// Every operation with each of its names replaced by another workspace's: the answer is that to an unknown name, and
// over there nothing changes.
func TestT7WhatIsAnotherWorkspacesIsAsIfItWereNot(t *testing.T) {
	t.Parallel()
	h := open(t)
	theirs, _ := h.settle("u-eve", "u-edgar")
	nobody := "00000000-0000-7000-8000-000000000000"
	before := h.shown(theirs)
	swaps := 0
	for _, op := range foreign {
		for _, swap := range []string{"{ws}", "{key}", "{role}", "{user}", "{removal}", "{request}", "{hook}", "{delivery}"} {
			method, path, _ := strings.Cut(op.on, " ")
			if !strings.Contains(path+op.query+op.body, swap) {
				continue
			}
			swaps++
			ours, value := h.settle("u-ann", "u-alan") // anew, since an operation that names its own does what it says
			ask := func(name string) string {
				put := func(text string) string { return ours.in(strings.ReplaceAll(text, swap, name)) }
				a := h.do(method, "/api/v2"+put(path+op.query), value, put(op.body))
				// The name itself stands in many answers: the caller knows it anyhow.
				return passing.ReplaceAllString(strings.ReplaceAll(a.Body.String(), name, swap), "") + " " + a.Result().Status
			}
			name := theirs.in(swap)
			got, want := ask(name), ask(nobody)
			if got != want {
				t.Errorf("%s with %s of another workspace is told apart:\n%s\n%s", op.on, swap, got, want)
			}
			harmless := op.on == "GET /workspaces/logs" || op.on == "GET /api-keys" // a filter that nothing matches
			if !strings.Contains(got, "not_found") && !(harmless && swap == "{user}") {
				t.Errorf("%s with %s of another workspace: %s", op.on, swap, got)
			}
		}
	}
	if after := h.shown(theirs); after != before {
		t.Errorf("the other workspace changed from\n%s\nto\n%s", before, after)
	}
	if swaps < 33 {
		t.Errorf("%d swaps", swaps)
	}
}

// The table above has every operation of the document that names something of a workspace.
func TestT7NoOperationIsForgotten(t *testing.T) {
	t.Parallel()
	source, err := api.JSON()
	must(t, err)
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	must(t, json.Unmarshal(source, &doc))
	tested := map[string]bool{}
	for _, op := range foreign {
		tested[shape(op.on)] = true
	}
	// Of service keys with manage, which are in every workspace, or of the installation; the right to end sessions is
	// tested in sessions_test.go of package control, and that to portal sessions in ceiling_test.go: API keys have
	// none.
	for _, on := range []string{"POST /api-keys/import", "DELETE /service-keys/{id}", "DELETE /sessions/{id}",
		"POST /sign-in-links", "DELETE /sessions",
		"POST /portal-sessions", "GET /portal-sessions", "DELETE /portal-sessions", "GET /portal-sessions/{id}",
		"DELETE /portal-sessions/{id}",
		"POST /portal-sessions/{id}/renew"} {
		tested[shape(on)] = true
	}
	found := 0
	for path, item := range doc.Paths {
		for method, operation := range item {
			on := strings.ToUpper(method) + " " + strings.TrimPrefix(path, "/api/v2")
			names := strings.Contains(path, "{") || regexp.MustCompile(`"(workspaceId|userId|roleId|ids)":\{`).Match(operation)
			if method == "parameters" || !strings.HasPrefix(path, "/api/v2/") || !names {
				continue
			}
			if found++; !tested[shape(on)] {
				t.Errorf("%s names something of a workspace and is not tested with another's", on)
			}
		}
	}
	if found < 20 {
		t.Errorf("%d operations found", found)
	}
}

var parameter = regexp.MustCompile(`\{[^}]*\}|/new$`)

func shape(on string) string {
	return parameter.ReplaceAllStringFunc(on, func(s string) string {
		if strings.HasPrefix(s, "/") {
			return "/{}"
		}
		return "{}"
	})
}
