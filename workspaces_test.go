package keyward_test

import (
	"testing"

	"github.com/keyward/keyward"
)

const workspaceJSON = `{"id":"w1","name":"Acme","isActive":true,"ownerId":"u1","createdAt":"2026-11-23T12:00:00.000Z",
	"updatedAt":"2026-11-23T12:00:00.000Z","settings":{"permissionMode":"frozen","defaultRateLimit":
	{"requestsPerMinute":null,"requestsPerDay":9},"maxKeyLifetimeSeconds":null,"requireExpiry":true,"selfRotation":"forbidden"}}`

var workspace = keyward.Workspace{
	ID: "w1", Name: "Acme", IsActive: true, OwnerID: "u1", CreatedAt: noon, UpdatedAt: noon,
	Settings: keyward.Settings{
		PermissionMode: keyward.PermissionModeFrozen, DefaultRateLimit: keyward.RateLimit{RequestsPerDay: new(9)},
		RequireExpiry: true, SelfRotation: keyward.SelfRotationForbidden,
	},
}

func TestEveryWorkspaceOperationSaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	operations := []operation{
		{
			name: "create",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.CreateWorkspace(ctx, keyward.CreateWorkspaceRequest{
					Name: "Acme", Owner: &keyward.Owner{UserID: "u1", Email: "a@example.com"},
					Settings: keyward.SettingsUpdate{
						RequireExpiry: keyward.Set(true), MaxKeyLifetimeSeconds: keyward.Null[int64](),
						SelfRotation: keyward.Set(keyward.SelfRotationForbidden),
					},
				})
			},
			method: "POST", uri: "/api/v2/workspaces", status: 201,
			body: `{"name":"Acme","owner":{"userId":"u1","email":"a@example.com"},
				"settings":{"requireExpiry":true,"maxKeyLifetimeSeconds":null,"selfRotation":"forbidden"}}`,
			answer: `{"workspace":` + workspaceJSON + `}`, want: workspace,
		},
		{
			name: "list",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.ListWorkspaces(ctx, keyward.ListOptions{Limit: 1, Cursor: "c"})
			},
			method: "GET", uri: "/api/v2/workspaces?cursor=c&limit=1",
			answer: `{"workspaces":[` + workspaceJSON + `],"pagination":{"limit":1,"nextCursor":"d","hasNext":true}}`,
			want: keyward.WorkspacePage{
				Workspaces: []keyward.Workspace{workspace},
				Pagination: keyward.Pagination{Limit: 1, NextCursor: "d", HasNext: true},
			},
		},
		{
			name:   "get",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.GetWorkspace(ctx, "w1") },
			method: "GET", uri: "/api/v2/workspaces/w1", answer: `{"workspace":` + workspaceJSON + `}`, want: workspace,
		},
		{
			name: "update",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.UpdateWorkspace(ctx, "w1", keyward.WorkspaceUpdate{IsActive: keyward.Set(false)})
			},
			method: "PATCH", uri: "/api/v2/workspaces/w1", body: `{"isActive":false}`,
			answer: `{"workspace":` + workspaceJSON + `,"revocation":` + revocationJSON + `}`,
			want:   keyward.UpdatedWorkspace{Workspace: workspace, Revocation: revocation},
		},
		{
			name: "delete",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.DeleteWorkspace(ctx, "w1", keyward.WaitAll())
			},
			method: "DELETE", uri: "/api/v2/workspaces/w1?wait=all", answer: `{"deleted":["w1"]}`,
			want: keyward.Deletion{Deleted: []string{"w1"}},
		},
	}
	for _, o := range operations {
		t.Run(o.name, o.run)
	}
}
