package wire

import "github.com/keyward/keyward/internal/strictjson"

// Workspace is a tenant.
type Workspace struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	IsActive  bool     `json:"isActive"`
	OwnerID   string   `json:"ownerId"`
	CreatedAt Time     `json:"createdAt"`
	UpdatedAt Time     `json:"updatedAt"`
	Settings  Settings `json:"settings"`
	Plan      Plan     `json:"plan"`
}

// Plan is what an operator allows a workspace: limits that all keys share, quotas, and the most that one key may have.
// null is none.
type Plan struct {
	RequestsPerMinute *int64 `json:"requestsPerMinute"`
	RequestsPerDay    *int64 `json:"requestsPerDay"`
	MaxKeys           *int64 `json:"maxKeys"`
	MaxMembers        *int64 `json:"maxMembers"`
	MaxRoles          *int64 `json:"maxRoles"`
	MaxEventsPerDay   *int64 `json:"maxEventsPerDay"`

	CeilingPerKey *Ceiling `json:"ceilingPerKey,omitzero"`
}

// Ceiling is the most that one key of a workspace may have; null is no ceiling.
type Ceiling struct {
	RequestsPerMinute  *int64 `json:"requestsPerMinute"`
	RequestsPerDay     *int64 `json:"requestsPerDay"`
	MaxLifetimeSeconds *int64 `json:"maxLifetimeSeconds"`
}

// CeilingInput is a ceiling as given; null, or nothing, is none.
type CeilingInput struct {
	RequestsPerMinute  strictjson.Nullable[int64] `json:"requestsPerMinute"`
	RequestsPerDay     strictjson.Nullable[int64] `json:"requestsPerDay"`
	MaxLifetimeSeconds strictjson.Nullable[int64] `json:"maxLifetimeSeconds"`
}

// PutPlan replaces a plan; null, or nothing, is no quota.
type PutPlan struct {
	RequestsPerMinute strictjson.Nullable[int64]        `json:"requestsPerMinute"`
	RequestsPerDay    strictjson.Nullable[int64]        `json:"requestsPerDay"`
	MaxKeys           strictjson.Nullable[int64]        `json:"maxKeys"`
	MaxMembers        strictjson.Nullable[int64]        `json:"maxMembers"`
	MaxRoles          strictjson.Nullable[int64]        `json:"maxRoles"`
	MaxEventsPerDay   strictjson.Nullable[int64]        `json:"maxEventsPerDay"`
	CeilingPerKey     strictjson.Nullable[CeilingInput] `json:"ceilingPerKey"`
}

// Settings are a workspace's rules for keys.
type Settings struct {
	PermissionMode        string    `json:"permissionMode"`
	DefaultRateLimit      RateLimit `json:"defaultRateLimit"`
	MaxKeyLifetimeSeconds *int64    `json:"maxKeyLifetimeSeconds"`
	RequireExpiry         bool      `json:"requireExpiry"`
	SelfRotation          string    `json:"selfRotation"`
}

// SettingsInput are settings as given.
type SettingsInput struct {
	PermissionMode        strictjson.Optional[string]         `json:"permissionMode"`
	DefaultRateLimit      strictjson.Nullable[RateLimitInput] `json:"defaultRateLimit"`
	MaxKeyLifetimeSeconds strictjson.Nullable[int64]          `json:"maxKeyLifetimeSeconds"`
	RequireExpiry         strictjson.Optional[bool]           `json:"requireExpiry"`
	SelfRotation          strictjson.Optional[string]         `json:"selfRotation"`
}

// CreateWorkspace is the body of POST /workspaces.
type CreateWorkspace struct {
	Name     string                             `json:"name"`
	Owner    strictjson.Optional[Owner]         `json:"owner"`
	Settings strictjson.Optional[SettingsInput] `json:"settings"`
}

// Owner is a new workspace's first member.
type Owner struct {
	UserID      string                      `json:"userId"`
	Email       string                      `json:"email"`
	DisplayName strictjson.Nullable[string] `json:"displayName"`
}

// UpdateWorkspace is the body of PATCH /workspaces/{workspaceId}.
type UpdateWorkspace struct {
	Name     strictjson.Optional[string]        `json:"name"`
	IsActive strictjson.Optional[bool]          `json:"isActive"`
	Settings strictjson.Optional[SettingsInput] `json:"settings"`
}

// WorkspaceResult answers with one workspace.
type WorkspaceResult struct {
	Workspace Workspace `json:"workspace"`
}

// UpdatedWorkspace answers a change, which may have stopped every key in it.
type UpdatedWorkspace struct {
	Workspace  Workspace  `json:"workspace"`
	Revocation Revocation `json:"revocation"`
}

// WorkspaceList answers a listing.
type WorkspaceList struct {
	Workspaces []Workspace `json:"workspaces"`
	Pagination Pagination  `json:"pagination"`
}

// Member is a user's place in a workspace.
type Member struct {
	WorkspaceID string  `json:"workspaceId"`
	UserID      string  `json:"userId"`
	Email       string  `json:"email"`
	DisplayName *string `json:"displayName"`
	RoleID      string  `json:"roleId"`
	RoleName    string  `json:"roleName"`
	IsOwner     bool    `json:"isOwner"`
	KeyCount    int64   `json:"keyCount"`
	CreatedAt   Time    `json:"createdAt"`
	UpdatedAt   Time    `json:"updatedAt"`
}

// PutMember is the body of PUT …/members/{userId}.
type PutMember struct {
	Email       string                      `json:"email"`
	DisplayName strictjson.Nullable[string] `json:"displayName"`
	RoleID      ID                          `json:"roleId"`
}

// UpdateMember is the body of PATCH …/members/{userId}.
type UpdateMember struct {
	RoleID      strictjson.Optional[ID]     `json:"roleId"`
	Email       strictjson.Optional[string] `json:"email"`
	DisplayName strictjson.Nullable[string] `json:"displayName"`
}

// MemberResult answers with one member.
type MemberResult struct {
	Member Member `json:"member"`
}

// MemberList answers a listing.
type MemberList struct {
	Members    []Member   `json:"members"`
	Pagination Pagination `json:"pagination"`
}

// RemovedMember answers a removal, or its preview.
type RemovedMember struct {
	Removed         string      `json:"removed"`
	Keys            RemovedKeys `json:"keys"`
	RemovalID       *string     `json:"removalId"`
	RestorableUntil *Time       `json:"restorableUntil"`
	Revocation      Revocation  `json:"revocation"`
}

// RemoveMember is the body of a removal; it may be left out.
type RemoveMember struct {
	Overrides strictjson.Optional[[]KeyOverride] `json:"overrides"`
}

// KeyOverride says what becomes of one key of a leaving member.
type KeyOverride struct {
	ID   ID     `json:"id"`
	Keys string `json:"keys"`
}

// RestoreMember undoes a removal.
type RestoreMember struct {
	RemovalID ID `json:"removalId"`
}

// RestoredMember answers the undoing of a removal.
type RestoredMember struct {
	Member Member       `json:"member"`
	Keys   RestoredKeys `json:"keys"`
}

// RestoredKeys counts the member's keys by their outcome.
type RestoredKeys struct {
	Enabled   int `json:"enabled"`
	Returned  int `json:"returned"`
	Unchanged int `json:"unchanged"`
}

// RemovedKeys counts the member's keys by their outcome.
type RemovedKeys struct {
	Stopped     int `json:"stopped"`
	Kept        int `json:"kept"`
	Transferred int `json:"transferred"`
}

// Role is a named set of permissions. Assignable tells whether the caller may give it.
type Role struct {
	ID          string   `json:"id"`
	WorkspaceID string   `json:"workspaceId"`
	Name        string   `json:"name"`
	Description *string  `json:"description"`
	Permissions []string `json:"permissions"`
	IsSystem    bool     `json:"isSystem"`
	IsDefault   bool     `json:"isDefault"`
	MemberCount int64    `json:"memberCount"`
	Assignable  bool     `json:"assignable"`
	CreatedAt   Time     `json:"createdAt"`
	UpdatedAt   Time     `json:"updatedAt"`
}

// CreateRole is the body of POST …/roles.
type CreateRole struct {
	Name        string                        `json:"name"`
	Description strictjson.Nullable[string]   `json:"description"`
	Permissions strictjson.Optional[[]string] `json:"permissions"` // required; optional here to tell [] from nothing
}

// UpdateRole is the body of PATCH …/roles/{roleId}.
type UpdateRole struct {
	Name        strictjson.Optional[string]   `json:"name"`
	Description strictjson.Nullable[string]   `json:"description"`
	Permissions strictjson.Optional[[]string] `json:"permissions"`
}

// RoleResult answers with one role.
type RoleResult struct {
	Role Role `json:"role"`
}

// RoleList answers a listing.
type RoleList struct {
	Roles      []Role     `json:"roles"`
	Pagination Pagination `json:"pagination"`
}

// ServiceKey is an operator's credential, its key masked.
type ServiceKey struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Scopes    []string `json:"scopes"`
	Key       string   `json:"key"`
	CreatedAt Time     `json:"createdAt"`
	ExpiresAt *Time    `json:"expiresAt"`

	// The bound; null if the key is not bound.
	WorkspaceIDs *[]string `json:"workspaceIds"`
	Environments *[]string `json:"environments"`
	AllowedIPs   *[]string `json:"allowedIps"`

	FollowerModes []string `json:"followerModes"`
}

// CreateServiceKey is the body of POST /service-keys.
type CreateServiceKey struct {
	Name      string                      `json:"name"`
	Scopes    []string                    `json:"scopes"`
	ExpiresAt strictjson.Nullable[string] `json:"expiresAt"`

	WorkspaceIDs strictjson.Nullable[[]ID]     `json:"workspaceIds"`
	Environments strictjson.Nullable[[]string] `json:"environments"`
	AllowedIPs   strictjson.Nullable[[]string] `json:"allowedIps"`

	FollowerModes []string `json:"followerModes"`
}

// RevealedServiceKey answers a creation: here alone Key is the full value.
type RevealedServiceKey struct {
	ServiceKey ServiceKey `json:"serviceKey"`
	Key        string     `json:"key"`
}

// ServiceKeyList answers a listing.
type ServiceKeyList struct {
	ServiceKeys []ServiceKey `json:"serviceKeys"`
	Pagination  Pagination   `json:"pagination"`
}
