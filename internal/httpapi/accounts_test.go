package httpapi_test

import (
	"regexp"
	"testing"
)

func TestAWorkspaceItsRolesAndItsMembers(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.workspace()
	at := "/api/v2/workspaces/" + ws
	a := h.do(
		"PATCH", at, h.root,
		`{"name":"New","settings":{"permissionMode":"capped","maxKeyLifetimeSeconds":60,"defaultRateLimit":{"requestsPerMinute":5}}}`,
	).
		want(200)
	form := regexp.MustCompile(
		`"workspace":{"id":"` + ws +
			`","name":"New","isActive":true,"ownerId":"u-owner","createdAt":"[^"]+","updatedAt":"[^"]+",` +
			`"settings":{"permissionMode":"capped","defaultRateLimit":{"requestsPerMinute":5,"requestsPerDay":null},"maxKeyLifetimeSeconds":60,"requireExpiry":false,"selfRotation":"allowed"},` +
			`"plan":{"requestsPerMinute":null,"requestsPerDay":null,"maxKeys":null,"maxMembers":null,"maxRoles":null,"maxEventsPerDay":null}}`,
	)
	if !form.MatchString(a.Body.String()) {
		t.Error(a.Body)
	}
	h.do("PATCH", at, h.root, `{"settings":{"maxKeyLifetimeSeconds":null},"isActive":null}`).
		refused(400, "invalid_request", "isActive")

	role := h.do("POST", at+"/roles", h.root, `{"name":"Caller","permissions":["calls:write","calls:read"]}`).want(201)
	if role.text("data.result.role.permissions.0") != "calls:read" || role.at("data.result.role.description") != nil ||
		role.at("data.result.role.assignable") != true {
		t.Error(role.Body)
	}
	id := role.text("data.result.role.id")
	h.do("POST", at+"/roles", h.root, `{"name":"X"}`).refused(400, "invalid_request", "permissions")
	h.do("POST", at+"/roles", h.root, `{"name":"caller","permissions":[]}`).refused(409, "conflict", "name")
	h.do("GET", at+"/roles/"+id, h.root, "").want(200)
	h.do("PATCH", at+"/roles/"+id, h.root, `{"description":"d","permissions":[]}`).want(200)

	m := h.do("PUT", at+"/members/u2", h.root, `{"email":"u2@example.com","displayName":"U","roleId":"`+id+`"}`).want(201)
	if m.text("data.result.member.roleName") != "Caller" || m.at("data.result.member.keyCount") != 0.0 ||
		m.at("data.result.member.isOwner") != false {
		t.Error(m.Body)
	}
	h.do("DELETE", at+"/roles/"+id, h.root, "").refused(409, "conflict", "roleId")
	if got := h.do("PATCH", at+"/members/u2", h.root,
		`{"displayName":null}`).want(200).at("data.result.member.displayName"); got != nil {
		t.Error(got)
	}
	page := h.do("GET", at+"/members?limit=1", h.root, "").want(200)
	h.do("GET", at+"/members?limit=1&cursor="+page.text("data.result.pagination.nextCursor"), h.root, "").want(200)
	h.do("DELETE", at+"/members/u2?keys=burn", h.root, "").refused(400, "invalid_request", "keys")
	dry := h.do("DELETE", at+"/members/u2?keys=transfer:u-owner&dryRun=true", h.root, "").want(200)
	if dry.text("data.result.removed") != "u2" || dry.at("data.result.keys.stopped") != 0.0 {
		t.Error(dry.Body)
	}
	h.do("GET", at+"/members/u2", h.root, "").want(200)
	h.do("DELETE", at+"/members/u2", h.root, "").want(200)
	h.do("GET", at+"/members/u2", h.root, "").refused(404, "not_found", "")
	h.do("DELETE", at+"/roles/"+id, h.root, "").want(200)

	if got := h.do("DELETE", at, h.root, "").want(200).text("data.result.deleted.0"); got != ws {
		t.Error(got)
	}
	h.do("GET", at, h.root, "").refused(404, "not_found", "")
}

func TestAServiceKeyIsShownOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	made := h.do("POST", "/api/v2/service-keys", h.root, `{"name":"ops","scopes":["manage"],"expiresAt":null}`).want(201)
	value, name := made.text("data.result.key"), made.text("data.result.serviceKey.id")
	form := regexp.MustCompile(
		`"serviceKey":{"id":"[^"]+","name":"ops","scopes":\["manage"\],"key":"kw_svc_....…....","createdAt":"[^"]+","expiresAt":null,"workspaceIds":null,"environments":null,"allowedIps":null,"followerModes":\[\]}`,
	)
	if !form.MatchString(made.Body.String()) {
		t.Error(made.Body)
	}
	h.do("GET", "/api/v2/workspaces", value, "").want(200)
	h.do("GET", "/api/v2/service-keys", value, "").refused(403, "permission_denied", "scope")
	if list := h.do("GET", "/api/v2/service-keys", h.root, "").want(200); list.text(
		"data.result.serviceKeys.0.id",
	) != name {
		t.Error(list.Body)
	}
	h.do("DELETE", "/api/v2/service-keys/"+name, h.root, "").want(200)
	h.do("GET", "/api/v2/workspaces", value, "").refused(401, "unauthenticated", "")
	h.do("POST", "/api/v2/service-keys", h.root, `{"name":"ops","scopes":null}`).refused(400, "invalid_request", "scopes")
}
