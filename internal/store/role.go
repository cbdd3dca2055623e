package store

import (
	"fmt"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

const selectRoles = `SELECT id, workspace_id, name, description, system, coalesce(set_id, 0), member_count, created_ms, updated_ms
	FROM roles`

func (v *View) scanRole(r Rows) (role account.Role, err error) {
	var set, created, updated int64
	err = r.Scan(&role.ID, &role.Workspace, &role.Name, &role.Description, &role.System, &set, &role.MemberCount, &created, &updated)
	if err != nil {
		return role, err
	}
	role.CreatedAt, role.UpdatedAt = fromMillis(created), fromMillis(updated)
	if role.System != account.NotASystem {
		role.Permissions = role.System.Permissions(v.db.catalogue)
		return role, nil
	}
	role.Permissions, err = v.set(set)
	return role, err
}

// role reads one role of a live workspace by a condition.
func (v *View) role(ws id.Workspace, condition string, arg any) (account.Role, error) {
	if err := v.alive(ws); err != nil {
		return account.Role{}, err
	}
	return one(v, v.scanRole, selectRoles+` WHERE workspace_id = ? AND `+condition, ws, arg)
}

// Role reads a role; that of another workspace is ErrNotFound.
func (v *View) Role(ws id.Workspace, r id.Role) (account.Role, error) {
	return cachedOrRead(v, roleID{ws, r}, func() (account.Role, error) { return v.role(ws, "id = ?", r) })
}

// RoleNamed seeks by the folded name.
func (v *View) RoleNamed(ws id.Workspace, folded string) (account.Role, error) {
	return v.role(ws, "name_folded = ?", folded)
}

// SystemRole gives the workspace's role of that kind.
func (v *View) SystemRole(ws id.Workspace, s account.SystemRole) (account.Role, error) {
	if s == account.NotASystem {
		return account.Role{}, ErrNotFound
	}
	return v.role(ws, "system = ?", s)
}

// Roles lists them by id, the oldest first: that puts the system roles, which are made with the workspace, in front.
func (v *View) Roles(ws id.Workspace, p Page) ([]account.Role, error) {
	return inLive(v, ws, v.scanRole, selectRoles+` WHERE workspace_id = ? AND id > ? ORDER BY id LIMIT ?`, ws, p.After, limit(p.Limit))
}

// PutRole inserts or replaces by id. ErrDuplicate says that another role of the workspace has this folded name. MemberCount is the
// store's own.
func (tx *Tx) PutRole(r account.Role, folded string) error {
	if err := tx.putRole(r, folded); err != nil {
		return fmt.Errorf("put role: %w", err)
	}
	now, err := tx.Role(r.Workspace, r.ID)
	if err != nil {
		return fmt.Errorf("put role: %w", err)
	}
	tx.changed(feed.Change{Role: &now})
	return nil
}

func (tx *Tx) putRole(r account.Role, folded string) error {
	if err := tx.alive(r.Workspace); err != nil {
		return err
	}
	var set any // NULL for a system role
	if r.System == account.NotASystem {
		old, err := all(tx.View, scanInt, `SELECT coalesce(set_id, 0) FROM roles WHERE id = ?`, r.ID)
		if err != nil {
			return err
		}
		number, err := tx.intern(r.Permissions, first(old))
		if err != nil {
			return err
		}
		set = number
	}
	return tx.exec(`INSERT INTO roles (id, workspace_id, name, name_folded, description, system, set_id, created_ms, updated_ms)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_folded = excluded.name_folded, description = excluded.description,
			system = excluded.system, set_id = excluded.set_id, updated_ms = excluded.updated_ms
		WHERE roles.workspace_id = excluded.workspace_id`,
		r.ID, r.Workspace, r.Name, folded, r.Description, r.System, set, millis(r.CreatedAt), millis(r.UpdatedAt))
}

// first is the only number that was found, or 0.
func first(found []int64) int64 {
	if len(found) == 0 {
		return 0
	}
	return found[0]
}

// DeleteRole fails where members hold the role.
func (tx *Tx) DeleteRole(ws id.Workspace, r id.Role) error {
	err := tx.alive(ws)
	if err == nil {
		err = tx.exec(`DELETE FROM roles WHERE workspace_id = ? AND id = ?`, ws, r)
	}
	if err != nil {
		return fmt.Errorf("delete role: %w", err)
	}
	tx.changed(feed.Change{RoleGone: r})
	return nil
}
