package httpapi

import (
	"net/netip"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/wire"
)

func (a *api) me(x *exchange) (wire.Me, error) {
	m, err := a.Control.Me(x.ctx(), x.caller)
	if err != nil {
		return wire.Me{}, err
	}
	out := wire.Me{
		Workspaces:  mapped(m.Workspaces, myWorkspace),
		Permissions: a.Catalogue.Names(m.Permissions), Grantable: a.Catalogue.Names(m.Grantable),
		Credential: credential(m.Credential),
	}
	if m.User != nil {
		user := creator(*m.User)
		out.User = &user
	}
	if m.Role != nil {
		role := a.role(*m.Role)
		out.Role = &role
	}
	return out, nil
}

func myWorkspace(w control.MyWorkspace) wire.MyWorkspace {
	return wire.MyWorkspace{
		ID: string(w.ID), Name: w.Name, IsActive: w.IsActive, IsCurrent: w.Current,
		RoleID: wire.TextOrNull(string(w.Role.ID)), RoleName: wire.TextOrNull(w.Role.Name),
		IsOwner: w.Role.System == account.Owner,
	}
}

func credential(c control.Credential) wire.Credential {
	out := wire.Credential{
		Type: c.Type, ID: wire.TextOrNull(c.ID), Name: wire.TextOrNull(c.Name), Key: wire.TextOrNull(c.Masked),
		Method: wire.TextOrNull(string(c.Method)), ServiceKeyID: wire.TextOrNull(string(c.ServiceKey)),
		Scopes:       bound(c.Scopes, func(s account.Scope) string { return string(s) }),
		WorkspaceIDs: bound(c.Bounds.Workspaces, func(w id.Workspace) string { return string(w) }),
		Environments: bound(c.Bounds.Environments, func(e keyfmt.Environment) string { return string(e) }),
		AllowedIPs:   bound(c.Bounds.AllowedIPs, netip.Prefix.String),
		ExpiresAt:    wire.TimeOrNull(c.ExpiresAt),
	}
	if c.Type == control.TypeAPIKey {
		out.Value = wire.TextOrNull(valueName(c.Earlier))
	}
	return out
}

// valueName tells the current value of a key from those before it.
func valueName(earlier bool) string {
	if earlier {
		return "previous"
	}
	return "current"
}
