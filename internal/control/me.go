package control

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// Me is a caller with what they may do and pass on, in the workspace in which the request works.
type Me struct {
	User        *Creator // nil for a service key
	Workspaces  []MyWorkspace
	Role        *Role // of a person; nil for a key
	Permissions perm.Set
	Grantable   perm.Set // lies within Permissions
	Credential  Credential
}

// MyWorkspace is a workspace that the caller is in, or that a service key is bound to.
type MyWorkspace struct {
	ID       id.Workspace
	Name     string
	IsActive bool
	Current  bool         // the request works in it
	Role     account.Role // of a person; zero for a key
}

// Credential describes the value that was presented. Nil lists confine nothing; a zero ExpiresAt is "never".
type Credential struct {
	Type       string // api_key, service_key, session or oidc_token
	ID         string // "" for a token to which its provider gave none
	Name       string // of a key
	Masked     string // of a key
	Earlier    bool   // an earlier value of an API key, in its overlap
	Scopes     []account.Scope
	ServiceKey id.ServiceKey  // the service key that a session acts as
	Method     session.Method // of a session
	Bounds     account.Bounds
	ExpiresAt  time.Time
}

// Me tells callers of every kind about themselves, whatever they may do.
func (s *Service) Me(ctx context.Context, c Caller) (Me, error) {
	var out Me
	c = c.through(anyCapability)
	err := readFault(s.db.View(ctx, func(v *store.View) error {
		var err error
		if c.Person.User != "" && c.Session == "" {
			if out, err = s.stranger(v, c); err == nil || !errors.Is(err, errIsMember) {
				return err
			}
		}
		a, err := s.actor(v, c)
		if err != nil {
			return err
		}
		out, err = s.me(v, a)
		return err
	}))
	return out, storageFault(err)
}

var errIsMember = errors.New("is a member")

// stranger answers a person of the OpenID provider who is a member of no workspace yet.
func (s *Service) stranger(v *store.View, c Caller) (Me, error) {
	if _, err := s.signedIn(v, c); err != nil {
		return Me{}, err
	}
	places, err := v.Memberships(c.Person.User)
	switch {
	case err != nil:
		return Me{}, err
	case len(places) > 0:
		return Me{}, errIsMember
	case c.Within != "":
		return Me{}, fault.Missing()
	}
	a := &actor{Caller: c, user: c.Person.User}
	out := Me{User: &Creator{ID: a.user}}
	out.Credential, err = s.described(v, a)
	return out, err
}

func (s *Service) me(v *store.View, a *actor) (Me, error) {
	out := Me{Permissions: a.holds, Grantable: s.grantable(a)}
	var err error
	if out.Credential, err = s.described(v, a); err != nil {
		return out, err
	}
	switch {
	case a.service != nil:
		out.Workspaces, err = s.boundTo(v, a)
	case a.key != nil:
		out.User, out.Workspaces, err = s.ofKey(v, a)
	case a.portal != nil:
		out.User = &Creator{ID: a.user, Email: a.email, DisplayName: a.name}
		out.Permissions = a.may
		out.Workspaces, err = s.ofPortal(v, a)
	default:
		out.User = &Creator{ID: a.user, Email: a.email, DisplayName: a.name}
		out.Workspaces, out.Role, err = s.ofPerson(v, a)
	}
	return out, err
}

// boundTo lists the workspaces that a service key is bound to. One that is not bound reaches all of them and is in
// none.
func (s *Service) boundTo(v *store.View, a *actor) ([]MyWorkspace, error) {
	if a.Within != "" {
		if _, err := s.resolveWorkspace(v, a, ""); err != nil {
			return nil, err
		}
	}
	var out []MyWorkspace
	for _, name := range a.reach.Workspaces {
		ws, err := v.Workspace(name)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, MyWorkspace{ID: ws.ID, Name: ws.Name, IsActive: ws.IsActive, Current: string(ws.ID) == a.Within})
	}
	return out, nil
}

func (s *Service) ofKey(v *store.View, a *actor) (*Creator, []MyWorkspace, error) {
	shown, err := s.show(v, *a.key)
	if err != nil {
		return nil, nil, err
	}
	ws, err := v.Workspace(a.workspace)
	return &shown.Creator, []MyWorkspace{{ID: ws.ID, Name: ws.Name, IsActive: ws.IsActive, Current: true}}, err
}

func (s *Service) ofPerson(v *store.View, a *actor) (all []MyWorkspace, role *Role, err error) {
	places, err := s.places(v, a)
	if err != nil {
		return nil, nil, err
	}
	for i := len(places) - 1; i >= 0; i-- { // the newest first, as in every list
		p := places[i]
		ws, err := v.Workspace(p.Workspace)
		if err != nil {
			return nil, nil, err
		}
		at := MyWorkspace{ID: ws.ID, Name: ws.Name, IsActive: ws.IsActive, Current: ws.ID == a.workspace, Role: p.role}
		if all = append(all, at); at.Current {
			r := s.assignable(a, p.role)
			role = &r
		}
	}
	return all, role, nil
}

// grantable is what the caller may pass on by any door: as a role or in a key of somebody else all that they hold, in a
// key of their own what they hold there, else nothing.
func (s *Service) grantable(a *actor) perm.Set {
	may := func(permission string) bool { return s.cat.Holds(a.holds, permission) }
	switch {
	case a.service != nil:
		return a.holds
	case a.portal != nil && a.portal.May(session.KeysCreate):
		return a.holds
	case a.portal != nil:
		return perm.Set{}
	}
	roles := !a.earlier && a.wholly(account.RolesWrite) == nil &&
		(may(account.RolesWrite) || may(account.MembersInvite) || may(account.MembersRoleChange))
	switch {
	case roles, may(account.APIKeysWrite) && may(account.APIKeysManageOthers):
		return a.holds
	case may(account.APIKeysWrite) && a.key != nil:
		return a.holds.And(a.creator)
	case may(account.APIKeysWrite):
		return a.holds
	}
	return perm.Set{}
}

// described describes the credential of the request.
func (s *Service) described(v *store.View, a *actor) (Credential, error) {
	named := a.credential()
	out := Credential{Type: named.Type, ID: named.ID}
	switch {
	case a.Session != "":
		in, err := v.Session(a.Session)
		if err != nil {
			return out, err
		}
		out.Method, out.ServiceKey = in.Method, in.ServiceKey
		out.Bounds, out.ExpiresAt = in.Bounds, in.ExpiresAt
		if a.service != nil {
			out.Scopes, out.Bounds = a.service.Scopes, a.service.Bounds
		}
	case a.service != nil:
		k := a.service
		out.Name, out.Masked, out.Scopes = k.Name, k.Masked, k.Scopes
		out.Bounds, out.ExpiresAt = k.Bounds, k.ExpiresAt
	case a.portal != nil:
		out.Name, out.Bounds, out.ExpiresAt = a.portal.Label, account.Bounds{Reach: a.reach}, a.portal.ExpiresAt
	case a.key != nil:
		k := a.key
		out.Name, out.Masked, out.Earlier = k.Name, s.presentedMask(a), a.earlier
		out.ExpiresAt = a.bound.ExpiresAt
		out.Bounds = account.Bounds{AllowedIPs: append([]netip.Prefix(nil), k.AllowedIPs...)}
		out.Bounds.Workspaces = []id.Workspace{k.Workspace}
		out.Bounds.Environments = []keyfmt.Environment{k.Environment}
	default:
		out.ExpiresAt = a.Until
	}
	return out, nil
}

// presentedMask shows the value of an API key that was presented, which may be an earlier one.
func (s *Service) presentedMask(a *actor) string {
	for _, value := range a.key.Previous {
		if value.Digest.Sum == a.Presented {
			return value.Masked
		}
	}
	return a.key.Value.Masked
}
