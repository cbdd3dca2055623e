package wire

import "github.com/keyward/keyward/internal/strictjson"

// CreatePortalSession is the body of POST /portal-sessions.
type CreatePortalSession struct {
	WorkspaceID      Place                                   `json:"workspaceId"`
	UserID           string                                  `json:"userId"`
	CreateMember     strictjson.Nullable[PutMember]          `json:"createMember"`
	Capabilities     []string                                `json:"capabilities"`
	Ceiling          strictjson.Nullable[PortalCeilingGiven] `json:"ceiling"`
	AllowedOrigins   []string                                `json:"allowedOrigins"`
	Reveal           strictjson.Optional[string]             `json:"reveal"`
	Locale           strictjson.Nullable[string]             `json:"locale"`
	Theme            strictjson.Nullable[string]             `json:"theme"`
	ReturnURL        strictjson.Nullable[string]             `json:"returnUrl"`
	Label            strictjson.Nullable[string]             `json:"label"`
	ExpiresInSeconds strictjson.Optional[int64]              `json:"expiresInSeconds"`
}

// PortalCeilingGiven is a ceiling as given; null bounds nothing.
type PortalCeilingGiven struct {
	Permissions        strictjson.Nullable[[]string]       `json:"permissions"`
	MaxLifetimeSeconds strictjson.Nullable[int64]          `json:"maxLifetimeSeconds"`
	RateLimit          strictjson.Nullable[RateLimitInput] `json:"rateLimit"`
	Environments       strictjson.Nullable[[]string]       `json:"environments"`
	MaxKeys            strictjson.Nullable[int64]          `json:"maxKeys"`
	RequireAllowedIPs  strictjson.Optional[bool]           `json:"requireAllowedIps"`
}

// PortalSession is a session through which a member acts in a page of the platform.
type PortalSession struct {
	ID             string        `json:"id"`
	WorkspaceID    string        `json:"workspaceId"`
	UserID         string        `json:"userId"`
	Capabilities   []string      `json:"capabilities"`
	Ceiling        PortalCeiling `json:"ceiling"`
	AllowedOrigins []string      `json:"allowedOrigins"`
	Reveal         string        `json:"reveal"`
	Locale         *string       `json:"locale"`
	Theme          *string       `json:"theme"`
	ReturnURL      *string       `json:"returnUrl"`
	Label          *string       `json:"label"`
	IsStarted      bool          `json:"isStarted"`
	CreatedBy      string        `json:"createdBy"`
	CreatedAt      Time          `json:"createdAt"`
	ExpiresAt      Time          `json:"expiresAt"`
}

// PortalCeiling bounds the keys of a portal session; null bounds nothing.
type PortalCeiling struct {
	Permissions        *[]string `json:"permissions"`
	MaxLifetimeSeconds *int64    `json:"maxLifetimeSeconds"`
	RateLimit          RateLimit `json:"rateLimit"`
	Environments       *[]string `json:"environments"`
	MaxKeys            *int64    `json:"maxKeys"`
	RequireAllowedIPs  bool      `json:"requireAllowedIps"`
}

// CreatedPortalSession answers a creation: here alone the client secret stands, by itself and behind the # of the
// address.
type CreatedPortalSession struct {
	PortalSession PortalSession `json:"portalSession"`
	ClientSecret  string        `json:"clientSecret"`
	URL           string        `json:"url"`
}

// ExchangePortalSession is the body of POST /portal-sessions/exchange.
type ExchangePortalSession struct {
	ClientSecret string `json:"clientSecret"`
}

// StartedPortalSession answers an exchange and a renewal: here alone the token stands.
type StartedPortalSession struct {
	PortalSession PortalSession `json:"portalSession"`
	Token         string        `json:"token"`
	TokenType     string        `json:"tokenType"` // always DPoP
	ExpiresAt     Time          `json:"expiresAt"` // of the token
	// FirstPage is the first page of keys, in the answer to an exchange by a session that may read keys.
	FirstPage *APIKeyList `json:"firstPage,omitempty"`
}

// PortalSessionResult answers with one portal session.
type PortalSessionResult struct {
	PortalSession PortalSession `json:"portalSession"`
}

// PortalSessionList answers a listing.
type PortalSessionList struct {
	PortalSessions []PortalSession `json:"portalSessions"`
	Pagination     Pagination      `json:"pagination"`
}
