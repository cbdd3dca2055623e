package keyward

import (
	"context"
	"net/url"
	"time"
)

// Me is the caller of the request, and what they may do in the workspace in which it works.
type Me struct {
	// User is the person, or the creator of the API key that calls; nil for a service key.
	User *Creator `json:"user"`
	// Workspaces are those that a person is in, the one of an API key, or those that a service key is bound to.
	Workspaces []MyWorkspace `json:"workspaces"`
	// Role is a person's; nil for keys.
	Role        *Role    `json:"role"`
	Permissions []string `json:"permissions"`
	// Grantable are the permissions that the caller may pass on.
	Grantable  []string   `json:"grantable"`
	Credential Credential `json:"credential"`
}

// MyWorkspace is a workspace of the caller.
type MyWorkspace struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	IsActive bool   `json:"isActive"`
	// IsCurrent marks the one in which the request works.
	IsCurrent bool `json:"isCurrent"`
	// RoleID and RoleName are a person's there; "" for keys.
	RoleID   string `json:"roleId"`
	RoleName string `json:"roleName"`
	IsOwner  bool   `json:"isOwner"`
}

// CredentialType is the type of a credential.
type CredentialType string

// The types of credentials.
const (
	CredentialAPIKey     CredentialType = "api_key"
	CredentialServiceKey CredentialType = "service_key"
	CredentialSession    CredentialType = "session"
	CredentialOIDCToken  CredentialType = "oidc_token"
)

// Credential describes the value that was presented. What a credential of the type does not have is "" or nil; a nil
// list confines nothing.
type Credential struct {
	Type CredentialType `json:"type"`
	ID   string         `json:"id"`
	// Name and Key, masked, are a key's.
	Name string `json:"name"`
	Key  string `json:"key"`
	// Value tells which value of an API key was presented: ValueCurrent or ValuePrevious.
	Value PresentedValue `json:"value"`
	// Method says how a session was started, and ServiceKeyID as which service key it acts.
	Method       string        `json:"method"`
	ServiceKeyID string        `json:"serviceKeyId"`
	Scopes       []Scope       `json:"scopes"`
	WorkspaceIDs []string      `json:"workspaceIds"`
	Environments []Environment `json:"environments"`
	AllowedIPs   []string      `json:"allowedIps"`
	// ExpiresAt is nil for what never expires; for an earlier value of a key it is the end of the overlap.
	ExpiresAt *time.Time `json:"expiresAt"`
}

// PresentedValue tells which value of an API key was presented.
type PresentedValue string

// The values of an API key that work: the current one, and those from before a rotation until their overlap ends.
const (
	ValueCurrent  PresentedValue = "current"
	ValuePrevious PresentedValue = "previous"
)

// Me tells who calls. workspaceID is the workspace to tell of; "" is the caller's own.
func (c *Client) Me(ctx context.Context, workspaceID string) (Me, error) {
	query := url.Values{}
	if workspaceID != "" {
		query.Set("workspaceId", workspaceID)
	}
	return invoke[Me](ctx, c, get(query, "me"))
}
