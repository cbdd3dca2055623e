package keyward_test

import (
	"testing"

	"github.com/keyward/keyward"
)

func TestMeSaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	operations := []operation{
		{
			name:   "a person in a workspace",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.Me(ctx, "w1") },
			method: "GET", uri: "/api/v2/me?workspaceId=w1",
			answer: `{"user":{"id":"u1","email":"a@example.com","displayName":null},"workspaces":[{"id":"w1","name":"Acme","isActive":true,
				"isCurrent":true,"roleId":"r1","roleName":"Caller","isOwner":false}],"role":` + roleJSON + `,"permissions":["calls:read"],
				"grantable":[],"credential":{"type":"session","id":"s1","name":null,"key":null,"value":null,"method":"link",
				"serviceKeyId":null,"scopes":null,"workspaceIds":null,"environments":null,"allowedIps":null,
				"expiresAt":"2026-11-23T12:00:00.000Z"}}`,
			want: keyward.Me{
				User: &keyward.Creator{ID: "u1", Email: "a@example.com"},
				Workspaces: []keyward.MyWorkspace{{ID: "w1", Name: "Acme", IsActive: true, IsCurrent: true, RoleID: "r1",
					RoleName: "Caller"}},
				Role: &role, Permissions: []string{"calls:read"}, Grantable: []string{},
				Credential: keyward.Credential{Type: keyward.CredentialSession, ID: "s1", Method: "link", ExpiresAt: &noon},
			},
		},
		{
			name:   "a service key",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.Me(ctx, "") },
			method: "GET", uri: "/api/v2/me",
			answer: `{"user":null,"workspaces":[],"role":null,"permissions":[],"grantable":[],"credential":{"type":"service_key",
				"id":"k1","name":"Gateway","key":"kw_svc_AbCd…wxyz","value":null,"method":null,"serviceKeyId":null,"scopes":["verify"],
				"workspaceIds":["w1"],"environments":["live"],"allowedIps":["10.0.0.0/8"],"expiresAt":null}}`,
			want: keyward.Me{
				Workspaces: []keyward.MyWorkspace{}, Permissions: []string{}, Grantable: []string{},
				Credential: keyward.Credential{
					Type: keyward.CredentialServiceKey, ID: "k1", Name: "Gateway", Key: "kw_svc_AbCd…wxyz",
					Scopes: []keyward.Scope{"verify"}, WorkspaceIDs: []string{"w1"}, Environments: []keyward.Environment{"live"},
					AllowedIPs: []string{"10.0.0.0/8"},
				},
			},
		},
	}
	for _, o := range operations {
		t.Run(o.name, o.run)
	}
}
