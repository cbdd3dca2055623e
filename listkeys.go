package keyward

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// KeyStatus is how a key stands.
type KeyStatus string

// The statuses of keys.
const (
	StatusActive   KeyStatus = "active"   // enabled and not expired
	StatusExpiring KeyStatus = "expiring" // active, and expires within 14 days
	StatusExpired  KeyStatus = "expired"  // enabled, and expired
	StatusDisabled KeyStatus = "disabled"
)

// KeySort is the time by which a list of keys is sorted.
type KeySort string

// The times by which a list of keys is sorted.
const (
	ByCreation KeySort = "createdAt"
	ByExpiry   KeySort = "expiresAt"
	ByLastUse  KeySort = "lastUsedAt"
	ByLastTry  KeySort = "lastTriedAt"
)

// ListKeysOptions choose keys and a page of them. The zero value is the first page of all that the caller may see. A
// key is listed if it meets every condition.
type ListKeysOptions struct {
	// WorkspaceID is for a service key, which has no workspace of its own.
	WorkspaceID string
	UserID      string
	IsActive    *bool
	Status      KeyStatus
	Environment Environment
	// Permission is one that the keys hold.
	Permission string
	// ExpiringBefore chooses keys that expire, and do before it. UnusedSince chooses keys that were made before it and
	// not used from then on, TriedSince those that were asked about from then on. The zero time chooses all.
	ExpiringBefore time.Time
	UnusedSince    time.Time
	TriedSince     time.Time
	Search         string
	// SortBy is ByCreation by default, and SortOrder is Ascending or Descending, the default.
	SortBy    KeySort
	SortOrder SortOrder
	// Counts asks for KeyPage.Counts.
	Counts bool
	// Limit is 1 to 100; 0 leaves it to the server, which takes 50.
	Limit  int
	Cursor string
}

func (o ListKeysOptions) query() url.Values {
	q := query{}.text("workspaceId", o.WorkspaceID).text("userId", o.UserID).flag("isActive", o.IsActive)
	q = q.text("status", string(o.Status)).text("environment", string(o.Environment)).text("permission", o.Permission)
	q = q.time("expiringBefore", o.ExpiringBefore).time("unusedSince", o.UnusedSince).time("triedSince", o.TriedSince)
	q = q.text("search", o.Search).text("sortBy", string(o.SortBy)).text("sortOrder", string(o.SortOrder))
	if o.Counts {
		q = q.flag("counts", &o.Counts)
	}
	return url.Values(q.number("limit", o.Limit).text("cursor", o.Cursor))
}

// KeyPage is a page of keys, newest first unless another order was asked for. It may have fewer keys than the limit,
// and none, while others follow.
type KeyPage struct {
	APIKeys    []APIKey   `json:"apiKeys"`
	Pagination Pagination `json:"pagination"`
	// Counts is nil unless ListKeysOptions.Counts is set.
	Counts *KeyCounts `json:"counts,omitzero"`
}

// KeyCounts says how many keys meet the conditions of a list, IsActive and Status left aside, of each status. Nil is a
// number that the server did not count.
type KeyCounts struct {
	Total    *int `json:"total"`
	Active   *int `json:"active"`
	Expiring *int `json:"expiring"`
	Expired  *int `json:"expired"`
	Disabled *int `json:"disabled"`
}

// ListKeys gives one page of keys.
func (c *Client) ListKeys(ctx context.Context, opts ListKeysOptions) (KeyPage, error) {
	return invoke[KeyPage](ctx, c, get(opts.query(), "api-keys"))
}

// AllKeys yields every key from opts.Cursor on, page after page, and ends with the first error.
func (c *Client) AllKeys(ctx context.Context, opts ListKeysOptions) iter.Seq2[APIKey, error] {
	return walk(opts.Cursor, func(cursor string) ([]APIKey, Pagination, error) {
		at := opts
		at.Cursor = cursor
		page, err := c.ListKeys(ctx, at)
		return page.APIKeys, page.Pagination, err
	})
}
