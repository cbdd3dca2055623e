package keyward_test

import (
	"context"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
)

// calling is a method that calls the API, with the place where its request says workspaceId.
type calling struct {
	name, where string
	call        func(context.Context, *keyward.Client) error
}

var calls = []calling{
	{"CreateKey", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.CreateKey(ctx, keyward.CreateKeyRequest{UserID: "u", Name: "n"}))
	}},
	{
		"ListKeys", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.ListKeys(ctx, keyward.ListKeysOptions{})) },
	},
	{"ListKeys of it", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.ListKeys(ctx, keyward.ListKeysOptions{WorkspaceID: "w1"}))
	}},
	{"UpdateKeys", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.UpdateKeys(ctx, []keyward.KeyUpdate{{ID: "k"}}, keyward.WaitAll()))
	}},
	{"DeleteKeys", "query", func(ctx ctx, c *keyward.Client) error { return last(c.DeleteKeys(ctx, []string{"k"})) }},
	{"DeleteKey", "query", func(ctx ctx, c *keyward.Client) error { return last(c.DeleteKey(ctx, "k")) }},
	{"GetKey", "query", func(ctx ctx, c *keyward.Client) error { return last(c.GetKey(ctx, "k")) }},
	{"SelfKey", "query", func(ctx ctx, c *keyward.Client) error { return last(c.SelfKey(ctx)) }},
	{"RotateKey", "query", func(ctx ctx, c *keyward.Client) error { return last(c.RotateKey(ctx, "k", time.Minute)) }},
	{"RotateSelf", "query", func(ctx ctx, c *keyward.Client) error { return last(c.RotateSelf(ctx, time.Minute, "")) }},
	{
		"ExplainKey", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.ExplainKey(ctx, "k", keyward.ExplainRequest{})) },
	},
	{"ExplainKey of several", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.ExplainKey(ctx, "k", keyward.ExplainRequest{WorkspaceIDs: []string{"w2", "w1"}}))
	}},
	{"CreateWebhook", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.CreateWebhook(ctx, keyward.CreateWebhookRequest{URL: "https://example.com"}))
	}},
	{"ListWebhooks", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.ListWebhooks(ctx, keyward.ListWebhooksOptions{}))
	}},
	{"GetWebhook", "query", func(ctx ctx, c *keyward.Client) error { return last(c.GetWebhook(ctx, "h")) }},
	{"UpdateWebhook", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.UpdateWebhook(ctx, "h", keyward.UpdateWebhookRequest{IsActive: keyward.Set(false)}))
	}},
	{"DeleteWebhook", "query", func(ctx ctx, c *keyward.Client) error { return last(c.DeleteWebhook(ctx, "h")) }},
	{"RotateWebhookSecret", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.RotateWebhookSecret(ctx, "h", time.Hour))
	}},
	{"TestWebhook", "query", func(ctx ctx, c *keyward.Client) error { return last(c.TestWebhook(ctx, "h")) }},
	{"ListWebhookDeliveries", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.ListWebhookDeliveries(ctx, "h", keyward.ListWebhookDeliveriesOptions{}))
	}},
	{"ReplayWebhookDelivery", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.ReplayWebhookDelivery(ctx, "h", "d"))
	}},
	{"KeyRefusals", "query", func(ctx ctx, c *keyward.Client) error { return last(c.KeyRefusals(ctx, "k", 0)) }},
	{
		"WorkspaceRefusals", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.WorkspaceRefusals(ctx, "w1", 0)) },
	},
	{"KeyLimits", "query", func(ctx ctx, c *keyward.Client) error { return last(c.KeyLimits(ctx, "k")) }},
	{
		"KeyUsage", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.KeyUsage(ctx, "k", keyward.UsageOptions{})) },
	},
	{"ListPermissions", "query", func(ctx ctx, c *keyward.Client) error { return last(c.ListPermissions(ctx)) }},
	{
		"Verify", "body",
		func(ctx ctx, c *keyward.Client) error { return last(c.Verify(ctx, keyward.VerifyRequest{Key: "x"})) },
	},
	{"Verify of several", "body", func(ctx ctx, c *keyward.Client) error {
		return last(c.Verify(ctx, keyward.VerifyRequest{Key: "x", WorkspaceIDs: []string{"w2", "w1"}}))
	}},
	{"VerifyBatch", "body", func(ctx ctx, c *keyward.Client) error {
		return last(c.VerifyBatch(ctx, []keyward.VerifyRequest{{Key: "x"}}))
	}},
	{"Introspect", "form", func(ctx ctx, c *keyward.Client) error { return last(c.Introspect(ctx, "x")) }},
	{"RevokeToken", "form", func(ctx ctx, c *keyward.Client) error { return c.RevokeToken(ctx, "x") }},
	{
		"ListWorkspaces", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.ListWorkspaces(ctx, keyward.ListOptions{})) },
	},
	{"GetWorkspace", "query", func(ctx ctx, c *keyward.Client) error { return last(c.GetWorkspace(ctx, "w1")) }},
	{"UpdateWorkspace", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.UpdateWorkspace(ctx, "w1", keyward.WorkspaceUpdate{}))
	}},
	{"DeleteWorkspace", "query", func(ctx ctx, c *keyward.Client) error { return last(c.DeleteWorkspace(ctx, "w1")) }},
	{"PutPlan", "query", func(ctx ctx, c *keyward.Client) error { return last(c.PutPlan(ctx, "w1", keyward.Plan{})) }},
	{"WorkspaceLimits", "query", func(ctx ctx, c *keyward.Client) error { return last(c.WorkspaceLimits(ctx, "w1")) }},
	{"WorkspaceUsage", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.WorkspaceUsage(ctx, "w1", keyward.UsageOptions{}))
	}},
	{
		"ListMembers", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.ListMembers(ctx, "w1", keyward.ListOptions{})) },
	},
	{"GetMember", "query", func(ctx ctx, c *keyward.Client) error { return last(c.GetMember(ctx, "w1", "u")) }},
	{"PutMember", "query", func(ctx ctx, c *keyward.Client) error {
		_, _, err := c.PutMember(ctx, "w1", "u", keyward.PutMemberRequest{})
		return err
	}},
	{"UpdateMember", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.UpdateMember(ctx, "w1", "u", keyward.MemberUpdate{}))
	}},
	{"RemoveMember", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.RemoveMember(ctx, "w1", "u", keyward.RemoveMemberOptions{}))
	}},
	{"InviteMember", "query", func(ctx ctx, c *keyward.Client) error { return last(c.InviteMember(ctx, "w1", "u")) }},
	{"ResetSignIn", "query", func(ctx ctx, c *keyward.Client) error { return last(c.ResetSignIn(ctx, "w1", "u")) }},
	{"CreateRole", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.CreateRole(ctx, "w1", keyward.CreateRoleRequest{}))
	}},
	{
		"ListRoles", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.ListRoles(ctx, "w1", keyward.ListOptions{})) },
	},
	{"GetRole", "query", func(ctx ctx, c *keyward.Client) error { return last(c.GetRole(ctx, "w1", "r")) }},
	{"UpdateRole", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.UpdateRole(ctx, "w1", "r", keyward.RoleUpdate{}))
	}},
	{"DeleteRole", "query", func(ctx ctx, c *keyward.Client) error { return last(c.DeleteRole(ctx, "w1", "r")) }},
	{
		"ListLogs", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.ListLogs(ctx, keyward.ListLogsOptions{})) },
	},
	{"CreateSignInLink", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.CreateSignInLink(ctx, keyward.SignInLinkRequest{UserID: "u"}))
	}},
	{"ListSessions", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.ListSessions(ctx, keyward.ListSessionsOptions{}))
	}},
	{"EndSession", "query", func(ctx ctx, c *keyward.Client) error { return c.EndSession(ctx, "s") }},
	{"EndSessions", "query", func(ctx ctx, c *keyward.Client) error { return last(c.EndSessions(ctx, "u")) }},
	{
		"RotateKeyOnce", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.RotateKeyOnce(ctx, "k", 0, "once")) },
	},
	{
		"ImportKeys", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.ImportKeys(ctx, keyward.ImportKeysRequest{})) },
	},
	{"ExportLogs", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.ExportLogs(ctx, keyward.ListLogsOptions{}, keyward.ExportCSV))
	}},
	{"CreateWorkspace", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.CreateWorkspace(ctx, keyward.CreateWorkspaceRequest{}))
	}},
	{"CreateServiceKey", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.CreateServiceKey(ctx, keyward.CreateServiceKeyRequest{}))
	}},
	{"DeleteServiceKey", "query", func(ctx ctx, c *keyward.Client) error { return last(c.DeleteServiceKey(ctx, "s")) }},
	{"RequestKey", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.RequestKey(ctx, keyward.CreateKeyRequest{}))
	}},
	{"RequestRotation", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.RequestRotation(ctx, "k", 0))
	}},
	{"ListKeyRequests", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.ListKeyRequests(ctx, keyward.ListKeyRequestsOptions{}))
	}},
	{"GetKeyRequest", "query", func(ctx ctx, c *keyward.Client) error { return last(c.GetKeyRequest(ctx, "r")) }},
	{"DeclineKeyRequest", "query", func(ctx ctx, c *keyward.Client) error { return last(c.DeclineKeyRequest(ctx, "r")) }},
	{"CreatePortalSession", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.CreatePortalSession(ctx, keyward.CreatePortalSessionRequest{}))
	}},
	{"GetPortalSession", "query", func(ctx ctx, c *keyward.Client) error { return last(c.GetPortalSession(ctx, "p")) }},
	{"ListPortalSessions", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.ListPortalSessions(ctx, keyward.ListPortalSessionsOptions{}))
	}},
	{"EndPortalSession", "query", func(ctx ctx, c *keyward.Client) error { return last(c.EndPortalSession(ctx, "p")) }},
	{
		"EndPortalSessions", "query", func(ctx ctx, c *keyward.Client) error { return last(c.EndPortalSessions(ctx, "ada")) },
	},
	{
		"ExchangePortalSession", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.ExchangePortalSession(ctx, "x", "y")) },
	},
	{
		"RenewPortalSession", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.RenewPortalSession(ctx, "p", "y")) },
	},
	{"StartSession", "query", func(ctx ctx, c *keyward.Client) error { return last(c.StartSession(ctx, "x")) }},
	{"Installation", "query", func(ctx ctx, c *keyward.Client) error { return last(c.Installation(ctx)) }},
	{"UsageByWorkspace", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.UsageByWorkspace(ctx, keyward.UsageOptions{}, 0))
	}},
	{"KeyPermissionUsage", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.KeyPermissionUsage(ctx, "k"))
	}},
	{"WorkspacePermissionUsage", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.WorkspacePermissionUsage(ctx, "w1", keyward.UsageOptions{}))
	}},
	{"Usage", "query", func(ctx ctx, c *keyward.Client) error { return last(c.Usage(ctx, keyward.UsageOptions{})) }},
	{
		"ListServiceKeys", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.ListServiceKeys(ctx, keyward.ListOptions{})) },
	},
	{"Me", "query", func(ctx ctx, c *keyward.Client) error { return last(c.Me(ctx, "")) }},
	{"Refusals", "query", func(ctx ctx, c *keyward.Client) error { return last(c.Refusals(ctx, 0)) }},
	{
		"RestoreMember", "query",
		func(ctx ctx, c *keyward.Client) error { return last(c.RestoreMember(ctx, "w1", "u", "x")) },
	},
	{"ListFollowers", "query", func(ctx ctx, c *keyward.Client) error { return last(c.ListFollowers(ctx)) }},
	{"FeedSnapshot", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.FeedSnapshot(ctx, keyward.FollowerOptions{}))
	}},
	{"Feed", "query", func(ctx ctx, c *keyward.Client) error { return last(c.Feed(ctx, keyward.FeedOptions{})) }},
	{"LeaseMinutes", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.LeaseMinutes(ctx, keyward.FollowerLeases{}))
	}},
	{"ReserveDays", "query", func(ctx ctx, c *keyward.Client) error {
		return last(c.ReserveDays(ctx, keyward.FollowerDays{}))
	}},
	{"ReportUses", "query", func(ctx ctx, c *keyward.Client) error { return c.ReportUses(ctx, keyward.FollowerUses{}) }},
	{"ListNodes", "query", func(ctx ctx, c *keyward.Client) error { return last(c.ListNodes(ctx)) }},
}

// The table has every method that calls. AllKeys and its like call what they list; Health and Ready ask no
// operation of the API.
func TestNoMethodOfTheClientIsForgotten(t *testing.T) {
	t.Parallel()
	methods := reflect.TypeFor[*keyward.Client]()
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		if strings.HasPrefix(name, "All") ||
			slices.Contains([]string{"Health", "Ready", "Within", "Close", "Format", "LogValue"}, name) {
			continue
		}
		if !slices.ContainsFunc(calls, func(o calling) bool { return o.name == name }) {
			t.Errorf("%s is not in the table", name)
		}
	}
}

func last[T any](_ T, err error) error { return err }

func TestT7AClientWithinAWorkspaceSaysSoInEveryCall(t *testing.T) {
	t.Parallel()
	for _, o := range calls {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			client, sent := answering(t, 404, `{"success":false,"error":{"code":"not_found"}}`)
			if err := o.call(t.Context(), client.Within("w1")); err == nil {
				t.Error("a refusal is no error")
			}
			in := sent()
			_, query, _ := strings.Cut(in.URI, "?")
			if o.where != "query" {
				query = ""
			}
			values, err := url.ParseQuery(query)
			if o.where == "form" {
				values, err = url.ParseQuery(in.Body)
			}
			if err != nil {
				t.Fatal(err)
			}
			said := strings.Join(values["workspaceId"], " ") == "w1"
			if o.where == "body" {
				said = strings.Contains(in.Body, `"workspaceId":["w1"]`) && !strings.Contains(in.URI, "workspaceId")
			}
			if !said {
				t.Errorf("%s %s %s does not say the workspace", in.Method, in.URI, in.Body)
			}
		})
	}
}

func TestT7AClientWithinAWorkspaceAsksForNoOther(t *testing.T) {
	t.Parallel()
	client, _ := answering(t, 200, result(`{}`))
	within := client.Within("w1")
	for name, err := range map[string]error{
		"ListKeys":  last(within.ListKeys(t.Context(), keyward.ListKeysOptions{WorkspaceID: "w2"})),
		"Verify":    last(within.Verify(t.Context(), keyward.VerifyRequest{Key: "x", WorkspaceIDs: []string{"w2"}})),
		"Introspec": last(within.Introspect(t.Context(), "x", keyward.FromWorkspace("w2"))),
	} {
		if err == nil || !strings.Contains(err.Error(), "another workspace") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An empty id is sent, and refused by the server: it must not stand for all workspaces.
func TestT100AClientWithinNoWorkspaceIsNotOneWithinAll(t *testing.T) {
	t.Parallel()
	client, sent := answering(t, 200, result(`{"apiKey":{}}`))
	if _, err := client.Within("").GetKey(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if in := sent(); !strings.HasSuffix(in.URI, "?workspaceId=") {
		t.Errorf("sent %s", in.URI)
	}
}
