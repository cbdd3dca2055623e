package keyward_test

import (
	"testing"

	"github.com/keyward/keyward"
)

func TestExplainSaysWhatTheContractSays(t *testing.T) {
	t.Parallel()
	operations := []operation{
		{
			name: "everything asked",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.ExplainKey(ctx, "k1", keyward.ExplainRequest{
					Permissions: keyward.Demand{All: []string{"calls:read", "calls:write"}, Any: []string{"agents:read"}},
					Cost:        new(0), IP: "203.0.113.7", Environment: "live", WorkspaceIDs: []string{"w1", "w2"},
				})
			},
			method: "GET", uri: "/api/v2/api-keys/k1/explain?any=agents%3Aread&cost=0&environment=live&ip=203.0.113.7" +
				"&permission=calls%3Aread&permission=calls%3Awrite&workspaceId=w1&workspaceId=w2",
			answer: `{"verdict":"DISABLED","steps":[{"code":"NOT_FOUND","reached":true,"passed":true,"why":"there is such a key"},
				{"code":"DISABLED","reached":true,"passed":false,"why":"the key is disabled"}]}`,
			want: keyward.Explanation{Verdict: keyward.VerdictDisabled, Steps: []keyward.ExplainedStep{
				{Code: keyward.VerdictNotFound, Reached: true, Passed: true, Why: "there is such a key"},
				{Code: keyward.VerdictDisabled, Reached: true, Why: "the key is disabled"},
			}},
		},
		{
			name: "nothing asked",
			call: func(ctx ctx, c *keyward.Client) (any, error) {
				return c.ExplainKey(ctx, "k1", keyward.ExplainRequest{})
			},
			method: "GET", uri: "/api/v2/api-keys/k1/explain", answer: `{"verdict":"VALID","steps":[]}`,
			want: keyward.Explanation{Verdict: keyward.VerdictValid, Steps: []keyward.ExplainedStep{}},
		},
	}
	for _, o := range operations {
		t.Run(o.name, o.run)
	}
	client, seen := answering(t, 200, result(`{}`))
	if _, err := client.ExplainKey(t.Context(), "k1", keyward.ExplainRequest{WorkspaceIDs: []string{}}); err == nil {
		t.Errorf("a demand that cannot be met was sent: %v", seen())
	}
}
