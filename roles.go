package keyward

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// Role is a named set of permissions that members hold.
type Role struct {
	ID          string `json:"id"`
	WorkspaceID string `json:"workspaceId"`
	Name        string `json:"name"`
	// Description is empty when there is none.
	Description string   `json:"description"`
	Permissions []string `json:"permissions"`
	// IsSystem roles cannot be changed.
	IsSystem    bool `json:"isSystem"`
	IsDefault   bool `json:"isDefault"`
	MemberCount int  `json:"memberCount"`
	// Assignable tells whether the caller may give it.
	Assignable bool      `json:"assignable"`
	CreatedAt  time.Time `json:"createdAt"`
	UpdatedAt  time.Time `json:"updatedAt"`
}

// CreateRoleRequest asks for a role. A role can hold only permissions of the caller; nil permissions are none.
type CreateRoleRequest struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitzero"`
	Permissions []string `json:"permissions"`
}

// RoleUpdate changes a role. An absent field stays.
type RoleUpdate struct {
	Name Field[string] `json:"name,omitzero"`
	// Description null clears it.
	Description Field[string]   `json:"description,omitzero"`
	Permissions Field[[]string] `json:"permissions,omitzero"`
}

type roleAnswer struct {
	Role Role `json:"role"`
}

// CreateRole makes a role. It is never retried.
func (c *Client) CreateRole(ctx context.Context, workspaceID string, req CreateRoleRequest) (Role, error) {
	req.Permissions = list(req.Permissions)
	answer, err := invoke[roleAnswer](ctx, c, post(req, "workspaces", workspaceID, "roles"))
	return answer.Role, err
}

// RolePage is a page of roles.
type RolePage struct {
	Roles      []Role     `json:"roles"`
	Pagination Pagination `json:"pagination"`
}

// ListRoles gives a page of a workspace's roles, the system's among them.
func (c *Client) ListRoles(ctx context.Context, workspaceID string, opts ListOptions) (RolePage, error) {
	return invoke[RolePage](ctx, c, get(url.Values(opts.query()), "workspaces", workspaceID, "roles"))
}

// AllRoles yields every role from opts.Cursor on, page after page, and ends with the first error.
func (c *Client) AllRoles(ctx context.Context, workspaceID string, opts ListOptions) iter.Seq2[Role, error] {
	return walkList(opts, func(at ListOptions) ([]Role, Pagination, error) {
		page, err := c.ListRoles(ctx, workspaceID, at)
		return page.Roles, page.Pagination, err
	})
}

// GetRole gives one role.
func (c *Client) GetRole(ctx context.Context, workspaceID, roleID string) (Role, error) {
	answer, err := invoke[roleAnswer](ctx, c, get(nil, "workspaces", workspaceID, "roles", roleID))
	return answer.Role, err
}

// UpdateRole changes the given fields. It is never retried. Existing keys keep their permissions.
func (c *Client) UpdateRole(ctx context.Context, workspaceID, roleID string, update RoleUpdate) (Role, error) {
	if names, ok := update.Permissions.Get(); ok {
		update.Permissions = Set(list(names))
	}
	answer, err := invoke[roleAnswer](ctx, c, patch(update, "workspaces", workspaceID, "roles", roleID))
	return answer.Role, err
}

// DeleteRole deletes a role that no member holds; 409 conflict refuses the others, and the system's.
func (c *Client) DeleteRole(ctx context.Context, workspaceID, roleID string) (Deletion, error) {
	return invoke[Deletion](ctx, c, del("workspaces", workspaceID, "roles", roleID))
}
