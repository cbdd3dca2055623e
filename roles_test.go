package keyward_test

import (
	"testing"

	"github.com/keyward/keyward"
)

const roleJSON = `{"id":"r1","workspaceId":"w1","name":"Caller","description":null,"permissions":["calls:read"],
	"isSystem":false,"isDefault":false,"memberCount":2,"assignable":true,"createdAt":"2026-11-23T12:00:00.000Z",
	"updatedAt":"2026-11-23T12:00:00.000Z"}`

var role = keyward.Role{
	ID: "r1", WorkspaceID: "w1", Name: "Caller", Permissions: []string{"calls:read"}, MemberCount: 2, Assignable: true,
	CreatedAt: noon, UpdatedAt: noon,
}

func TestEveryRoleOperationSaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	const uri = "/api/v2/workspaces/w1/roles"
	operations := []operation{
		{
			name: "create",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.CreateRole(ctx, "w1", keyward.CreateRoleRequest{Name: "Caller"})
			},
			method: "POST", uri: uri, body: `{"name":"Caller","permissions":[]}`, status: 201,
			answer: `{"role":` + roleJSON + `}`, want: role,
		},
		{
			name: "list",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.ListRoles(ctx, "w1", keyward.ListOptions{})
			},
			method: "GET", uri: uri, answer: `{"roles":[` + roleJSON + `],"pagination":{}}`,
			want: keyward.RolePage{Roles: []keyward.Role{role}},
		},
		{
			name:   "get",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.GetRole(ctx, "w1", "r1") },
			method: "GET", uri: uri + "/r1", answer: `{"role":` + roleJSON + `}`, want: role,
		},
		{
			name: "update",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.UpdateRole(ctx, "w1", "r1", keyward.RoleUpdate{
					Description: keyward.Null[string](), Permissions: keyward.Set[[]string](nil),
				})
			},
			method: "PATCH", uri: uri + "/r1", body: `{"description":null,"permissions":[]}`,
			answer: `{"role":` + roleJSON + `}`, want: role,
		},
		{
			name:   "delete",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.DeleteRole(ctx, "w1", "r1") },
			method: "DELETE", uri: uri + "/r1", answer: `{"deleted":["r1"]}`, want: keyward.Deletion{Deleted: []string{"r1"}},
		},
	}
	for _, o := range operations {
		t.Run(o.name, o.run)
	}
}
