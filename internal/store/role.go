package store

import (
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

// roleRow is a role as stored. set is 0 for a system role, whose permissions come from the catalogue.
type roleRow struct {
	account.Role
	folded string
	set    int64
}

var roleTable = newTable("roles", "",
	plain("id", func(r *roleRow) *id.Role { return &r.ID }).fixed(),
	plain("workspace_id", func(r *roleRow) *id.Workspace { return &r.Workspace }).fixed(),
	plain("name", func(r *roleRow) *string { return &r.Name }),
	plain("name_folded", func(r *roleRow) *string { return &r.folded }),
	plain("description", func(r *roleRow) *string { return &r.Description }),
	plain("system", func(r *roleRow) *account.SystemRole { return &r.System }),
	plain("set_id", func(r *roleRow) *int64 { return &r.set }).or0(),
	plain("member_count", func(r *roleRow) *int64 { return &r.MemberCount }).counted(),
	instant("created_ms", func(r *roleRow) *time.Time { return &r.CreatedAt }).fixed(),
	instant("updated_ms", func(r *roleRow) *time.Time { return &r.UpdatedAt }),
)

var selectRoles = roleTable.selects

func (v *View) scanRole(r Rows) (account.Role, error) {
	row, err := roleTable.scan(r)
	if err != nil {
		return row.Role, err
	}
	if row.System != account.NotASystem {
		row.Permissions = row.System.Permissions(v.db.catalogue)
		return row.Role, nil
	}
	row.Permissions, err = v.set(row.set)
	return row.Role, err
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
	return inLive(
		v, ws, v.scanRole, selectRoles+` WHERE workspace_id = ? AND id > ? ORDER BY id LIMIT ?`, ws, p.After, limit(p.Limit),
	)
}

// PutRole inserts or replaces by id. ErrDuplicate says that another role of the workspace has this folded name.
// MemberCount is the store's own.
func (tx *Tx) PutRole(r account.Role, folded string) error {
	if err := tx.putRole(r, folded); err != nil {
		return fmt.Errorf("put role: %w", err)
	}
	now, err := tx.Role(r.Workspace, r.ID)
	if err != nil {
		return fmt.Errorf("put role: %w", err)
	}
	tx.changed(feed.Change{Role: &now})
	return tx.NarrowHeirs(r.Workspace)
}

func (tx *Tx) putRole(r account.Role, folded string) error {
	if err := tx.alive(r.Workspace); err != nil {
		return err
	}
	row := roleRow{Role: r, folded: folded}
	if r.System == account.NotASystem {
		old, err := all(tx.View, scanInt, `SELECT coalesce(set_id, 0) FROM roles WHERE id = ?`, r.ID)
		if err != nil {
			return err
		}
		if row.set, err = tx.intern(r.Permissions, first(old)); err != nil {
			return err
		}
	}
	return tx.exec(roleTable.upsert+` WHERE roles.workspace_id = excluded.workspace_id`, roleTable.inserted(&row)...)
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
	tx.changed(feed.Change{RoleGone: r, In: ws})
	return nil
}
