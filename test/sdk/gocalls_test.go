package sdk_test

import (
	"time"

	"github.com/keyward/keyward"
)

// goCalls makes the call of each operation with the Go client, of the arguments in the conversation.
var goCalls = map[string]func(c *goCall) (any, error){
	"createApiKey": func(c *goCall) (any, error) {
		r := c.newKey()
		r.IdempotencyKey = c.IdempotencyKey
		return given(c.within().CreateKey(c.ctx, r))
	},
	"listApiKeys": func(c *goCall) (any, error) {
		o := keyward.ListKeysOptions{
			WorkspaceID: c.text("workspaceId"), UserID: c.text("userId"), IsActive: c.flag("isActive"),
			Status: keyward.KeyStatus(c.text("status")), Environment: keyward.Environment(c.text("environment")),
			Permission: c.text("permission"), ExpiringBefore: c.time("expiringBefore"), UnusedSince: c.time("unusedSince"),
			TriedSince: c.time("triedSince"), Search: c.text("search"), SortBy: keyward.KeySort(c.text("sortBy")),
			SortOrder: keyward.SortOrder(c.text("sortOrder")), Counts: c.is("counts"), Limit: c.number("limit"),
			Cursor: c.text("cursor"),
		}
		return given(c.client.ListKeys(c.ctx, o))
	},
	"getSelf": func(c *goCall) (any, error) {
		return given(c.within().SelfKey(c.ctx))
	},
	"getApiKey": func(c *goCall) (any, error) {
		return given(c.within().GetKey(c.ctx, c.Path["id"]))
	},
	"updateApiKeys": func(c *goCall) (any, error) {
		r := body[struct {
			APIKeys []keyward.KeyUpdate `json:"apiKeys"`
		}](c)
		return given(c.within().UpdateKeys(c.ctx, r.APIKeys, c.change()...))
	},
	"deleteApiKeys": func(c *goCall) (any, error) {
		r := body[struct {
			IDs []string `json:"ids"`
		}](c)
		return given(c.within().DeleteKeys(c.ctx, r.IDs, c.change()...))
	},
	"deleteApiKey": func(c *goCall) (any, error) {
		return given(c.within().DeleteKey(c.ctx, c.Path["id"], c.change()...))
	},
	"importApiKeys": func(c *goCall) (any, error) {
		r := body[keyward.ImportKeysRequest](c)
		return given(c.within().ImportKeys(c.ctx, r))
	},
	"rotateSelf": func(c *goCall) (any, error) {
		o := c.overlap(0)
		if o < time.Minute { // RotateSelf asks for a minute at least
			return given(c.within().RotateKeyOnce(c.ctx, "self", o, c.IdempotencyKey, c.change()...))
		}
		return given(c.within().RotateSelf(c.ctx, o, c.IdempotencyKey, c.change()...))
	},
	"rotateApiKey": func(c *goCall) (any, error) {
		o := c.overlap(0)
		return given(c.within().RotateKeyOnce(c.ctx, c.Path["id"], o, c.IdempotencyKey, c.change()...))
	},
	"getMe": func(c *goCall) (any, error) {
		return given(c.client.Me(c.ctx, c.text("workspaceId")))
	},
	"listPermissions": func(c *goCall) (any, error) {
		return given(c.within().ListPermissions(c.ctx))
	},
	"explainApiKey": func(c *goCall) (any, error) {
		r := keyward.ExplainRequest{
			Permissions: keyward.Demand{All: c.Query["permission"], Any: c.Query["any"]}, IP: c.text("ip"),
			Environment: keyward.Environment(c.text("environment")), WorkspaceIDs: c.Query["workspaceId"],
		}
		if c.text("cost") != "" {
			r.Cost = new(c.number("cost"))
		}
		return given(c.client.ExplainKey(c.ctx, c.Path["id"], r))
	},
	"listApiKeyRefusals": func(c *goCall) (any, error) {
		n := c.number("limit")
		return given(c.within().KeyRefusals(c.ctx, c.Path["id"], n))
	},
	"getApiKeyLimits": func(c *goCall) (any, error) {
		return given(c.within().KeyLimits(c.ctx, c.Path["id"]))
	},
	"getApiKeyUsage": func(c *goCall) (any, error) {
		o := c.usage()
		return given(c.within().KeyUsage(c.ctx, c.Path["id"], o))
	},
	"getApiKeyPermissionUsage": func(c *goCall) (any, error) {
		return given(c.within().KeyPermissionUsage(c.ctx, c.Path["id"]))
	},
	"verifyApiKey": func(c *goCall) (any, error) {
		q := body[goQuestion](c)
		return given(c.client.Verify(c.ctx, q.request()))
	},
	"verifyApiKeys": func(c *goCall) (any, error) {
		r := body[struct {
			Items []goQuestion `json:"items"`
		}](c)
		items := make([]keyward.VerifyRequest, len(r.Items))
		for i, q := range r.Items {
			items[i] = q.request()
		}
		return given(c.client.VerifyBatch(c.ctx, items))
	},
	"introspectToken": func(c *goCall) (any, error) {
		return introspected(c.client.Introspect(c.ctx, c.Form.Get("token"), formOf(c.Form)...))
	},
	"revokeToken": func(c *goCall) (any, error) {
		return nil, c.client.RevokeToken(c.ctx, c.Form.Get("token"), formOf(c.Form)...)
	},
	"createWorkspace": func(c *goCall) (any, error) {
		r := body[keyward.CreateWorkspaceRequest](c)
		return given(c.client.CreateWorkspace(c.ctx, r))
	},
	"listWorkspaces": func(c *goCall) (any, error) {
		o := c.page()
		return given(c.within().ListWorkspaces(c.ctx, o))
	},
	"getWorkspace": func(c *goCall) (any, error) {
		return given(c.within().GetWorkspace(c.ctx, c.Path["workspaceId"]))
	},
	"updateWorkspace": func(c *goCall) (any, error) {
		r := body[keyward.WorkspaceUpdate](c)
		return given(c.within().UpdateWorkspace(c.ctx, c.Path["workspaceId"], r, c.change()...))
	},
	"deleteWorkspace": func(c *goCall) (any, error) {
		return given(c.within().DeleteWorkspace(c.ctx, c.Path["workspaceId"], c.change()...))
	},
	"putPlan": func(c *goCall) (any, error) {
		r := body[keyward.Plan](c)
		return given(c.within().PutPlan(c.ctx, c.Path["workspaceId"], r))
	},
	"listMembers": func(c *goCall) (any, error) {
		o := c.page()
		return given(c.within().ListMembers(c.ctx, c.Path["workspaceId"], o))
	},
	"getMember": func(c *goCall) (any, error) {
		return given(c.within().GetMember(c.ctx, c.Path["workspaceId"], c.Path["userId"]))
	},
	"putMember": func(c *goCall) (any, error) {
		r := body[keyward.PutMemberRequest](c)
		member, _, err := c.within().PutMember(c.ctx, c.Path["workspaceId"], c.Path["userId"], r)
		return member, err
	},
	"updateMember": func(c *goCall) (any, error) {
		r := body[keyward.MemberUpdate](c)
		return given(c.within().UpdateMember(c.ctx, c.Path["workspaceId"], c.Path["userId"], r))
	},
	"removeMember": func(c *goCall) (any, error) {
		r := body[struct {
			Overrides []keyward.KeyOverride `json:"overrides"`
		}](c)
		o := keyward.RemoveMemberOptions{
			Keys: keyward.KeysMode(c.text("keys")), Reason: keyward.RemovalReason(c.text("reason")), DryRun: c.is("dryRun"),
			Overrides: r.Overrides,
		}
		return given(c.within().RemoveMember(c.ctx, c.Path["workspaceId"], c.Path["userId"], o, c.change()...))
	},
	"restoreMember": func(c *goCall) (any, error) {
		r := body[map[string]string](c)
		return given(c.within().RestoreMember(c.ctx, c.Path["workspaceId"], c.Path["userId"], r["removalId"]))
	},
	"inviteMember": func(c *goCall) (any, error) {
		return given(c.within().InviteMember(c.ctx, c.Path["workspaceId"], c.Path["userId"]))
	},
	"resetSignIn": func(c *goCall) (any, error) {
		return given(c.within().ResetSignIn(c.ctx, c.Path["workspaceId"], c.Path["userId"]))
	},
	"createRole": func(c *goCall) (any, error) {
		r := body[keyward.CreateRoleRequest](c)
		return given(c.within().CreateRole(c.ctx, c.Path["workspaceId"], r))
	},
	"listRoles": func(c *goCall) (any, error) {
		o := c.page()
		return given(c.within().ListRoles(c.ctx, c.Path["workspaceId"], o))
	},
	"getRole": func(c *goCall) (any, error) {
		return given(c.within().GetRole(c.ctx, c.Path["workspaceId"], c.Path["roleId"]))
	},
	"updateRole": func(c *goCall) (any, error) {
		r := body[keyward.RoleUpdate](c)
		return given(c.within().UpdateRole(c.ctx, c.Path["workspaceId"], c.Path["roleId"], r))
	},
	"deleteRole": func(c *goCall) (any, error) {
		return given(c.within().DeleteRole(c.ctx, c.Path["workspaceId"], c.Path["roleId"]))
	},
	"listRefusals": func(c *goCall) (any, error) {
		n := c.number("limit")
		return given(c.within().WorkspaceRefusals(c.ctx, c.Path["workspaceId"], n))
	},
	"getWorkspaceUsage": func(c *goCall) (any, error) {
		o := c.usage()
		return given(c.within().WorkspaceUsage(c.ctx, c.Path["workspaceId"], o))
	},
	"getWorkspaceLimits": func(c *goCall) (any, error) {
		return given(c.within().WorkspaceLimits(c.ctx, c.Path["workspaceId"]))
	},
	"getWorkspacePermissionUsage": func(c *goCall) (any, error) {
		o := c.usage()
		return given(c.within().WorkspacePermissionUsage(c.ctx, c.Path["workspaceId"], o))
	},
	"listInstallationRefusals": func(c *goCall) (any, error) {
		n := c.number("limit")
		return given(c.within().Refusals(c.ctx, n))
	},
	"getUsage": func(c *goCall) (any, error) {
		o := c.usage()
		return given(c.within().Usage(c.ctx, o))
	},
	"getUsageByWorkspace": func(c *goCall) (any, error) {
		o, n := c.usage(), c.number("limit")
		return given(c.within().UsageByWorkspace(c.ctx, o, n))
	},
	"createServiceKey": func(c *goCall) (any, error) {
		r := body[keyward.CreateServiceKeyRequest](c)
		return given(c.within().CreateServiceKey(c.ctx, r))
	},
	"listServiceKeys": func(c *goCall) (any, error) {
		o := c.page()
		return given(c.within().ListServiceKeys(c.ctx, o))
	},
	"deleteServiceKey": func(c *goCall) (any, error) {
		return given(c.within().DeleteServiceKey(c.ctx, c.Path["id"], c.change()...))
	},
	"readFeed": func(c *goCall) (any, error) {
		o := keyward.FeedOptions{
			FollowerOptions: c.follower(), After: c.text("after"), Wait: c.seconds("wait"),
			Reporting: c.is("reporting"),
		}
		return given(c.client.Feed(c.ctx, o))
	},
	"readFeedSnapshot": func(c *goCall) (any, error) {
		o := c.follower()
		return given(c.client.FeedSnapshot(c.ctx, o))
	},
	"leaseMinutes": func(c *goCall) (any, error) {
		r := body[keyward.FollowerLeases](c)
		return given(c.client.LeaseMinutes(c.ctx, r))
	},
	"reserveDays": func(c *goCall) (any, error) {
		r := body[keyward.FollowerDays](c)
		return given(c.client.ReserveDays(c.ctx, r))
	},
	"reportUses": func(c *goCall) (any, error) {
		r := body[keyward.FollowerUses](c)
		return nil, c.client.ReportUses(c.ctx, r)
	},
	"listNodes": func(c *goCall) (any, error) {
		return given(c.within().ListNodes(c.ctx))
	},
	"listLogs": func(c *goCall) (any, error) {
		o := keyward.ListLogsOptions{
			WorkspaceID: c.text("workspaceId"), Search: c.text("search"), EventType: c.text("eventType"),
			ActorID: c.text("actorId"), SortOrder: keyward.SortOrder(c.text("sortOrder")), From: c.time("from"),
			To: c.time("to"), Limit: c.number("limit"), Offset: c.number("offset"), Cursor: c.text("cursor"),
		}
		if format := c.text("format"); format != "" && format != "json" {
			return given(c.client.ExportLogs(c.ctx, o, keyward.ExportFormat(format)))
		}
		return given(c.client.ListLogs(c.ctx, o))
	},
	"getInstallation": func(c *goCall) (any, error) {
		return given(c.within().Installation(c.ctx))
	},
	"createSignInLink": func(c *goCall) (any, error) {
		r := body[keyward.SignInLinkRequest](c)
		return given(c.within().CreateSignInLink(c.ctx, r))
	},
	"startSession": func(c *goCall) (any, error) {
		r := body[map[string]string](c)
		return given(c.client.StartSession(c.ctx, r["code"]))
	},
	"listSessions": func(c *goCall) (any, error) {
		o := keyward.ListSessionsOptions{
			WorkspaceID: c.text("workspaceId"), UserID: c.text("userId"), ListOptions: c.page(),
		}
		return given(c.client.ListSessions(c.ctx, o))
	},
	"endSession": func(c *goCall) (any, error) {
		return nil, c.within().EndSession(c.ctx, c.Path["id"])
	},
	"endSessions": func(c *goCall) (any, error) {
		return given(c.within().EndSessions(c.ctx, c.text("userId")))
	},
	"requestApiKey": func(c *goCall) (any, error) {
		r := c.newKey()
		return given(c.within().RequestKey(c.ctx, r))
	},
	"requestApiKeyRotation": func(c *goCall) (any, error) {
		o := c.overlap(0)
		return given(c.within().RequestRotation(c.ctx, c.Path["id"], o))
	},
	"listKeyRequests": func(c *goCall) (any, error) {
		o := keyward.ListKeyRequestsOptions{WorkspaceID: c.text("workspaceId"), ListOptions: c.page()}
		return given(c.client.ListKeyRequests(c.ctx, o))
	},
	"getKeyRequest": func(c *goCall) (any, error) {
		return given(c.within().GetKeyRequest(c.ctx, c.Path["id"]))
	},
	"declineKeyRequest": func(c *goCall) (any, error) {
		return given(c.within().DeclineKeyRequest(c.ctx, c.Path["id"]))
	},
	"createWebhook": func(c *goCall) (any, error) {
		r := body[keyward.CreateWebhookRequest](c)
		return given(c.within().CreateWebhook(c.ctx, r))
	},
	"listWebhooks": func(c *goCall) (any, error) {
		o := keyward.ListWebhooksOptions{WorkspaceID: c.text("workspaceId"), ListOptions: c.page()}
		return given(c.client.ListWebhooks(c.ctx, o))
	},
	"getWebhook": func(c *goCall) (any, error) {
		return given(c.within().GetWebhook(c.ctx, c.Path["id"]))
	},
	"updateWebhook": func(c *goCall) (any, error) {
		r := body[keyward.UpdateWebhookRequest](c)
		return given(c.within().UpdateWebhook(c.ctx, c.Path["id"], r))
	},
	"deleteWebhook": func(c *goCall) (any, error) {
		return given(c.within().DeleteWebhook(c.ctx, c.Path["id"]))
	},
	"rotateWebhookSecret": func(c *goCall) (any, error) {
		o := c.overlap(24 * time.Hour)
		return given(c.within().RotateWebhookSecret(c.ctx, c.Path["id"], o))
	},
	"testWebhook": func(c *goCall) (any, error) {
		return given(c.within().TestWebhook(c.ctx, c.Path["id"]))
	},
	"listWebhookDeliveries": func(c *goCall) (any, error) {
		o := keyward.ListWebhookDeliveriesOptions{Status: c.text("status"), ListOptions: c.page()}
		return given(c.within().ListWebhookDeliveries(c.ctx, c.Path["id"], o))
	},
	"replayWebhookDelivery": func(c *goCall) (any, error) {
		return given(c.within().ReplayWebhookDelivery(c.ctx, c.Path["id"], c.Path["deliveryId"]))
	},
	"createPortalSession": func(c *goCall) (any, error) {
		r := body[keyward.CreatePortalSessionRequest](c)
		return given(c.within().CreatePortalSession(c.ctx, r))
	},
	"listPortalSessions": func(c *goCall) (any, error) {
		o := keyward.ListPortalSessionsOptions{
			WorkspaceID: c.text("workspaceId"), UserID: c.text("userId"), ListOptions: c.page(),
		}
		return given(c.client.ListPortalSessions(c.ctx, o))
	},
	"endPortalSessions": func(c *goCall) (any, error) {
		return given(c.within().EndPortalSessions(c.ctx, c.text("userId"), c.change()...))
	},
	"getPortalSession": func(c *goCall) (any, error) {
		return given(c.within().GetPortalSession(c.ctx, c.Path["id"]))
	},
	"endPortalSession": func(c *goCall) (any, error) {
		return given(c.within().EndPortalSession(c.ctx, c.Path["id"], c.change()...))
	},
	"exchangePortalSession": func(c *goCall) (any, error) {
		r := body[map[string]string](c)
		return given(c.client.ExchangePortalSession(c.ctx, r["clientSecret"], c.Proof))
	},
	"renewPortalSession": func(c *goCall) (any, error) {
		return given(c.within().RenewPortalSession(c.ctx, c.Path["id"], c.Proof))
	},
	"getHealth": func(c *goCall) (any, error) {
		return nil, c.client.Health(c.ctx)
	},
	"getReadiness": func(c *goCall) (any, error) {
		return nil, c.client.Ready(c.ctx)
	},
}

// given is a result of any type.
func given(result any, err error) (any, error) { return result, err }
