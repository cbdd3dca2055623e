package keyward

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// Scope is a right of a service key.
type Scope string

// The scopes of a service key. ScopeVerify asks whether keys are good, and nothing else. ScopeRevoke takes a key away
// by its value (RFC 7009). ScopeFollow reads the feed of changes. ScopePortal makes portal sessions. ScopeManage does
// all of that and everything else in every workspace. ScopeRoot does all of it and makes service keys.
const (
	ScopeVerify Scope = "verify"
	ScopeRevoke Scope = "revoke"
	ScopeFollow Scope = "follow"
	ScopePortal Scope = "portal"
	ScopeManage Scope = "manage"
	ScopeRoot   Scope = "root"
)

// ServiceKey is an operator's credential. It reaches everything unless it is bound.
type ServiceKey struct {
	ID string `json:"id"`
	// Key is masked.
	Key       string    `json:"key"`
	Name      string    `json:"name"`
	Scopes    []Scope   `json:"scopes"`
	CreatedAt time.Time `json:"createdAt"`
	// ExpiresAt is nil for a key that never expires.
	ExpiresAt *time.Time `json:"expiresAt"`
	// WorkspaceIDs, Environments and AllowedIPs are its bounds, each nil if there is none. A key outside is
	// VerdictNotFound to it, or a NotFound error; from other networks it is an unknown token.
	WorkspaceIDs []string      `json:"workspaceIds"`
	Environments []Environment `json:"environments"`
	AllowedIPs   []string      `json:"allowedIps"`
	// FollowerModes are the ways in which followers that ask by this key may admit more than the limits at the server.
	FollowerModes []FollowerMode `json:"followerModes"`
}

// FollowerMode is a way in which a follower may admit more than the limits at its server.
type FollowerMode string

// The modes. With FollowLocal a follower counts minutes by itself (KEYWARD_LIMIT_MODE=local), and with FollowOpen it
// admits everything while its server is away (KEYWARD_LIMIT_POLICY=open).
const (
	FollowLocal FollowerMode = "local"
	FollowOpen  FollowerMode = "open"
)

// CreateServiceKeyRequest asks for a service key; nil expiry is none, and a nil list binds it to nothing. A list that
// is empty but not nil is refused by the server: it is a list that went wrong.
type CreateServiceKeyRequest struct {
	Name      string     `json:"name"`
	Scopes    []Scope    `json:"scopes"`
	ExpiresAt *time.Time `json:"expiresAt,omitzero"`

	WorkspaceIDs []string      `json:"workspaceIds,omitzero"`
	Environments []Environment `json:"environments,omitzero"`
	AllowedIPs   []string      `json:"allowedIps,omitzero"`
	// FollowerModes need the scope follow.
	FollowerModes []FollowerMode `json:"followerModes,omitzero"`
}

// CreatedServiceKey is a service key and, this once, its value.
type CreatedServiceKey struct {
	ServiceKey ServiceKey `json:"serviceKey"`
	Key        Secret     `json:"key"`
}

// CreateServiceKey makes a service key, by the root. It is never retried.
func (c *Client) CreateServiceKey(ctx context.Context, req CreateServiceKeyRequest) (CreatedServiceKey, error) {
	req.Scopes = list(req.Scopes)
	created, err := invoke[CreatedServiceKey](ctx, c, post(req, "service-keys"))
	created.ServiceKey.Key = masked(created.ServiceKey.Key, created.Key)
	return created, err
}

// ServiceKeyPage is a page of service keys.
type ServiceKeyPage struct {
	ServiceKeys []ServiceKey `json:"serviceKeys"`
	Pagination  Pagination   `json:"pagination"`
}

// ListServiceKeys gives a page of service keys, to the root.
func (c *Client) ListServiceKeys(ctx context.Context, opts ListOptions) (ServiceKeyPage, error) {
	return invoke[ServiceKeyPage](ctx, c, get(url.Values(opts.query()), "service-keys"))
}

// AllServiceKeys yields every service key from opts.Cursor on, page after page, and ends with the first error.
func (c *Client) AllServiceKeys(ctx context.Context, opts ListOptions) iter.Seq2[ServiceKey, error] {
	return walkList(opts, func(at ListOptions) ([]ServiceKey, Pagination, error) {
		page, err := c.ListServiceKeys(ctx, at)
		return page.ServiceKeys, page.Pagination, err
	})
}

// DeleteServiceKey deletes a service key, by the root; it stops at once.
func (c *Client) DeleteServiceKey(ctx context.Context, id string, opts ...ChangeOption) (Deletion, error) {
	return invoke[Deletion](ctx, c, del("service-keys", id).with(opts))
}
