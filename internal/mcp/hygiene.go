package mcp

import (
	"context"
	"time"

	"github.com/keyward/keyward"
)

// unusedFor is after how long without a use a key is reported.
const unusedFor = 90 * 24 * time.Hour

type hygieneIn struct {
	WorkspaceID string `json:"workspaceId,omitempty"`
	Limit       int    `json:"limit,omitempty" jsonschema:"keys of each finding, 1 to 50; 10 where it is left out"`
}

type hygieneOut struct {
	Findings []finding `json:"findings"`
	Note     string    `json:"note"`
}

type finding struct {
	Kind    string `json:"kind" jsonschema:"expired, expiring, unused, disabled or endless"`
	Advice  string `json:"advice"`
	Keys    []key  `json:"keys"`
	HasMore bool   `json:"hasMore" jsonschema:"there are further ones: list_keys gives them"`
}

// hygiene lists keys by what is to be done about them. The rights are those of list_keys.
func (t *tools) hygiene(ctx context.Context, in hygieneIn) (out hygieneOut, err error) {
	if in.Limit < 0 || in.Limit > 50 {
		return out, fieldError("limit", "must be between 1 and 50")
	}
	c, err := t.client(ctx)
	if err != nil {
		return out, err
	}
	n := in.Limit
	if n == 0 {
		n = 10
	}
	in.WorkspaceID = t.workspace(in.WorkspaceID)
	out = hygieneOut{Findings: []finding{}, Note: asData}
	for _, one := range []struct {
		kind, advice string
		list         keyward.ListKeysOptions
		keep         func(*keyward.APIKey) bool // nil keeps all
	}{
		{"expired", "delete them: they do not work any more", keyward.ListKeysOptions{Status: keyward.StatusExpired}, nil},
		{"expiring", "rotate them, or give them a later end, before they stop",
			keyward.ListKeysOptions{Status: keyward.StatusExpiring}, nil},
		{"unused", "ask their owners, then disable them: not used for 90 days",
			keyward.ListKeysOptions{Status: keyward.StatusActive, UnusedSince: t.Now().Add(-unusedFor)}, nil},
		{"disabled", "delete them once nobody misses them", keyward.ListKeysOptions{Status: keyward.StatusDisabled}, nil},
		{"endless", "give them an end: they never expire", keyward.ListKeysOptions{
			Status: keyward.StatusActive, SortBy: keyward.ByExpiry, SortOrder: keyward.Descending,
		}, func(k *keyward.APIKey) bool { return k.ExpiresAt == nil }},
	} {
		one.list.WorkspaceID, one.list.Limit = in.WorkspaceID, n
		page, err := c.ListKeys(ctx, one.list)
		if err != nil {
			return out, err
		}
		found := finding{Kind: one.kind, Advice: one.advice, Keys: []key{}, HasMore: page.Pagination.HasNext}
		for i := range page.APIKeys {
			if one.keep != nil && !one.keep(&page.APIKeys[i]) {
				found.HasMore = false
				break
			}
			found.Keys = append(found.Keys, keyOf(&page.APIKeys[i]))
		}
		if len(found.Keys) > 0 || found.HasMore {
			out.Findings = append(out.Findings, found)
		}
	}
	return out, nil
}
