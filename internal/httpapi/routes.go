package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/fastpath"
)

// route declares one operation. Everything that is the same for all of them hangs on these words.
type route struct {
	on      string // method and path pattern
	name    string // as in the API's description; also the metrics' label
	message string // the answer's sentence for people
	status  int    // of success, 200 where it is left out
	query   []string
	// parameters that may stand more than once; workspaceId among them is a demand, and names no place to work in
	repeat  []string
	body    body
	secrets []string // where the body may hold a credential: apiKeys[].* is every member of an item
	public  bool     // nobody has to say who they are
	open    bool     // what stands in the query is the page's own
	free    bool     // costs an API key nothing of its limits, and is bounded for each address
	quiet   bool     // asked for by machines every few seconds: logged for debugging only
	holds   bool     // wait is for how long the question may be held
	paced   bool     // a read that bounds by itself how much of it runs at once, and writes while it reads
	data    bool     // asked for with each request of a platform: AccessLog says which have a line
	portal  portalDoor
	// revealing operations answer with a value: a portal session may keep those to the server's own page.
	revealing bool
	serve     endpoint
}

// body is the kind of body that an operation reads.
type body int

const (
	noBody       body = iota // nothing; an empty object is nothing too
	jsonBody                 // one JSON object
	jsonOptional             // one JSON object, or nothing
	formBody                 // a form, where a standard wants it
)

const base = "/api/v2"

func (a *api) routes() []route {
	switch {
	case a.DataPlane:
		return a.hotRoutes()
	case a.Follower:
		return a.followerRoutes()
	}
	all := slices.Concat(
		a.keyRoutes(), a.keyRequestRoutes(), a.hotRoutes(), a.verifyRoutes(), a.workspaceRoutes(), a.memberRoutes(),
		a.invitationRoutes(), a.roleRoutes(), a.sessionRoutes(), a.systemRoutes(), a.feedRoutes(),
		a.followerLimitRoutes(), a.portalRoutes(), a.webhookRoutes(),
	)
	for i := range all {
		if rt := &all[i]; !rt.public && !slices.Contains(installations, rt.name) &&
			!slices.Contains(rt.query, "workspaceId") &&
			!slices.Contains(rt.repeat, "workspaceId") {
			rt.query = append(slices.Clip(rt.query), "workspaceId")
		}
	}
	return all
}

// installations are the operations on objects of no workspace, and those that take workspaceId as a demand in their
// body. They refuse it in the query. Every other one takes it, also beside an id: it must then be the object's.
var installations = []string{
	"verifyApiKey", "verifyApiKeys", "introspectToken", "revokeToken", "createWorkspace", "getUsage",
	"getUsageByWorkspace", "getInstallation",
	"listInstallationRefusals", "listNodes", "createServiceKey", "listServiceKeys", "readFeed", "readFeedSnapshot",
	"leaseMinutes", "reserveDays", "reportUses",
}

var (
	paging          = []string{"limit", "cursor"}
	usageParameters = []string{"granularity", "from", "to"}
)

func (a *api) keyRoutes() []route {
	const keys = base + "/api-keys"
	wait := []string{"wait"}
	return []route{
		{
			on: "POST " + keys, name: "createApiKey", portal: portalToken, revealing: true, status: http.StatusCreated,
			body: jsonBody, message: "API key created", serve: handle(a.createKey),
		},
		{
			on: "GET " + keys, name: "listApiKeys", portal: portalToken, query: listParameters, message: "API keys",
			serve: show(a.listKeys),
		},
		{
			on: "PUT " + keys, name: "updateApiKeys", portal: portalToken, query: wait, body: jsonBody,
			secrets: []string{"apiKeys[].*"}, message: "API keys updated", serve: handle(a.updateKeys),
		},
		{
			on: "DELETE " + keys, name: "deleteApiKeys", portal: portalToken, query: wait, body: jsonBody,
			secrets: []string{"ids[]"}, message: "API keys deleted", serve: handle(a.deleteKeys),
		},
		{on: "GET " + keys + "/self", name: "getSelf", free: true, message: "The API key that calls", serve: show(a.selfKey)},
		{
			on: "POST " + keys + "/import", name: "importApiKeys", status: http.StatusCreated, body: jsonBody,
			secrets: []string{"apiKeys[].*"}, message: "API keys imported", serve: handle(a.importKeys),
		},
		{on: "GET " + keys + "/{id}", name: "getApiKey", portal: portalToken, message: "API key", serve: show(a.getKey)},
		{
			on: "DELETE " + keys + "/{id}", name: "deleteApiKey", portal: portalToken, query: wait, message: "API key deleted",
			serve: show(a.deleteKey),
		},
		{
			on: "POST " + keys + "/self/rotate", name: "rotateSelf", query: wait, body: jsonOptional, message: "API key rotated",
			serve: handle(a.rotateSelf),
		},
		{
			on: "POST " + keys + "/{id}/rotate", name: "rotateApiKey", portal: portalToken, revealing: true, query: wait,
			body: jsonOptional, message: "API key rotated", serve: handle(a.rotateKey),
		},
		{
			on: "GET " + keys + "/{id}/explain", name: "explainApiKey", query: []string{"ip", "environment", "cost"},
			repeat: []string{"permission", "any", "workspaceId"}, message: "What a verification would say, and why",
			serve: show(a.explainKey),
		},
		{
			on: "GET " + keys + "/{id}/refusals", name: "listApiKeyRefusals", portal: portalToken, query: []string{"limit"},
			message: "Latest refusals of the API key", serve: show(a.keyRefusals),
		},
		{
			on: "GET " + keys + "/{id}/limits", name: "getApiKeyLimits", portal: portalToken,
			message: "What is left of the limits of the API key", serve: show(a.keyLimits),
		},
		{
			on: "GET " + keys + "/{id}/usage", name: "getApiKeyUsage", portal: portalToken, query: usageParameters,
			message: "Usage of the API key", serve: show(a.keyUsage),
		},
		{
			on: "GET " + keys + "/{id}/usage/permissions", name: "getApiKeyPermissionUsage",
			message: "Permissions of the API key and their use", serve: show(a.keyPermissions),
		},
		{
			on: "GET " + base + "/me", name: "getMe", portal: portalToken, message: "Who calls, and what they may do",
			serve: show(a.me),
		},
		{
			on: "GET " + base + "/permissions", name: "listPermissions", portal: portalToken, message: "Permissions",
			serve: show(a.listPermissions),
		},
	}
}

// followerRoutes are those of a follower.
func (a *api) followerRoutes() []route {
	list := append(a.hotRoutes(), a.verifyRoutes()...)
	list = append(list, a.systemRoutes()...)
	list = slices.DeleteFunc(list, func(rt route) bool {
		return !rt.data && rt.name != "getHealth" && rt.name != "getReadiness" && rt.name != "getMetrics"
	})
	if a.Feed != nil {
		list = slices.Concat(list, a.feedRoutes(), a.followerLimitRoutes())
	}
	return list
}

// hotRoutes are those of the data plane.
func (a *api) hotRoutes() []route {
	return []route{
		{
			on: "POST " + fastpath.VerifyPath, name: verifyOne.operation, data: true, body: jsonBody, secrets: []string{"key"},
			message: verifyOne.message, serve: handle(a.verify),
		},
		{
			on: "POST " + fastpath.VerifyBatchPath, name: verifyMany.operation, data: true, body: jsonBody,
			secrets: []string{"items[].key"}, message: verifyMany.message, serve: handle(a.verifyBatch),
		},
	}
}

func (a *api) verifyRoutes() []route {
	return []route{
		{on: "POST " + base + "/oauth2/introspect", name: "introspectToken", data: true, body: formBody, serve: a.introspect},
		{on: "POST " + base + "/oauth2/revoke", name: "revokeToken", body: formBody, serve: a.revoke},
	}
}

func (a *api) workspaceRoutes() []route {
	const workspaces = base + "/workspaces"
	logs := []string{
		"workspaceId", "limit", "offset", "cursor", "search", "eventType", "actorId", "sortOrder", "from", "to", "format",
	}
	wait := []string{"wait"}
	return []route{
		{
			on: "POST " + workspaces, name: "createWorkspace", status: http.StatusCreated, body: jsonBody,
			message: "Workspace created", serve: handle(a.createWorkspace),
		},
		{
			on: "GET " + workspaces, name: "listWorkspaces", query: paging, message: "Workspaces", serve: show(a.listWorkspaces),
		},
		{on: "GET " + workspaces + "/{workspaceId}", name: "getWorkspace", message: "Workspace", serve: show(a.getWorkspace)},
		{
			on: "PATCH " + workspaces + "/{workspaceId}", name: "updateWorkspace", query: wait, body: jsonBody,
			message: "Workspace updated", serve: handle(a.updateWorkspace),
		},
		{
			on: "PUT " + workspaces + "/{workspaceId}/plan", name: "putPlan", body: jsonBody, message: "Plan set",
			serve: handle(a.putPlan),
		},
		{
			on: "DELETE " + workspaces + "/{workspaceId}", name: "deleteWorkspace", query: wait, message: "Workspace deleted",
			serve: show(a.deleteWorkspace),
		},
		{
			on: "GET " + workspaces + "/{workspaceId}/usage", name: "getWorkspaceUsage", query: usageParameters,
			message: "Usage of the workspace", serve: show(a.workspaceUsage),
		},
		{
			on: "GET " + workspaces + "/{workspaceId}/limits", name: "getWorkspaceLimits",
			message: "What is left of the limits of the workspace", serve: show(a.workspaceLimits),
		},
		{
			on: "GET " + workspaces + "/{workspaceId}/usage/permissions", name: "getWorkspacePermissionUsage",
			query: []string{"from", "to"}, message: "Usage of the workspace by permission", serve: show(a.workspacePermissions),
		},
		{
			on: "GET " + workspaces + "/{workspaceId}/refusals", name: "listRefusals", query: []string{"limit"},
			message: "Latest refusals in the workspace", serve: show(a.workspaceRefusals),
		},
		{
			on: "GET " + base + "/refusals", name: "listInstallationRefusals", query: []string{"limit"},
			message: "Latest refusals of the installation", serve: show(a.allRefusals),
		},
		{
			on: "GET " + base + "/usage", name: "getUsage", query: usageParameters, message: "Usage of the installation",
			serve: show(a.usage),
		},
		{
			on: "GET " + base + "/usage/workspaces", name: "getUsageByWorkspace",
			query: []string{"granularity", "from", "to", "limit"}, message: "Usage by workspace",
			serve: show(a.usageByWorkspace),
		},
		{
			on: "GET " + workspaces + "/logs", name: "listLogs", portal: portalToken, query: logs, paced: true, message: "Logs",
			serve: a.logs,
		},
	}
}

func (a *api) memberRoutes() []route {
	const members = base + "/workspaces/{workspaceId}/members"
	return []route{
		{on: "GET " + members, name: "listMembers", query: paging, message: "Members", serve: show(a.listMembers)},
		{on: "GET " + members + "/{userId}", name: "getMember", message: "Member", serve: show(a.getMember)},
		{
			on: "PUT " + members + "/{userId}", name: "putMember", body: jsonBody, message: "Member set",
			serve: handle(a.putMember),
		},
		{
			on: "PATCH " + members + "/{userId}", name: "updateMember", body: jsonBody, message: "Member updated",
			serve: handle(a.updateMember),
		},
		{
			on: "DELETE " + members + "/{userId}", name: "removeMember", query: []string{"keys", "reason", "dryRun", "wait"},
			body: jsonOptional, message: "Member removed", serve: handle(a.removeMember),
		},
		{
			on: "POST " + members + "/{userId}/restore", name: "restoreMember", body: jsonBody, message: "Removal undone",
			serve: handle(a.restoreMember),
		},
	}
}

func (a *api) roleRoutes() []route {
	const roles, services = base + "/workspaces/{workspaceId}/roles", base + "/service-keys"
	return []route{
		{
			on: "POST " + roles, name: "createRole", status: http.StatusCreated, body: jsonBody, message: "Role created",
			serve: handle(a.createRole),
		},
		{on: "GET " + roles, name: "listRoles", query: paging, message: "Roles", serve: show(a.listRoles)},
		{on: "GET " + roles + "/{roleId}", name: "getRole", message: "Role", serve: show(a.getRole)},
		{
			on: "PATCH " + roles + "/{roleId}", name: "updateRole", body: jsonBody, message: "Role updated",
			serve: handle(a.updateRole),
		},
		{on: "DELETE " + roles + "/{roleId}", name: "deleteRole", message: "Role deleted", serve: show(a.deleteRole)},
		{
			on: "POST " + services, name: "createServiceKey", status: http.StatusCreated, body: jsonBody,
			message: "Service key created", serve: handle(a.createServiceKey),
		},
		{
			on: "GET " + services, name: "listServiceKeys", query: paging, message: "Service keys",
			serve: show(a.listServiceKeys),
		},
		{
			on: "DELETE " + services + "/{id}", name: "deleteServiceKey", query: []string{"wait"},
			message: "Service key deleted", serve: show(a.deleteServiceKey),
		},
	}
}

func (a *api) systemRoutes() []route {
	return []route{
		{
			on: "GET " + base + "/installation", name: "getInstallation", message: "Installation",
			serve: show(a.installation),
		},
		{on: "GET " + base + "/nodes", name: "listNodes", message: "Nodes", serve: show(a.listNodes)},
		{on: "GET /healthz", name: "getHealth", public: true, quiet: true, message: "Alive", serve: show(a.health)},
		{on: "GET /readyz", name: "getReadiness", public: true, quiet: true, message: "Ready", serve: show(a.ready)},
		{on: "GET /metrics", name: "getMetrics", public: true, quiet: true, serve: a.metrics},
		{on: "GET /openapi.json", name: "getOpenapi", public: true, serve: a.openapi},
		{on: "GET /docs", name: "getReference", public: true, serve: a.docs},
		{on: "GET /docs/{file}", name: "getReferenceFile", public: true, serve: a.docsFile},
		{on: "GET /{$}", name: "getFrontPage", public: true, open: true, serve: a.front},
	}
}

// resource is one path with the operations on it, by method.
type resource struct {
	pattern string
	routes  map[string]*route
	allow   string
	ids     []string // the parts of the path that are UUIDs
}

// opaque are the parts of a path that are no UUID: their case is their own.
var opaque = []string{"userId", "$"}

// idsIn names the parts of a pattern that are UUIDs.
func idsIn(pattern string) (ids []string) {
	for segment := range strings.SplitSeq(pattern, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok && !slices.Contains(opaque, strings.TrimSuffix(name, "}")) {
			ids = append(ids, strings.TrimSuffix(name, "}"))
		}
	}
	return ids
}

// router hangs each path's operations on one pattern without a method, so that a wrong method is refused in our own
// words.
func (a *api) router() *http.ServeMux {
	resources := map[string]*resource{}
	for _, rt := range a.routes() {
		method, pattern, _ := strings.Cut(rt.on, " ")
		res := resources[pattern]
		if res == nil {
			res = &resource{pattern: pattern, routes: map[string]*route{}, ids: idsIn(pattern)}
			resources[pattern] = res
		}
		res.routes[method] = &rt
		if method == http.MethodGet {
			res.routes[http.MethodHead] = &rt
		}
	}
	mux := http.NewServeMux()
	for pattern, res := range resources {
		res.allow = allowed(res.routes)
		mux.HandleFunc(pattern, func(_ http.ResponseWriter, r *http.Request) { exchangeOf(r).dispatch(r, res) })
	}
	mux.HandleFunc("/", a.elsewhere)
	return mux
}

func allowed(routes map[string]*route) string {
	var methods []string
	for m := range routes {
		methods = append(methods, m)
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}
