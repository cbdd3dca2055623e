package control

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
)

// person reports whether the caller is a person in their own name, and so may work in each of their workspaces.
func (a *actor) person() bool { return a.service == nil && a.key == nil && a.portal == nil }

// signedIn refuses a caller whose session has ended, or is not theirs, and a person whose token of the provider has
// ended. It tells the bounds of the session.
func (s *Service) signedIn(v *store.View, c Caller) (bounds account.Bounds, err error) {
	if c.Session == "" {
		if c.Person.User != "" && !v.Now().Before(c.Until) {
			return bounds, errCredentialRevoked()
		}
		return bounds, nil
	}
	in, err := v.Session(c.Session)
	if err != nil {
		return bounds, err
	}
	if in.Ended(v.Now()) || in.Digest != c.Presented || in.ServiceKey != c.ServiceKey || in.User != c.Person.User ||
		!in.Bounds.Admits(c.Address) {
		return bounds, errCredentialRevoked()
	}
	return in.Bounds, nil
}

// personActor finds a person in the workspace that they work in: the session's, else the one that they joined first.
// Being added elsewhere changes nothing for them.
func (s *Service) personActor(v *store.View, c Caller) (*actor, error) {
	if c.Person.Workspace != "" {
		return s.memberActor(v, c, c.Person.Workspace, c.Person.User)
	}
	places, err := v.Memberships(c.Person.User)
	switch {
	case err != nil:
		return nil, err
	case len(places) == 0:
		return nil, fault.New(fault.PermissionDenied, "this person is a member of no workspace")
	}
	first := slices.MinFunc(places, func(a, b account.Member) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(string(a.Workspace), string(b.Workspace)))
	})
	return s.memberActor(v, c, first.Workspace, c.Person.User)
}

// switchWorkspace takes a caller to a workspace: an API key is in its own alone, a person in each that they are a
// member of, with their role's permissions there. For every other caller the workspace does not exist.
func (s *Service) switchWorkspace(v *store.View, a *actor, ws id.Workspace) error {
	switch {
	case a.elsewhere(ws), !a.reach.Workspace(ws):
		return fault.Missing()
	case a.service != nil || a.workspace == ws:
		return nil
	case !a.person():
		return fault.Missing()
	}
	m, err := s.memberActor(v, a.Caller, ws, a.user)
	if errors.Is(err, store.ErrNotFound) {
		return fault.Missing()
	}
	if err != nil {
		return err
	}
	m.reach, m.networks = a.reach, a.networks
	*a = *m
	return nil
}

// requireAnywhere is need for operations that say only later in which workspace they work: a person needs the
// permission in one of theirs.
func (s *Service) requireAnywhere(v *store.View, a *actor, permission string) error {
	err := s.need(a, permission)
	if err == nil || !a.person() {
		return err
	}
	places, broken := s.places(v, a)
	if broken != nil {
		return broken
	}
	for _, p := range places {
		if s.cat.Holds(p.holds, permission) {
			return nil
		}
	}
	return err
}

// place is a workspace that a person is in, and their permissions there.
type place struct {
	account.Member
	role  account.Role
	holds perm.Set
}

func (s *Service) places(v *store.View, a *actor) ([]place, error) {
	members, err := v.Memberships(a.user)
	if err != nil {
		return nil, err
	}
	out := make([]place, 0, len(members))
	for _, m := range members {
		if !a.reach.Workspace(m.Workspace) {
			continue
		}
		r, err := v.Role(m.Workspace, m.Role)
		if err != nil {
			return nil, err
		}
		out = append(out, place{Member: m, role: r, holds: r.Permissions})
	}
	return out, nil
}

// workspacesOf lists the workspaces of a person that they may look at, the newest first.
func (s *Service) workspacesOf(v *store.View, a *actor, p store.Page) ([]account.Workspace, error) {
	places, err := s.places(v, a)
	if err != nil {
		return nil, err
	}
	var out []account.Workspace
	for i := len(places) - 1; i >= 0 && len(out) < p.Limit; i-- {
		at := places[i]
		if p.After != "" && string(at.Workspace) >= p.After || !s.cat.Holds(at.holds, account.WorkspaceRead) {
			continue
		}
		ws, err := v.Workspace(at.Workspace)
		if err != nil {
			return nil, err
		}
		out = append(out, ws)
	}
	return out, nil
}
