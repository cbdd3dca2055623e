package keyward_test

import (
	"testing"

	"github.com/keyward/keyward"
)

const serviceKeyJSON = `{"id":"s1","key":"kw_svc_0000…cdef","name":"gate","scopes":["verify"],
	"createdAt":"2026-11-23T12:00:00.000Z","expiresAt":null,"workspaceIds":["w1"],"environments":["live"],"allowedIps":null}`

var serviceKey = keyward.ServiceKey{
	ID: "s1", Key: "kw_svc_0000…cdef", Name: "gate", Scopes: []keyward.Scope{keyward.ScopeVerify}, CreatedAt: noon,
	WorkspaceIDs: []string{"w1"}, Environments: []keyward.Environment{"live"},
}

func TestEveryServiceKeyOperationSaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	operations := []operation{
		{
			name: "create",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.CreateServiceKey(ctx, keyward.CreateServiceKeyRequest{
					Name: "gate", Scopes: []keyward.Scope{keyward.ScopeVerify}, ExpiresAt: &noon, WorkspaceIDs: []string{"w1"},
					Environments: []keyward.Environment{"live"},
					AllowedIPs:   []string{"10.0.0.0/8"},
				})
			},
			method: "POST", uri: "/api/v2/service-keys", status: 201,
			body:   `{"name":"gate","scopes":["verify"],"expiresAt":"2026-11-23T12:00:00Z","workspaceIds":["w1"],"environments":["live"],"allowedIps":["10.0.0.0/8"]}`,
			answer: `{"serviceKey":` + serviceKeyJSON + `,"key":"` + token + `"}`,
			want:   keyward.CreatedServiceKey{ServiceKey: serviceKey, Key: keyward.NewSecret(token)},
		},
		{
			name: "list",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.ListServiceKeys(ctx, keyward.ListOptions{})
			},
			method: "GET", uri: "/api/v2/service-keys", answer: `{"serviceKeys":[` + serviceKeyJSON + `],"pagination":{}}`,
			want: keyward.ServiceKeyPage{ServiceKeys: []keyward.ServiceKey{serviceKey}},
		},
		{
			name:   "delete",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.DeleteServiceKey(ctx, "s1") },
			method: "DELETE", uri: "/api/v2/service-keys/s1", answer: `{"deleted":["s1"]}`,
			want: keyward.Deletion{Deleted: []string{"s1"}},
		},
	}
	for _, o := range operations {
		t.Run(o.name, o.run)
	}
}
