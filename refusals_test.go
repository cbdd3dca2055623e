package keyward_test

import (
	"testing"

	"github.com/keyward/keyward"
)

func TestRefusalsAreWhatTheContractSays(t *testing.T) {
	t.Parallel()
	operations := []operation{
		{
			name:   "of a key",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.KeyRefusals(ctx, "k1", 7) },
			method: "GET", uri: "/api/v2/api-keys/k1/refusals?limit=7",
			answer: `{"refusals":[{"at":"2026-11-23T12:00:00.000Z","code":"IP_FORBIDDEN","why":"IP not allowed: 203.0.113.7",
				"demanded":["calls:read"],"ip":"203.0.113.7","value":"previous"}]}`,
			want: []keyward.Refusal{{At: noon, Code: keyward.VerdictIPForbidden, Why: "IP not allowed: 203.0.113.7",
				Demanded: keyward.Demand{All: []string{"calls:read"}}, IP: "203.0.113.7", Value: keyward.ValuePrevious}},
		},
		{
			name:   "of a workspace",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.WorkspaceRefusals(ctx, "w1", 0) },
			method: "GET", uri: "/api/v2/workspaces/w1/refusals",
			answer: `{"refusals":[{"at":"2026-11-23T12:00:00.000Z","keyId":"k1","name":"CI","code":"DISABLED","why":"the key is disabled",
				"demanded":{"all":[],"any":["calls:read"]},"ip":null,"value":"current"}]}`,
			want: []keyward.Refusal{
				{At: noon, KeyID: "k1", Name: "CI", Code: keyward.VerdictDisabled, Why: "the key is disabled",
					Demanded: keyward.Demand{All: []string{}, Any: []string{"calls:read"}}, Value: keyward.ValueCurrent},
			},
		},
		{
			name:   "of the installation",
			call:   func(ctx ctx, c *keyward.Client) (any, error) { return c.Refusals(ctx, 5) },
			method: "GET", uri: "/api/v2/refusals?limit=5",
			answer: `{"refusals":[{"at":"2026-11-23T12:00:00.000Z","workspaceId":"w1","keyId":"k1","name":"CI","code":"DISABLED","why":"w",
				"demanded":[],"ip":null,"value":"current"}]}`,
			want: []keyward.InstallationRefusal{{WorkspaceID: "w1", Refusal: keyward.Refusal{At: noon, KeyID: "k1", Name: "CI",
				Code: keyward.VerdictDisabled, Why: "w", Demanded: keyward.Demand{All: []string{}}, Value: keyward.ValueCurrent}}},
		},
	}
	for _, o := range operations {
		t.Run(o.name, o.run)
	}
}
