package keyward

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// The capabilities of a portal session. CapabilityKeysUpdate changes name, description, metadata, expiry, limits and
// networks; CapabilityKeysDisable switches a key off and on; CapabilityUsageRead shows usage and the latest refusals.
const (
	CapabilityKeysRead    = "keys:read"
	CapabilityKeysCreate  = "keys:create"
	CapabilityKeysUpdate  = "keys:update"
	CapabilityKeysRotate  = "keys:rotate"
	CapabilityKeysDisable = "keys:disable"
	CapabilityKeysDelete  = "keys:delete"
	CapabilityUsageRead   = "usage:read"
	CapabilityLogRead     = "log:read"
)

// The values of PortalSession.Reveal. With RevealFrame no script of the host page reads a value.
const (
	RevealAnywhere = "anywhere"
	RevealFrame    = "frame"
)

// PortalSession lets a page of the platform act as a member for a while.
type PortalSession struct {
	ID           string        `json:"id"`
	WorkspaceID  string        `json:"workspaceId"`
	UserID       string        `json:"userId"`
	Capabilities []string      `json:"capabilities"`
	Ceiling      PortalCeiling `json:"ceiling"`
	// AllowedOrigins are the pages that may call and frame.
	AllowedOrigins []string `json:"allowedOrigins"`
	Reveal         string   `json:"reveal"`
	Locale         string   `json:"locale"`
	Theme          string   `json:"theme"`
	ReturnURL      string   `json:"returnUrl"`
	Label          string   `json:"label"`
	// IsStarted says that the client secret was exchanged.
	IsStarted bool `json:"isStarted"`
	// CreatedBy is the service key that made it, or the user.
	CreatedBy string    `json:"createdBy"`
	CreatedAt time.Time `json:"createdAt"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// PortalCeiling bounds the keys of a portal session. A nil list, a nil number and a limit of 0 bound nothing; a list of
// permissions that is empty but not nil lets none flow into a key.
type PortalCeiling struct {
	Permissions []string `json:"permissions"`
	// MaxLifetimeSeconds counts from the making of a value.
	MaxLifetimeSeconds *int       `json:"maxLifetimeSeconds"`
	RateLimit          *RateLimit `json:"rateLimit"`
	Environments       []string   `json:"environments"`
	// MaxKeys is how many keys the member may have.
	MaxKeys *int `json:"maxKeys"`
	// RequireAllowedIPs wants every key to name its networks.
	RequireAllowedIPs bool `json:"requireAllowedIps"`
}

// PortalMember is the member that CreatePortalSession adds where the user is none.
type PortalMember struct {
	Email       string `json:"email"`
	DisplayName string `json:"displayName,omitzero"`
	RoleID      string `json:"roleId"`
}

// CreatePortalSessionRequest asks for a portal session. Capabilities and AllowedOrigins are needed; an empty list of
// origins leaves the hosted page alone.
type CreatePortalSessionRequest struct {
	WorkspaceID string `json:"workspaceId,omitzero"`
	// UserID is the member; a calling person is the member themselves.
	UserID         string         `json:"userId,omitzero"`
	CreateMember   *PortalMember  `json:"createMember,omitzero"`
	Capabilities   []string       `json:"capabilities"`
	Ceiling        *PortalCeiling `json:"ceiling,omitzero"`
	AllowedOrigins []string       `json:"allowedOrigins"`
	Reveal         string         `json:"reveal,omitzero"`
	Locale         string         `json:"locale,omitzero"`
	Theme          string         `json:"theme,omitzero"`
	ReturnURL      string         `json:"returnUrl,omitzero"`
	Label          string         `json:"label,omitzero"`
	// ExpiresInSeconds is 60 to 3600; 0 is 900.
	ExpiresInSeconds int `json:"expiresInSeconds,omitzero"`
}

// CreatedPortalSession is a portal session and, this once, its client secret.
type CreatedPortalSession struct {
	PortalSession PortalSession `json:"portalSession"`
	// ClientSecret is for the browser of the user, within five minutes and once.
	ClientSecret Secret `json:"clientSecret"`
	// URL is the hosted page, with the secret behind the #.
	URL Secret `json:"url"`
}

// CreatePortalSession makes a portal session, by a service key with ScopePortal or a person. 403 permission_escalation
// names each capability that the member has no permission for. It is never retried.
func (c *Client) CreatePortalSession(
	ctx context.Context, req CreatePortalSessionRequest,
) (CreatedPortalSession, error) {
	req.Capabilities, req.AllowedOrigins = list(req.Capabilities), list(req.AllowedOrigins)
	return invoke[CreatedPortalSession](ctx, c, post(req, "portal-sessions"))
}

// GetPortalSession gives a portal session that goes on.
func (c *Client) GetPortalSession(ctx context.Context, id string) (PortalSession, error) {
	type result struct {
		PortalSession PortalSession `json:"portalSession"`
	}
	r, err := invoke[result](ctx, c, get(nil, "portal-sessions", id))
	return r.PortalSession, err
}

// ListPortalSessionsOptions picks portal sessions; an empty field picks all that the caller may see.
type ListPortalSessionsOptions struct {
	WorkspaceID string
	UserID      string
	ListOptions
}

// PortalSessionPage is a page of portal sessions.
type PortalSessionPage struct {
	PortalSessions []PortalSession `json:"portalSessions"`
	Pagination     Pagination      `json:"pagination"`
}

// ListPortalSessions gives a page of the portal sessions that go on, newest first.
func (c *Client) ListPortalSessions(ctx context.Context, f ListPortalSessionsOptions) (PortalSessionPage, error) {
	q := f.query().text("workspaceId", f.WorkspaceID).text("userId", f.UserID)
	return invoke[PortalSessionPage](ctx, c, get(url.Values(q), "portal-sessions"))
}

// AllPortalSessions yields every portal session from f.Cursor on, page after page, and ends with the first error.
func (c *Client) AllPortalSessions(ctx context.Context, f ListPortalSessionsOptions) iter.Seq2[PortalSession, error] {
	return walkList(f.ListOptions, func(at ListOptions) ([]PortalSession, Pagination, error) {
		f.ListOptions = at
		page, err := c.ListPortalSessions(ctx, f)
		return page.PortalSessions, page.Pagination, err
	})
}

// EndedPortalSessions are the ids of portal sessions that were ended, and how far that has spread.
type EndedPortalSessions struct {
	Deleted    []string   `json:"deleted"`
	Revocation Revocation `json:"revocation"`
}

// EndPortalSession ends a portal session with its token at once.
func (c *Client) EndPortalSession(ctx context.Context, id string, opts ...ChangeOption) (EndedPortalSessions, error) {
	return invoke[EndedPortalSessions](ctx, c, del("portal-sessions", id).with(opts))
}

// EndPortalSessions ends those of a user wherever the caller reaches: a platform calls it as the user signs out. A
// person ends their own, with "".
func (c *Client) EndPortalSessions(
	ctx context.Context, userID string, opts ...ChangeOption,
) (EndedPortalSessions, error) {
	call := del("portal-sessions").with(opts)
	if call.query == nil {
		call.query = url.Values{}
	}
	if userID != "" {
		call.query.Set("userId", userID)
	}
	return invoke[EndedPortalSessions](ctx, c, call)
}

// StartedPortalSession is a portal session and, this once, a token. It is presented as "Authorization: DPoP", with a
// proof for each request, below /portal/{id}/api/v2 of the server.
type StartedPortalSession struct {
	PortalSession PortalSession `json:"portalSession"`
	Token         Secret        `json:"token"`
	TokenType     string        `json:"tokenType"`
	// ExpiresAt is when the token ends.
	ExpiresAt time.Time `json:"expiresAt"`
	// FirstPage is nil unless the answer is that to an exchange, by a session that may read keys.
	FirstPage *PortalFirstPage `json:"firstPage,omitempty"`
}

// PortalFirstPage is the first page of keys, newest first.
type PortalFirstPage struct {
	APIKeys    []APIKey   `json:"apiKeys"`
	Pagination Pagination `json:"pagination"`
}

// ExchangePortalSession gives a token for a client secret, once. proof is a proof of possession (RFC 9449) by the key
// that the token is to be bound to. Browsers do this by themselves; it is here for programs that stand in for one. It
// is never retried.
func (c *Client) ExchangePortalSession(ctx context.Context, clientSecret, proof string) (StartedPortalSession, error) {
	call := post(struct {
		ClientSecret string `json:"clientSecret"`
	}{clientSecret}, "portal-sessions", "exchange")
	call.header = http.Header{"Dpop": {proof}}
	return invoke[StartedPortalSession](ctx, c, call)
}

// RenewPortalSession gives another token to the key that a portal session is bound to. It is never retried.
func (c *Client) RenewPortalSession(ctx context.Context, id, proof string) (StartedPortalSession, error) {
	call := post(struct{}{}, "portal-sessions", id, "renew")
	call.header = http.Header{"Dpop": {proof}}
	return invoke[StartedPortalSession](ctx, c, call)
}
