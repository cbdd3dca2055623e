package keyward

import (
	"context"
	"net/url"
	"time"
)

// Granularity is a length of time in which usage is counted.
type Granularity string

// The lengths of time in which usage is counted; days are those of UTC. The server's default is GranularityHour.
const (
	GranularityMinute Granularity = "minute"
	GranularityHour   Granularity = "hour"
	GranularityDay    Granularity = "day"
)

// UsageOptions choose a part of time. The zero value is the last 24 hours.
type UsageOptions struct {
	Granularity Granularity
	// From and To bound the time; a zero To is now, and a zero From is 60 minutes, 24 hours or 30 days before the end.
	From, To time.Time
}

func (o UsageOptions) query() url.Values {
	return url.Values(query{}.text("granularity", string(o.Granularity)).time("from", o.From).time("to", o.To))
}

// Usage is how often was verified and refused.
type Usage struct {
	// Series has a bucket for each minute, hour or day, the earliest first, also where nothing happened.
	Series []UsageBucket `json:"series"`
	// Total is the number of all of them, with any outcome.
	Total int64 `json:"total"`
}

// UsageBucket holds the counts of one minute, hour or day.
type UsageBucket struct {
	Start    time.Time `json:"start"`
	Verified int64     `json:"verified"`
	// Denied counts refusals by their code; a code that did not occur is not there.
	Denied map[VerdictCode]int64 `json:"denied"`
}

// KeyUsage says how often a key was verified and refused.
func (c *Client) KeyUsage(ctx context.Context, id string, opts UsageOptions) (Usage, error) {
	return invoke[Usage](ctx, c, get(opts.query(), "api-keys", id, "usage"))
}

// The values of KeyLimits.Counting: how far the minutes of a key are known.
const (
	CountingExact  = "exact"  // what all nodes share was asked
	CountingLeased = "leased" // what the answering node knows; units that other nodes hold count as used
	CountingLocal  = "local"  // the answering node counts by itself
)

// KeyLimits is what is left of the limits of a key, and of those that it shares with all keys of its workspace.
type KeyLimits struct {
	// Limits holds a window for each limit; a limit that there is not is nil.
	Limits VerdictLimits `json:"limits"`
	// RetryAt is when the next request can be admitted, where none can now; else nil.
	RetryAt  *time.Time `json:"retryAt"`
	Counting string     `json:"counting"`
}

// KeyLimits says what is left of a key's limits and when it returns. It spends nothing of the key.
func (c *Client) KeyLimits(ctx context.Context, id string) (KeyLimits, error) {
	return invoke[KeyLimits](ctx, c, get(nil, "api-keys", id, "limits"))
}

// WorkspaceLimits says what is left of the limits that all keys of a workspace share, and when it returns: the windows
// WorkspaceMinute and WorkspaceDay of its plan. It spends nothing.
func (c *Client) WorkspaceLimits(ctx context.Context, id string) (KeyLimits, error) {
	return invoke[KeyLimits](ctx, c, get(nil, "workspaces", id, "limits"))
}

// WorkspaceUsage says the same of all keys of a workspace together.
func (c *Client) WorkspaceUsage(ctx context.Context, id string, opts UsageOptions) (Usage, error) {
	return invoke[Usage](ctx, c, get(opts.query(), "workspaces", id, "usage"))
}

// Usage says the same of the whole installation, with attempts whose key is not known. It is for service keys.
func (c *Client) Usage(ctx context.Context, opts UsageOptions) (Usage, error) {
	return invoke[Usage](ctx, c, get(opts.query(), "usage"))
}
