package wire

import "github.com/keyward/keyward/internal/strictjson"

// APIKey is an API key as it is shown. Key is masked but in the two answers that reveal it.
type APIKey struct {
	ID           string        `json:"id"`
	Key          string        `json:"key"`
	WorkspaceID  string        `json:"workspaceId"`
	UserID       string        `json:"userId"`
	Name         string        `json:"name"`
	IsActive     bool          `json:"isActive"`
	CreatedAt    Time          `json:"createdAt"`
	UpdatedAt    Time          `json:"updatedAt"`
	LastUsedAt   *Time         `json:"lastUsedAt"`
	ExpiresAt    *Time         `json:"expiresAt"`
	RateLimit    RateLimit     `json:"rateLimit"`
	Permissions  []string      `json:"permissions"`
	Creator      Creator       `json:"creator"`
	Environment  string        `json:"environment"`
	Description  *string       `json:"description"`
	Metadata     Object        `json:"metadata"`
	AllowedIPs   []string      `json:"allowedIps"`
	PreviousKeys []PreviousKey `json:"previousKeys"`
	DisabledBy   *string       `json:"disabledBy"`
	DisabledAt   *Time         `json:"disabledAt"`
	LastTriedAt  *Time         `json:"lastTriedAt,omitempty"` // absent for never

	WorkspaceName string `json:"workspaceName,omitempty"` // of the key that calls for itself alone
}

// RateLimit is a key's limits; null is no limit.
type RateLimit struct {
	RequestsPerMinute *int64 `json:"requestsPerMinute"`
	RequestsPerDay    *int64 `json:"requestsPerDay"`
}

// Creator is whose key it is.
type Creator struct {
	ID          string  `json:"id"`
	Email       *string `json:"email"`
	DisplayName *string `json:"displayName"`
}

// PreviousKey is an earlier value, masked, that works until its overlap ends.
type PreviousKey struct {
	Key          string  `json:"key"`
	ExpiresAt    Time    `json:"expiresAt"`
	LastUsedAt   *Time   `json:"lastUsedAt"`
	LastUsedFrom *string `json:"lastUsedFrom"`
}

// RateLimitInput is a limit as given.
type RateLimitInput struct {
	RequestsPerMinute strictjson.Nullable[int64] `json:"requestsPerMinute"`
	RequestsPerDay    strictjson.Nullable[int64] `json:"requestsPerDay"`
}

// CreateAPIKey is the body of POST /api-keys.
type CreateAPIKey struct {
	Name        string                                 `json:"name"`
	UserID      string                                 `json:"userId"`
	ExpiresAt   strictjson.Nullable[string]            `json:"expiresAt"`
	RateLimit   strictjson.Nullable[RateLimitInput]    `json:"rateLimit"`
	Permissions strictjson.Optional[[]string]          `json:"permissions"`
	WorkspaceID Place                                  `json:"workspaceId"`
	Environment strictjson.Optional[string]            `json:"environment"`
	Description strictjson.Nullable[string]            `json:"description"`
	Metadata    strictjson.Optional[strictjson.Object] `json:"metadata"`
	AllowedIPs  strictjson.Optional[[]string]          `json:"allowedIps"`
}

// UpdateAPIKeys is the body of PUT /api-keys.
type UpdateAPIKeys struct {
	APIKeys []UpdateAPIKey `json:"apiKeys"`
}

// UpdateAPIKey is one item: a missing member stays unchanged, null clears.
type UpdateAPIKey struct {
	ID          ID                                     `json:"id"`
	Name        strictjson.Optional[string]            `json:"name"`
	IsActive    strictjson.Optional[bool]              `json:"isActive"`
	ExpiresAt   strictjson.Nullable[string]            `json:"expiresAt"`
	RateLimit   strictjson.Nullable[RateLimitInput]    `json:"rateLimit"`
	Description strictjson.Nullable[string]            `json:"description"`
	Metadata    strictjson.Nullable[strictjson.Object] `json:"metadata"`
	AllowedIPs  strictjson.Nullable[[]string]          `json:"allowedIps"`
	Permissions strictjson.Given                       `json:"permissions"` // refused item by item: they are frozen
}

// DeleteAPIKeys is the body of DELETE /api-keys.
type DeleteAPIKeys struct {
	IDs []ID `json:"ids"`
}

// RotateAPIKey is the body of POST /api-keys/{id}/rotate; it may be left out.
type RotateAPIKey struct {
	OverlapSeconds strictjson.Optional[int64] `json:"overlapSeconds"`
}

// APIKeyResult answers with one key.
type APIKeyResult struct {
	APIKey APIKey `json:"apiKey"`
}

// RevealedAPIKey answers a creation: Key is the full value, or null where the creation was a replay.
type RevealedAPIKey struct {
	APIKey APIKey  `json:"apiKey"`
	Key    *string `json:"key"`
}

// RotatedAPIKey answers a rotation, like RevealedAPIKey.
type RotatedAPIKey struct {
	APIKey     APIKey     `json:"apiKey"`
	Key        *string    `json:"key"`
	Revocation Revocation `json:"revocation"`
}

// APIKeyList answers a listing.
type APIKeyList struct {
	APIKeys    []APIKey    `json:"apiKeys"`
	Pagination Pagination  `json:"pagination"`
	Counts     *KeysCounts `json:"counts,omitempty"` // where they were asked for
}

// KeysCounts says how many keys of a list have each status; null is a number that was not counted.
type KeysCounts struct {
	Total    *int64 `json:"total"`
	Active   *int64 `json:"active"`
	Expiring *int64 `json:"expiring"`
	Expired  *int64 `json:"expired"`
	Disabled *int64 `json:"disabled"`
}

// UpdatedAPIKeys answers PUT /api-keys.
type UpdatedAPIKeys struct {
	Updated    []APIKey    `json:"updated"`
	Errors     []ItemError `json:"errors"`
	Revocation Revocation  `json:"revocation"`
}

// DeletedAPIKeys answers DELETE /api-keys.
type DeletedAPIKeys struct {
	Deleted    []string    `json:"deleted"`
	Errors     []ItemError `json:"errors"`
	Revocation Revocation  `json:"revocation"`
}

// Revoked answers a deletion that stops keys.
type Revoked struct {
	Deleted    []string   `json:"deleted"`
	Revocation Revocation `json:"revocation"`
}

// Deleted answers a deletion that stops no key.
type Deleted struct {
	Deleted []string `json:"deleted"`
}

// Revocation says how far a change has got: Effective is "everywhere" or "pending", and after Deadline no node says
// otherwise.
type Revocation struct {
	Effective string `json:"effective"`
	Nodes     Nodes  `json:"nodes"`
	Deadline  Time   `json:"deadline"`
}

// Nodes counts those that have applied a change and those that have not yet.
type Nodes struct {
	Confirmed int `json:"confirmed"`
	Pending   int `json:"pending"`
}

// Permission is one entry of the catalogue.
type Permission struct {
	Name        string `json:"name"`
	Resource    string `json:"resource"`
	Action      string `json:"action"`
	Description string `json:"description"`
}

// PermissionList answers with the catalogue, in its order.
type PermissionList struct {
	Permissions []Permission `json:"permissions"`
}
