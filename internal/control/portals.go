package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// ListPortals asks for portal sessions.
type ListPortals struct {
	Workspace string
	User      string
	Paging
}

// portalFilter decides whose portal sessions the caller sees: a service key with the scope portal those in its reach, a
// person their own, and with members:remove those of the others in the workspace.
func (s *Service) portalFilter(v *store.View, a *actor, in ListPortals) (f store.PortalFilter, err error) {
	if in.User != "" {
		if f.User, err = userInput("userId", in.User); err != nil {
			return f, err
		}
	}
	switch {
	case a.key != nil:
		return f, keysMakeNoPortals()
	case a.service != nil && in.Workspace == "" && a.Within == "" && a.reach.Workspaces == nil:
		if !a.service.Has(account.ScopePortal) {
			err = scopeDenied(account.ScopePortal)
		}
		return f, err
	case a.service != nil:
		ws, err := s.portalWorkspace(v, a, in.Workspace)
		f.Workspace = ws.ID
		return f, err
	}
	ws, err := s.resolveWorkspace(v, a, in.Workspace)
	if err != nil {
		return f, err
	}
	f.Workspace = ws.ID
	if in.Workspace == "" && in.User == "" {
		f.User = a.user
	}
	if f.User != a.user {
		err = s.need(a, account.MembersRemove)
	}
	return f, err
}

// ListPortals gives a page of the portal sessions that go on, newest first.
func (s *Service) ListPortals(ctx context.Context, c Caller, in ListPortals) ([]session.Portal, Page, error) {
	var out []session.Portal
	var page Page
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		f, err := s.portalFilter(v, a, in)
		if err != nil {
			return err
		}
		list := fmt.Sprintf("portals\x00%s\x00%s", f.Workspace, f.User)
		all, p, err := paged(s, list, in.Paging, func(x session.Portal) string { return string(x.ID) },
			func(p store.Page) ([]session.Portal, error) {
				f.Page = p
				return v.Portals(f)
			})
		if err != nil {
			return err
		}
		page, out = p, nil
		for i := range all { // one whose member or maker does not stand any more has ended
			if _, err := s.livePortal(v, &all[i]); err == nil {
				out = append(out, all[i])
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	return out, page, storageFault(err)
}

// portalFor finds a portal session that goes on and that the caller may look at or end.
func (s *Service) portalFor(v *store.View, a *actor, name string) (session.Portal, error) {
	if a.key != nil {
		return session.Portal{}, keysMakeNoPortals()
	}
	if a.service != nil && !a.service.Has(account.ScopePortal) {
		return session.Portal{}, scopeDenied(account.ScopePortal)
	}
	if _, ok := id.Parse(name); !ok {
		return session.Portal{}, fault.Missing()
	}
	p, err := v.Portal(id.Portal(name))
	if err != nil {
		return p, err
	}
	if a.elsewhere(p.Workspace) || !a.reach.Workspace(p.Workspace) {
		return p, fault.Missing()
	}
	if _, err := s.livePortal(v, &p); err != nil {
		return p, err
	}
	if a.service != nil || a.user == p.User && a.workspace == p.Workspace {
		return p, nil
	}
	if err := s.switchWorkspace(v, a, p.Workspace); err != nil || a.user == p.User {
		return p, err
	}
	return p, s.need(a, account.MembersRemove)
}

// GetPortal shows one portal session that goes on.
func (s *Service) GetPortal(ctx context.Context, c Caller, name string) (session.Portal, error) {
	var out session.Portal
	err := s.view(ctx, c, func(v *store.View, a *actor) (err error) {
		out, err = s.portalFor(v, a, name)
		return err
	})
	return out, storageFault(err)
}

// EndPortal ends one portal session with its token at once.
func (s *Service) EndPortal(ctx context.Context, c Caller, name string) error {
	return s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		p, err := s.portalFor(tx.View, a, name)
		if err != nil {
			return err
		}
		return s.endPortal(tx, a, &p, "it was ended")
	})
}

// EndPortals ends those of a user, wherever the caller reaches: a platform calls it as the user signs out.
func (s *Service) EndPortals(ctx context.Context, c Caller, user string) ([]id.Portal, error) {
	var ended []id.Portal
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		ended = nil
		f := store.PortalFilter{User: a.user}
		switch {
		case a.key != nil:
			return keysMakeNoPortals()
		case a.service != nil && !a.service.Has(account.ScopePortal):
			return scopeDenied(account.ScopePortal)
		case a.service != nil:
			u, err := userInput("userId", user)
			if err != nil {
				return err
			}
			f.User = u
		case user != "" && id.User(user) != a.user:
			return fault.New(fault.PermissionDenied, "only a service key ends somebody else's portal sessions",
				fault.Detail{Field: "userId", Message: "is somebody else"})
		}
		all, err := tx.Portals(f)
		if err != nil {
			return err
		}
		for i := range all {
			if a.elsewhere(all[i].Workspace) || !a.reach.Workspace(all[i].Workspace) {
				continue
			}
			if err := s.endPortal(tx, a, &all[i], "all of the user were ended"); err != nil {
				return err
			}
			ended = append(ended, all[i].ID)
		}
		return nil
	})
	return ended, err
}
