package httpapi

import (
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/wire"
)

func (a *api) createWorkspace(x *exchange, in wire.CreateWorkspace) (wire.WorkspaceResult, error) {
	w, err := a.Control.CreateWorkspace(x.ctx(), x.caller, control.CreateWorkspace{
		Name: in.Name,
		Owner: control.Optional[control.OwnerInput]{Set: in.Owner.Set, Value: control.OwnerInput{
			User: in.Owner.Value.UserID, Email: in.Owner.Value.Email, DisplayName: clearable(in.Owner.Value.DisplayName),
		}},
		Settings: settingsGiven(in.Settings),
	})
	return wire.WorkspaceResult{Workspace: workspace(w)}, err
}

func (a *api) listWorkspaces(x *exchange) (wire.WorkspaceList, error) {
	paging, err := x.query.paging()
	if err != nil {
		return wire.WorkspaceList{}, err
	}
	ws, page, err := a.Control.ListWorkspaces(x.ctx(), x.caller, paging)
	return wire.WorkspaceList{Workspaces: mapped(ws, workspace), Pagination: pagination(page)}, err
}

func (a *api) getWorkspace(x *exchange) (wire.WorkspaceResult, error) {
	w, err := a.Control.GetWorkspace(x.ctx(), x.caller, x.r.PathValue("workspaceId"))
	return wire.WorkspaceResult{Workspace: workspace(w)}, err
}

func (a *api) updateWorkspace(x *exchange, in wire.UpdateWorkspace) (wire.UpdatedWorkspace, error) {
	w, err := a.Control.UpdateWorkspace(x.ctx(), x.caller, x.r.PathValue("workspaceId"), control.UpdateWorkspace{
		Name: given(in.Name), IsActive: given(in.IsActive), Settings: settingsGiven(in.Settings),
	})
	return wire.UpdatedWorkspace{Workspace: workspace(w), Revocation: x.revocation(err)}, err
}

func (a *api) putPlan(x *exchange, in wire.PutPlan) (wire.WorkspaceResult, error) {
	plan := control.PlanInput{
		MaxKeys:    clearable(in.MaxKeys),
		MaxMembers: clearable(in.MaxMembers),
		MaxRoles:   clearable(in.MaxRoles),
		MaxEventsPerDay: clearable(
			in.MaxEventsPerDay,
		),
		PerMinute: clearable(in.RequestsPerMinute),
		PerDay:    clearable(in.RequestsPerDay),
		Ceiling: control.Optional[control.CeilingInput]{
			Set:  in.CeilingPerKey.Set,
			Null: in.CeilingPerKey.Null,
			Value: control.CeilingInput{
				PerMinute:          clearable(in.CeilingPerKey.Value.RequestsPerMinute),
				PerDay:             clearable(in.CeilingPerKey.Value.RequestsPerDay),
				MaxLifetimeSeconds: clearable(in.CeilingPerKey.Value.MaxLifetimeSeconds),
			},
		},
	}
	w, err := a.Control.PutPlan(x.ctx(), x.caller, x.r.PathValue("workspaceId"), plan)
	return wire.WorkspaceResult{Workspace: workspace(w)}, err
}

func (a *api) deleteWorkspace(x *exchange) (wire.Revoked, error) {
	w := x.r.PathValue("workspaceId")
	err := a.Control.DeleteWorkspace(x.ctx(), x.caller, w)
	return wire.Revoked{Deleted: []string{w}, Revocation: x.revocation(err)}, err
}

func workspace(w account.Workspace) wire.Workspace {
	return wire.Workspace{
		ID: string(w.ID), Name: w.Name, IsActive: w.IsActive, OwnerID: string(w.OwnerID),
		CreatedAt: wire.Time(w.CreatedAt), UpdatedAt: wire.Time(w.UpdatedAt),
		Settings: wire.Settings{
			PermissionMode:        string(w.Settings.PermissionMode),
			DefaultRateLimit:      rateLimit(w.Settings.DefaultRateLimit),
			MaxKeyLifetimeSeconds: wire.LimitOrNull(int64(w.Settings.MaxKeyLifetime / time.Second)),
			RequireExpiry:         w.Settings.RequireExpiry,
			SelfRotation:          w.Settings.SelfRotation(),
		},
		Plan: wire.Plan{
			MaxKeys: wire.LimitOrNull(w.Plan.MaxKeys), MaxMembers: wire.LimitOrNull(w.Plan.MaxMembers),
			MaxRoles: wire.LimitOrNull(w.Plan.MaxRoles), MaxEventsPerDay: wire.LimitOrNull(w.Plan.MaxEventsPerDay),
			RequestsPerMinute: wire.LimitOrNull(w.Plan.Shared.PerMinute), RequestsPerDay: wire.LimitOrNull(w.Plan.Shared.PerDay),
			CeilingPerKey: ceiling(w.Plan.Ceiling),
		},
	}
}

// ceiling is nil where a plan has none.
func ceiling(c account.Ceiling) *wire.Ceiling {
	if c == (account.Ceiling{}) {
		return nil
	}
	return &wire.Ceiling{
		RequestsPerMinute: wire.LimitOrNull(c.Limits.PerMinute), RequestsPerDay: wire.LimitOrNull(c.Limits.PerDay),
		MaxLifetimeSeconds: wire.LimitOrNull(int64(c.MaxLifetime / time.Second)),
	}
}
