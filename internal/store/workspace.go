package store

import (
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

// workspaceTable has all columns of workspaces but deleted_ms.
var workspaceTable = newTable("workspaces", "",
	plain("id", func(w *account.Workspace) *id.Workspace { return &w.ID }).fixed(),
	plain("name", func(w *account.Workspace) *string { return &w.Name }),
	plain("is_active", func(w *account.Workspace) *bool { return &w.IsActive }),
	plain("owner_id", func(w *account.Workspace) *id.User { return &w.OwnerID }),
	plain("permission_mode", func(w *account.Workspace) *account.PermissionMode { return &w.Settings.PermissionMode }),
	plain("default_per_minute", func(w *account.Workspace) *int64 { return &w.Settings.DefaultRateLimit.PerMinute }),
	plain("default_per_day", func(w *account.Workspace) *int64 { return &w.Settings.DefaultRateLimit.PerDay }),
	span("max_lifetime_ms", func(w *account.Workspace) *time.Duration { return &w.Settings.MaxKeyLifetime }),
	plain("require_expiry", func(w *account.Workspace) *bool { return &w.Settings.RequireExpiry }),
	instant("created_ms", func(w *account.Workspace) *time.Time { return &w.CreatedAt }).fixed(),
	instant("updated_ms", func(w *account.Workspace) *time.Time { return &w.UpdatedAt }),
	plain("off_by", func(w *account.Workspace) *string { return &w.Off.By }),
	instant("off_ms", func(w *account.Workspace) *time.Time { return &w.Off.At }),
	plain("off_by_operator", func(w *account.Workspace) *bool { return &w.Off.Operator }),
	plain("max_keys", func(w *account.Workspace) *int64 { return &w.Plan.MaxKeys }),
	plain("max_members", func(w *account.Workspace) *int64 { return &w.Plan.MaxMembers }),
	plain("max_roles", func(w *account.Workspace) *int64 { return &w.Plan.MaxRoles }),
	plain("max_events_per_day", func(w *account.Workspace) *int64 { return &w.Plan.MaxEventsPerDay }),
	plain("plan_per_minute", func(w *account.Workspace) *int64 { return &w.Plan.Shared.PerMinute }),
	plain("plan_per_day", func(w *account.Workspace) *int64 { return &w.Plan.Shared.PerDay }),
	plain("ceiling_per_minute", func(w *account.Workspace) *int64 { return &w.Plan.Ceiling.Limits.PerMinute }),
	plain("ceiling_per_day", func(w *account.Workspace) *int64 { return &w.Plan.Ceiling.Limits.PerDay }),
	span("ceiling_lifetime_ms", func(w *account.Workspace) *time.Duration { return &w.Plan.Ceiling.MaxLifetime }),
	plain("no_self_rotation", func(w *account.Workspace) *bool { return &w.Settings.NoSelfRotation }),
)

var selectWorkspaces = workspaceTable.selects

func scanWorkspace(r Rows) (account.Workspace, error) {
	w, err := workspaceTable.scan(r)
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
	return all(
		v,
		scanWorkspace,
		selectWorkspaces+w.String()+` ORDER BY id DESC LIMIT ?`,
		append(w.args, limit(p.Limit))...)
}

// PutWorkspace inserts or replaces by id. A deleted workspace does not come back: ErrNotFound.
func (tx *Tx) PutWorkspace(w account.Workspace) error {
	err := tx.exec(workspaceTable.upsert+` WHERE workspaces.deleted_ms = 0`, workspaceTable.inserted(&w)...)
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

// DeleteWorkspace marks the workspace, at a cost that does not depend on its content. From then on it and everything
// in it is ErrNotFound; Purge removes the rows.
func (tx *Tx) DeleteWorkspace(ws id.Workspace) error {
	if err := tx.exec(`UPDATE workspaces SET deleted_ms = ? WHERE id = ? AND deleted_ms = 0`, millis(tx.now),
		ws); err != nil {
		return fmt.Errorf("delete workspace: %w", err)
	}
	if err := tx.wipeSealedOf(ws); err != nil {
		return fmt.Errorf("delete workspace: %w", err)
	}
	tx.living = ""
	tx.changed(feed.Change{WorkspaceGone: ws})
	return nil
}
