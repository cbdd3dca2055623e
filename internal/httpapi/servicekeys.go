package httpapi

import (
	"net/netip"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/wire"
)

func (a *api) createServiceKey(x *exchange, in wire.CreateServiceKey) (wire.RevealedServiceKey, error) {
	made, err := a.Control.CreateServiceKey(x.ctx(), x.caller,
		control.CreateServiceKey{Name: in.Name, Scopes: in.Scopes, ExpiresAt: clearable(in.ExpiresAt),
			Workspaces: idsGiven(in.WorkspaceIDs), Environments: clearable(in.Environments),
			AllowedIPs: clearable(in.AllowedIPs), FollowerModes: in.FollowerModes})
	if err != nil {
		return wire.RevealedServiceKey{}, err
	}
	return wire.RevealedServiceKey{ServiceKey: serviceKey(made.ServiceKey), Key: made.Secret.Reveal()}, nil
}

func (a *api) listServiceKeys(x *exchange) (wire.ServiceKeyList, error) {
	paging, err := x.query.paging()
	if err != nil {
		return wire.ServiceKeyList{}, err
	}
	ks, page, err := a.Control.ListServiceKeys(x.ctx(), x.caller, paging)
	return wire.ServiceKeyList{ServiceKeys: mapped(ks, serviceKey), Pagination: pagination(page)}, err
}

func (a *api) deleteServiceKey(x *exchange) (wire.Revoked, error) {
	k := x.r.PathValue("id")
	err := a.Control.DeleteServiceKey(x.ctx(), x.caller, k)
	return wire.Revoked{Deleted: []string{k}, Revocation: x.revocation(err)}, err
}

func serviceKey(k account.ServiceKey) wire.ServiceKey {
	return wire.ServiceKey{
		ID: string(k.ID), Name: k.Name, Key: k.Masked, CreatedAt: wire.Time(k.CreatedAt),
		ExpiresAt:    wire.TimeOrNull(k.ExpiresAt),
		Scopes:       mapped(k.Scopes, func(s account.Scope) string { return string(s) }),
		WorkspaceIDs: bound(k.Bounds.Workspaces, func(w id.Workspace) string { return string(w) }),
		Environments: bound(k.Bounds.Environments, func(e keyfmt.Environment) string { return string(e) }),
		AllowedIPs:   bound(k.Bounds.AllowedIPs, netip.Prefix.String),
		FollowerModes: append(
			[]string{}, mapped(k.FollowerModes, func(m account.FollowerMode) string { return string(m) })...,
		),
	}
}

// bound shows a list to which a service key is bound; nil where it is not.
func bound[T any](list []T, text func(T) string) *[]string {
	if list == nil {
		return nil
	}
	out := mapped(list, text)
	return &out
}
