package httpapi

import (
	"net/http"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/wire"
)

func (a *api) listMembers(x *exchange) (wire.MemberList, error) {
	paging, err := x.query.paging()
	if err != nil {
		return wire.MemberList{}, err
	}
	ms, page, err := a.Control.ListMembers(x.ctx(), x.caller, x.r.PathValue("workspaceId"), paging)
	return wire.MemberList{Members: mapped(ms, member), Pagination: pagination(page)}, err
}

func (a *api) getMember(x *exchange) (wire.MemberResult, error) {
	m, err := a.Control.GetMember(x.ctx(), x.caller, x.r.PathValue("workspaceId"), x.r.PathValue("userId"))
	return wire.MemberResult{Member: member(m)}, err
}

func (a *api) putMember(x *exchange, in wire.PutMember) (wire.MemberResult, error) {
	m, created, err := a.Control.PutMember(x.ctx(), x.caller, x.r.PathValue("workspaceId"), x.r.PathValue("userId"),
		control.PutMember{Email: in.Email, DisplayName: clearable(in.DisplayName), Role: string(in.RoleID)})
	if created {
		x.status = http.StatusCreated
	}
	return wire.MemberResult{Member: member(m)}, err
}

func (a *api) updateMember(x *exchange, in wire.UpdateMember) (wire.MemberResult, error) {
	m, err := a.Control.UpdateMember(
		x.ctx(),
		x.caller,
		x.r.PathValue("workspaceId"),
		x.r.PathValue("userId"),
		control.UpdateMember{
			Role: control.Optional[string]{Set: in.RoleID.Set, Value: string(in.RoleID.Value)}, Email: given(in.Email),
			DisplayName: clearable(in.DisplayName),
		},
	)
	return wire.MemberResult{Member: member(m)}, err
}

func (a *api) removeMember(x *exchange, body wire.RemoveMember) (out wire.RemovedMember, err error) {
	var in control.RemoveMember
	if body.Overrides.Set && len(body.Overrides.Value) == 0 {
		return out, fault.Invalid("overrides", "must hold at least one key, or be left out")
	}
	for _, o := range body.Overrides.Value {
		in.Overrides = append(in.Overrides, control.KeyOverride{Key: string(o.ID), Keys: o.Keys})
	}
	if in.Keys, err = x.query.word("keys"); err != nil {
		return out, err
	}
	if in.Reason, err = x.query.word("reason"); err != nil {
		return out, err
	}
	dryRun, err := x.query.flag("dryRun")
	if err != nil {
		return out, err
	}
	in.DryRun = dryRun != nil && *dryRun
	r, err := a.Control.RemoveMember(x.ctx(), x.caller, x.r.PathValue("workspaceId"), x.r.PathValue("userId"), in)
	if err != nil {
		return out, err
	}
	return wire.RemovedMember{
		Removed:         string(r.User),
		Keys:            wire.RemovedKeys{Stopped: r.Stopped, Kept: r.Kept, Transferred: r.Transferred},
		RemovalID:       wire.TextOrNull(string(r.Removal)),
		RestorableUntil: wire.TimeOrNull(r.Until),
		Revocation:      x.revocation(nil),
	}, nil
}

func (a *api) restoreMember(x *exchange, in wire.RestoreMember) (wire.RestoredMember, error) {
	r, err := a.Control.RestoreMember(
		x.ctx(), x.caller, x.r.PathValue("workspaceId"), x.r.PathValue("userId"), string(in.RemovalID),
	)
	return wire.RestoredMember{Member: member(r.Member),
		Keys: wire.RestoredKeys{Enabled: r.Enabled, Returned: r.Returned, Unchanged: r.Unchanged}}, err
}

func member(m control.Member) wire.Member {
	return wire.Member{
		WorkspaceID: string(m.Workspace), UserID: string(m.User), Email: m.Email, DisplayName: wire.TextOrNull(m.DisplayName),
		RoleID: string(m.Role), RoleName: m.RoleName, IsOwner: m.IsOwner, KeyCount: m.KeyCount,
		CreatedAt: wire.Time(m.CreatedAt), UpdatedAt: wire.Time(m.UpdatedAt),
	}
}
