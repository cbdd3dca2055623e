package store

import (
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

const selectWorkspaces = `SELECT id, name, is_active, owner_id, permission_mode, default_per_minute, default_per_day,
	max_lifetime_ms, require_expiry, created_ms, updated_ms, off_by, off_ms, off_by_operator,
	max_keys, max_members, max_roles, max_events_per_day, no_self_rotation FROM workspaces`

func scanWorkspace(r Rows) (w account.Workspace, err error) {
	var lifetime, created, updated, off int64
	err = r.Scan(&w.ID, &w.Name, &w.IsActive, &w.OwnerID, &w.Settings.PermissionMode, &w.Settings.DefaultRateLimit.PerMinute,
		&w.Settings.DefaultRateLimit.PerDay, &lifetime, &w.Settings.RequireExpiry, &created, &updated, &w.Off.By, &off, &w.Off.Operator,
		&w.Plan.MaxKeys, &w.Plan.MaxMembers, &w.Plan.MaxRoles, &w.Plan.MaxEventsPerDay,
		&w.Settings.NoSelfRotation)
	w.Settings.MaxKeyLifetime = time.Duration(lifetime) * time.Millisecond
	w.CreatedAt, w.UpdatedAt, w.Off.At = fromMillis(created), fromMillis(updated), fromMillis(off)
	if w.IsActive {
		w.Off = account.SwitchedOff{}
	}
	return w, err
}

// Workspace is ErrNotFound for a deleted one too.
func (v *View) Workspace(ws id.Workspace) (account.Workspace, error) {
	w, err := cachedOrRead(v, ws, func() (account.Workspace, error) {
		return one(v, scanWorkspace, selectWorkspaces+` WHERE id = ? AND deleted_ms = 0`, ws)
	})
	if err == nil {
		v.living = ws
	}
	return w, err
}

// Workspaces lists them, the newest first.
func (v *View) Workspaces(p Page) ([]account.Workspace, error) {
	var w where
	w.and("deleted_ms = 0")
	if p.After != "" {
		w.and("id < ?", p.After)
	}
	return all(v, scanWorkspace, selectWorkspaces+w.String()+` ORDER BY id DESC LIMIT ?`, append(w.args, limit(p.Limit))...)
}

// PutWorkspace inserts or replaces by id. A deleted workspace does not come back: ErrNotFound.
func (tx *Tx) PutWorkspace(w account.Workspace) error {
	s := w.Settings
	err := tx.exec(`INSERT INTO workspaces (id, name, is_active, owner_id, permission_mode, default_per_minute, default_per_day,
			max_lifetime_ms, require_expiry, created_ms, updated_ms, off_by, off_ms, off_by_operator,
			max_keys, max_members, max_roles, max_events_per_day, no_self_rotation)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, is_active = excluded.is_active, owner_id = excluded.owner_id,
			permission_mode = excluded.permission_mode, default_per_minute = excluded.default_per_minute,
			default_per_day = excluded.default_per_day, max_lifetime_ms = excluded.max_lifetime_ms,
			require_expiry = excluded.require_expiry, updated_ms = excluded.updated_ms, off_by = excluded.off_by,
			off_ms = excluded.off_ms, off_by_operator = excluded.off_by_operator,
			max_keys = excluded.max_keys, max_members = excluded.max_members, max_roles = excluded.max_roles,
			max_events_per_day = excluded.max_events_per_day, no_self_rotation = excluded.no_self_rotation
		WHERE workspaces.deleted_ms = 0`,
		w.ID, w.Name, toInt(w.IsActive), w.OwnerID, s.PermissionMode, s.DefaultRateLimit.PerMinute, s.DefaultRateLimit.PerDay,
		s.MaxKeyLifetime.Milliseconds(), toInt(s.RequireExpiry), millis(w.CreatedAt), millis(w.UpdatedAt), w.Off.By,
		millis(w.Off.At), toInt(w.Off.Operator), w.Plan.MaxKeys, w.Plan.MaxMembers, w.Plan.MaxRoles, w.Plan.MaxEventsPerDay,
		toInt(s.NoSelfRotation))
	if err != nil {
		return fmt.Errorf("put workspace: %w", err)
	}
	now, err := tx.Workspace(w.ID)
	if err != nil {
		return fmt.Errorf("put workspace: %w", err)
	}
	tx.changed(feed.Change{Workspace: &now})
	return nil
}

// DeleteWorkspace marks the workspace, at a cost that does not depend on what is in it. From then on it and everything in it is
// ErrNotFound; Purge removes the rows.
func (tx *Tx) DeleteWorkspace(ws id.Workspace) error {
	if err := tx.exec(`UPDATE workspaces SET deleted_ms = ? WHERE id = ? AND deleted_ms = 0`, millis(tx.now), ws); err != nil {
		return fmt.Errorf("delete workspace: %w", err)
	}
	if err := tx.wipeSealedOf(ws); err != nil {
		return fmt.Errorf("delete workspace: %w", err)
	}
	tx.living = ""
	tx.changed(feed.Change{WorkspaceGone: ws})
	return nil
}
