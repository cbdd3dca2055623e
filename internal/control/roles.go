package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/text"
)

// assignable adds whether the caller may give the role.
func (s *Service) assignable(a *actor, r account.Role) Role {
	ok := account.Grant(r.Permissions, a.holds, r.Permissions).IsEmpty() && (a.owner || r.System != account.Owner)
	return Role{Role: r, Assignable: ok}
}

// ListRoles gives a page of a workspace's roles, the system roles first.
func (s *Service) ListRoles(ctx context.Context, c Caller, workspace string, in Paging) ([]Role, Page, error) {
	return listed(ctx, s, c, func(v *store.View, a *actor) ([]Role, Page, error) {
		ws, err := s.authorizeWorkspace(v, a, workspace, account.RolesRead)
		if err != nil {
			return nil, Page{}, err
		}
		roles, page, err := paged(s, "roles\x00"+string(ws.ID), in, func(r account.Role) string { return string(r.ID) },
			func(p store.Page) ([]account.Role, error) { return v.Roles(ws.ID, p) })
		out := make([]Role, len(roles))
		for i, r := range roles {
			out[i] = s.assignable(a, r)
		}
		return out, page, err
	})
}

// FindRoles gives the roles that the caller may give and whose name, description or id holds a word, the system roles
// first, at most n of them, and tells whether there may be more.
func (s *Service) FindRoles(
	ctx context.Context, c Caller, workspace, word string, n int,
) (found []Role, more bool, err error) {
	return find(ctx, s, c, lookup[account.Role, Role]{
		workspace: workspace, word: word, most: n, needs: account.RolesRead,
		page:  (*store.View).Roles,
		id:    func(r account.Role) string { return string(r.ID) },
		names: func(r account.Role) []string { return []string{r.Name, r.Description, string(r.ID)} },
		show: func(_ *store.View, a *actor, r account.Role) (Role, bool, error) {
			one := s.assignable(a, r)
			return one, one.Assignable, nil
		},
	})
}

// GetRole shows one role. A person sees their own role in any case.
func (s *Service) GetRole(ctx context.Context, c Caller, workspace, role string) (Role, error) {
	var out Role
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		ws, err := s.resolveWorkspace(v, a, workspace)
		if err != nil {
			return err
		}
		if !a.person() || a.role == "" || id.Role(role) != a.role {
			if _, err := s.findRole(v, a, workspace, role, account.RolesRead); err != nil {
				return err
			}
		}
		r, err := v.Role(ws.ID, id.Role(role))
		out = s.assignable(a, r)
		return err
	})
	return out, storageFault(err)
}

func (s *Service) findRole(v *store.View, a *actor, workspace, role, permission string) (account.Role, error) {
	ws, err := s.authorizeWorkspace(v, a, workspace, permission)
	if err != nil {
		return account.Role{}, err
	}
	if _, ok := id.Parse(role); !ok {
		return account.Role{}, fault.Missing()
	}
	return v.Role(ws.ID, id.Role(role))
}

// CreateRole makes a role that holds no more than the caller.
func (s *Service) CreateRole(ctx context.Context, c Caller, workspace string, in CreateRole) (Role, error) {
	var out Role
	err := s.update(ctx, c.in(workspace), func(tx *store.Tx, a *actor) error {
		ws, err := s.authorizeWorkspace(tx.View, a, workspace, account.RolesWrite)
		if err != nil {
			return err
		}
		r := account.Role{ID: id.Role(s.ids.Next()), Workspace: ws.ID, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
		err = s.applyRole(
			tx.View, a, &r, UpdateRole{Name: Some(in.Name), Description: in.Description, Permissions: Some(in.Permissions)},
		)
		if err != nil {
			return err
		}
		if err := tx.PutRole(r, text.Fold(r.Name)); err != nil {
			return err
		}
		out = s.assignable(a, r)
		return s.record(tx, a, change{kind: audit.RoleCreated, workspace: ws.ID, target: string(r.ID),
			sentence: fmt.Sprintf("role %s created", quoted(r.Name)), after: s.roleFields(r)})
	})
	return out, err
}

// applyRole reads the given fields. The grant rule holds for the whole new set: editing a role passes on all that it
// then holds.
func (s *Service) applyRole(v *store.View, a *actor, r *account.Role, in UpdateRole) error {
	var name, description, permissions error
	if in.Name.Set {
		name = renameRole(v, r, in.Name.Value)
	}
	if in.Description.Set {
		r.Description, description = lineInput("description", in.Description, maxDescription)
	}
	if in.Permissions.Set {
		r.Permissions, permissions = s.permissionsInput("permissions", in.Permissions.Value)
	}
	if err := fault.All(name, description, permissions); err != nil || !in.Permissions.Set {
		return err
	}
	if err := s.mayGrant(a, r.Permissions, r.Permissions, wantedField(in.Permissions)); err != nil {
		return err
	}
	return a.mayLast()
}

// renameRole sets a name that no other role of the workspace has.
func renameRole(v *store.View, r *account.Role, name string) error {
	var err error
	if r.Name, err = nameInput("name", name, maxRoleName); err != nil {
		return err
	}
	taken, err := v.RoleNamed(r.Workspace, text.Fold(r.Name))
	if err == nil && taken.ID != r.ID {
		return fault.New(
			fault.Conflict, "the workspace has a role of this name", fault.Detail{Field: "name", Message: "is taken"},
		)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func systemRole(r account.Role) error {
	if r.System == account.NotASystem {
		return nil
	}
	return fault.New(
		fault.Conflict, "a system role cannot be changed or deleted",
		fault.Detail{Field: "roleId", Message: "is a system role"},
	)
}

// UpdateRole changes the given fields. Existing keys keep their permissions.
func (s *Service) UpdateRole(ctx context.Context, c Caller, workspace, role string, in UpdateRole) (Role, error) {
	var out Role
	err := s.update(ctx, c.in(workspace), func(tx *store.Tx, a *actor) error {
		was, err := s.findRole(tx.View, a, workspace, role, account.RolesWrite)
		if err != nil {
			return err
		}
		if err := systemRole(was); err != nil {
			return err
		}
		r := was
		if err := s.applyRole(tx.View, a, &r, in); err != nil {
			return err
		}
		if out = s.assignable(a, was); unchanged(s.roleFields(was), s.roleFields(r)) {
			return nil
		}
		r.UpdatedAt = tx.Now()
		if err := tx.PutRole(r, text.Fold(r.Name)); err != nil {
			return err
		}
		out = s.assignable(a, r)
		return s.record(
			tx,
			a,
			change{
				kind: audit.RoleUpdated, workspace: r.Workspace, target: string(r.ID), free: !was.Permissions.Within(r.Permissions),
				sentence: fmt.Sprintf("role %s updated", quoted(r.Name)), before: s.roleFields(was), after: s.roleFields(r),
			},
		)
	})
	return out, err
}

// DraftRole tells what UpdateRole would refuse, and changes nothing.
func (s *Service) DraftRole(ctx context.Context, c Caller, workspace, role string, in UpdateRole) error {
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		r, err := s.findRole(v, a, workspace, role, account.RolesWrite)
		if err != nil {
			return err
		}
		if err := systemRole(r); err != nil {
			return err
		}
		return s.applyRole(v, a, &r, in)
	})
	return storageFault(err)
}

// DeleteRole removes a role without members.
func (s *Service) DeleteRole(ctx context.Context, c Caller, workspace, role string) error {
	return s.update(ctx, c.in(workspace), func(tx *store.Tx, a *actor) error {
		r, err := s.findRole(tx.View, a, workspace, role, account.RolesDelete)
		if err != nil {
			return err
		}
		if err := systemRole(r); err != nil {
			return err
		}
		holders, err := tx.MembersWithRole(r.Workspace, r.ID, 1)
		if err != nil {
			return err
		}
		if len(holders) > 0 {
			return fault.New(
				fault.Conflict, "members hold this role; give them another first",
				fault.Detail{Field: "roleId", Message: "is held by members"},
			)
		}
		if err := tx.DeleteRole(r.Workspace, r.ID); err != nil {
			return err
		}
		return s.record(tx, a, change{kind: audit.RoleDeleted, workspace: r.Workspace, target: string(r.ID),
			sentence: fmt.Sprintf("role %s deleted", quoted(r.Name)), before: s.roleFields(r)})
	})
}

func (s *Service) roleFields(r account.Role) fields {
	return fields{"name": r.Name, "description": r.Description, "permissions": s.cat.Names(r.Permissions)}
}
