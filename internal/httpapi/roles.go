package httpapi

import (
	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/wire"
)

func (a *api) createRole(x *exchange, in wire.CreateRole) (wire.RoleResult, error) {
	if !in.Permissions.Set {
		return wire.RoleResult{}, fault.Invalid("permissions", "must be given")
	}
	r, err := a.Control.CreateRole(x.ctx(), x.caller, x.r.PathValue("workspaceId"),
		control.CreateRole{Name: in.Name, Description: clearable(in.Description), Permissions: in.Permissions.Value})
	return wire.RoleResult{Role: a.role(r)}, err
}

func (a *api) listRoles(x *exchange) (wire.RoleList, error) {
	paging, err := x.query.paging()
	if err != nil {
		return wire.RoleList{}, err
	}
	rs, page, err := a.Control.ListRoles(x.ctx(), x.caller, x.r.PathValue("workspaceId"), paging)
	return wire.RoleList{Roles: mapped(rs, a.role), Pagination: pagination(page)}, err
}

func (a *api) getRole(x *exchange) (wire.RoleResult, error) {
	r, err := a.Control.GetRole(x.ctx(), x.caller, x.r.PathValue("workspaceId"), x.r.PathValue("roleId"))
	return wire.RoleResult{Role: a.role(r)}, err
}

func (a *api) updateRole(x *exchange, in wire.UpdateRole) (wire.RoleResult, error) {
	r, err := a.Control.UpdateRole(x.ctx(), x.caller, x.r.PathValue("workspaceId"), x.r.PathValue("roleId"),
		control.UpdateRole{Name: given(in.Name), Description: clearable(in.Description), Permissions: given(in.Permissions)})
	return wire.RoleResult{Role: a.role(r)}, err
}

func (a *api) deleteRole(x *exchange) (wire.Deleted, error) {
	r := x.r.PathValue("roleId")
	err := a.Control.DeleteRole(x.ctx(), x.caller, x.r.PathValue("workspaceId"), r)
	return wire.Deleted{Deleted: []string{r}}, err
}

// role shows a role. New members get the Member role by default.
func (a *api) role(r control.Role) wire.Role {
	return wire.Role{
		ID: string(r.ID), WorkspaceID: string(r.Workspace), Name: r.Name, Description: wire.TextOrNull(r.Description),
		Permissions: a.Catalogue.Names(r.Permissions), IsSystem: r.System != account.NotASystem,
		IsDefault:   r.System == account.MemberRole,
		MemberCount: r.MemberCount, Assignable: r.Assignable, CreatedAt: wire.Time(r.CreatedAt),
		UpdatedAt: wire.Time(r.UpdatedAt),
	}
}
