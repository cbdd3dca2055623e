package keyward_test

import (
	"testing"
	"time"

	"github.com/keyward/keyward"
)

func TestUsageIsAskedForOfAKeyOfAWorkspaceAndOfAll(t *testing.T) {
	t.Parallel()
	const answer = `{"series":[{"start":"2026-11-23T12:00:00.000Z","verified":3,"denied":{"RATE_LIMITED":2}}],"total":5}`
	want := keyward.Usage{Total: 5, Series: []keyward.UsageBucket{
		{Start: noon, Verified: 3, Denied: map[keyward.VerdictCode]int64{keyward.VerdictRateLimited: 2}},
	}}
	opts := keyward.UsageOptions{Granularity: keyward.GranularityMinute, From: noon, To: noon.Add(time.Hour)}
	const asked = "?from=2026-11-23T12%3A00%3A00Z&granularity=minute&to=2026-11-23T13%3A00%3A00Z"
	for _, o := range []operation{
		{name: "key", uri: "/api/v2/api-keys/k1/usage" + asked,
			call: func(ctx ctx, c *keyward.Client) (any, error) { return c.KeyUsage(ctx, "k1", opts) }},
		{name: "workspace", uri: "/api/v2/workspaces/w1/usage" + asked,
			call: func(ctx ctx, c *keyward.Client) (any, error) { return c.WorkspaceUsage(ctx, "w1", opts) }},
		{name: "all", uri: "/api/v2/usage",
			call: func(ctx ctx, c *keyward.Client) (any, error) { return c.Usage(ctx, keyward.UsageOptions{}) }},
	} {
		o.method, o.answer, o.want = "GET", answer, want
		t.Run(o.name, o.run)
	}
}

func TestWhatIsLeftOfAKeysLimits(t *testing.T) {
	operation{
		name: "limits", method: "GET", uri: "/api/v2/api-keys/k1/limits",
		answer: `{"limits":{"minute":{"limit":5,"remaining":0,"resetAt":"2026-11-23T12:00:00.000Z"},
			"workspaceDay":{"limit":9,"remaining":4,"resetAt":"2026-11-23T12:00:00.000Z"}},
			"retryAt":"2026-11-23T12:00:00.000Z","counting":"leased"}`,
		call: func(ctx ctx, c *keyward.Client) (any, error) { return c.KeyLimits(ctx, "k1") },
		want: keyward.KeyLimits{
			Limits: keyward.VerdictLimits{
				Minute:       &keyward.Window{Limit: 5, ResetAt: noon},
				WorkspaceDay: &keyward.Window{Limit: 9, Remaining: 4, ResetAt: noon},
			},
			RetryAt: &noon, Counting: keyward.CountingLeased,
		},
	}.run(t)
}
