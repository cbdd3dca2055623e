package keyward

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// PermissionMode says which permissions the keys of a workspace have.
type PermissionMode string

// The permission modes of a workspace: frozen keys keep their permissions, capped ones work with those that their
// creator still holds.
const (
	PermissionModeFrozen PermissionMode = "frozen"
	PermissionModeCapped PermissionMode = "capped"
)

// SelfRotation says whether a key may rotate itself.
type SelfRotation string

// The words of selfRotation: whether a key may rotate itself without api-keys:write.
const (
	SelfRotationAllowed   SelfRotation = "allowed"
	SelfRotationForbidden SelfRotation = "forbidden"
)

// Workspace is a tenant: its members, roles and keys are its own.
type Workspace struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// IsActive false verifies no key.
	IsActive  bool      `json:"isActive"`
	OwnerID   string    `json:"ownerId"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	Settings  Settings  `json:"settings"`
	Plan      Plan      `json:"plan"`
}

// Plan is what an operator allows a workspace. nil is no limit and no quota. A change that takes something away is
// never refused by one.
type Plan struct {
	// RequestsPerMinute and RequestsPerDay are shared by all keys of the workspace, and taken together with the key's
	// own.
	RequestsPerMinute *int64 `json:"requestsPerMinute"`
	RequestsPerDay    *int64 `json:"requestsPerDay"`
	// CeilingPerKey bounds each new key; nil is no ceiling.
	CeilingPerKey *Ceiling `json:"ceilingPerKey,omitzero"`
	// MaxKeys counts keys that are there, whether they work or not.
	MaxKeys    *int64 `json:"maxKeys"`
	MaxMembers *int64 `json:"maxMembers"`
	// MaxRoles counts roles beside the system roles.
	MaxRoles *int64 `json:"maxRoles"`
	// MaxEventsPerDay bounds the changes in a UTC day.
	MaxEventsPerDay *int64 `json:"maxEventsPerDay"`
}

// Ceiling is the most that one key may have; nil is no ceiling.
type Ceiling struct {
	RequestsPerMinute  *int64 `json:"requestsPerMinute"`
	RequestsPerDay     *int64 `json:"requestsPerDay"`
	MaxLifetimeSeconds *int64 `json:"maxLifetimeSeconds"`
}

// Settings are a workspace's rules for its keys.
type Settings struct {
	PermissionMode PermissionMode `json:"permissionMode"`
	// DefaultRateLimit is copied into a key whose creation names no limit.
	DefaultRateLimit RateLimit `json:"defaultRateLimit"`
	// MaxKeyLifetimeSeconds is nil when keys may last for ever.
	MaxKeyLifetimeSeconds *int64 `json:"maxKeyLifetimeSeconds"`
	RequireExpiry         bool   `json:"requireExpiry"`
	// SelfRotation says whether a key may rotate itself without api-keys:write.
	SelfRotation SelfRotation `json:"selfRotation"`
}

// SettingsUpdate sets or changes settings; an absent field takes the default, or stays.
type SettingsUpdate struct {
	PermissionMode   Field[PermissionMode] `json:"permissionMode,omitzero"`
	DefaultRateLimit Field[Limits]         `json:"defaultRateLimit,omitzero"`
	// MaxKeyLifetimeSeconds null lets keys last for ever.
	MaxKeyLifetimeSeconds Field[int64] `json:"maxKeyLifetimeSeconds,omitzero"`
	RequireExpiry         Field[bool]  `json:"requireExpiry,omitzero"`
	// SelfRotation is SelfRotationAllowed or SelfRotationForbidden.
	SelfRotation Field[SelfRotation] `json:"selfRotation,omitzero"`
}

// Owner is the first member of a new workspace.
type Owner struct {
	UserID      string `json:"userId"`
	Email       string `json:"email"`
	DisplayName string `json:"displayName,omitzero"`
}

// CreateWorkspaceRequest asks for a workspace.
type CreateWorkspaceRequest struct {
	Name string `json:"name"`
	// Owner is required of a service key; a calling person becomes the owner.
	Owner    *Owner         `json:"owner,omitzero"`
	Settings SettingsUpdate `json:"settings,omitzero"`
}

// WorkspaceUpdate changes a workspace. An absent field stays.
type WorkspaceUpdate struct {
	Name     Field[string]  `json:"name,omitzero"`
	IsActive Field[bool]    `json:"isActive,omitzero"`
	Settings SettingsUpdate `json:"settings,omitzero"`
}

type workspaceAnswer struct {
	Workspace Workspace `json:"workspace"`
}

// CreateWorkspace makes a workspace. It is never retried.
func (c *Client) CreateWorkspace(ctx context.Context, req CreateWorkspaceRequest) (Workspace, error) {
	answer, err := invoke[workspaceAnswer](ctx, c, post(req, "workspaces"))
	return answer.Workspace, err
}

// WorkspacePage is a page of workspaces.
type WorkspacePage struct {
	Workspaces []Workspace `json:"workspaces"`
	Pagination Pagination  `json:"pagination"`
}

// ListWorkspaces gives a page of the workspaces that the caller is in; of all, to a service key.
func (c *Client) ListWorkspaces(ctx context.Context, opts ListOptions) (WorkspacePage, error) {
	return invoke[WorkspacePage](ctx, c, get(url.Values(opts.query()), "workspaces"))
}

// AllWorkspaces yields every workspace from opts.Cursor on, page after page, and ends with the first error.
func (c *Client) AllWorkspaces(ctx context.Context, opts ListOptions) iter.Seq2[Workspace, error] {
	return walkList(opts, func(at ListOptions) ([]Workspace, Pagination, error) {
		page, err := c.ListWorkspaces(ctx, at)
		return page.Workspaces, page.Pagination, err
	})
}

// GetWorkspace gives one workspace.
func (c *Client) GetWorkspace(ctx context.Context, id string) (Workspace, error) {
	answer, err := invoke[workspaceAnswer](ctx, c, get(nil, "workspaces", id))
	return answer.Workspace, err
}

// PutPlan replaces the plan of a workspace. It needs a service key with the scope manage.
func (c *Client) PutPlan(ctx context.Context, id string, plan Plan) (Workspace, error) {
	answer, err := invoke[workspaceAnswer](ctx, c, put(plan, "workspaces", id, "plan"))
	return answer.Workspace, err
}

// UpdatedWorkspace is a workspace after a change, which can have stopped its keys.
type UpdatedWorkspace struct {
	Workspace  Workspace   `json:"workspace"`
	Revocation *Revocation `json:"revocation"`
}

// UpdateWorkspace changes the given fields. It is never retried.
func (c *Client) UpdateWorkspace(
	ctx context.Context, id string, update WorkspaceUpdate, opts ...ChangeOption,
) (UpdatedWorkspace, error) {
	return invoke[UpdatedWorkspace](ctx, c, patch(update, "workspaces", id).with(opts))
}

// DeleteWorkspace deletes a workspace and everything in it; its keys stop at once.
func (c *Client) DeleteWorkspace(ctx context.Context, id string, opts ...ChangeOption) (Deletion, error) {
	return invoke[Deletion](ctx, c, del("workspaces", id).with(opts))
}
