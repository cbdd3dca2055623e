package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// Identity is the holder of a session's token.
type Identity struct {
	session.Session
	Caller     Caller // without where the request comes from
	Root       bool
	Service    *account.ServiceKey // where Root
	Owner      bool                // of the workspace
	Email      string              // "" for the root
	Name       string              // to show; "" where nothing is known
	Role       string              // its name; "" for the root
	Workspaces []Place
}

// Place is a workspace that a signed-in person can switch to.
type Place struct {
	ID   id.Workspace
	Name string
}

// maxPlaces bounds the switcher's list for the root, who is in every workspace.
const maxPlaces = 100

// Identify finds the holder of a session's token, and records its use. Unauthenticated is the one answer for a token
// without a holder: unknown, ended, or of a person who has left the workspace.
func (s *Service) Identify(ctx context.Context, token string) (Identity, error) {
	var out Identity
	stale := false
	err := s.db.Glance(ctx, func(v *store.View) error {
		in, err := v.SessionOf(s.digester.Current(token))
		if err == nil && (!session.IsToken(token) || in.Ended(v.Now())) {
			err = store.ErrNotFound
		}
		if err == nil {
			out, err = s.identity(v, in)
		}
		stale = err == nil && in.Stale(v.Now())
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return Identity{}, errCredentialRevoked()
	}
	if stale { // a disk that is full now keeps nobody out: the session only ends the sooner
		_ = s.db.Count(ctx, func(c *store.Counting) error { return c.TouchSession(out.ID) })
	}
	return out, storageFault(err)
}

func (s *Service) identity(v *store.View, in session.Session) (Identity, error) {
	out := Identity{Session: in, Root: in.ServiceKey != "",
		Caller: Caller{ServiceKey: in.ServiceKey, Person: personOf(in), Session: in.ID, Presented: in.Digest}}
	if err := s.answersFor(v, in.ServiceKey, in.Workspace, in.User); err != nil {
		return out, err
	}
	if out.Root {
		k, err := v.ServiceKey(in.ServiceKey)
		if err != nil {
			return out, err
		}
		out.Service = &k
		all, err := within(v, &actor{reach: k.Bounds.Reach}, store.Page{Limit: maxPlaces})
		for _, w := range all {
			out.Workspaces = append(out.Workspaces, Place{w.ID, w.Name})
		}
		return out, err
	}
	places, err := s.places(v, &actor{user: in.User, reach: in.Bounds.Reach})
	if err != nil {
		return out, err
	}
	for _, p := range places {
		w, err := v.Workspace(p.Workspace)
		if err != nil {
			return out, err
		}
		out.Workspaces = append(out.Workspaces, Place{w.ID, w.Name})
		if p.Workspace == in.Workspace {
			out.Email, out.Name, out.Role, out.Owner = p.Email, p.DisplayName, p.role.Name, p.role.System == account.Owner
		}
	}
	return out, nil
}

// SwitchWorkspace ends the session that calls and starts one in another workspace of the same person, with a token of
// its own and the same absolute end.
func (s *Service) SwitchWorkspace(ctx context.Context, c Caller, workspace string) (Started, error) {
	var out Started
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		if a.Session == "" {
			return fault.New(fault.PermissionDenied, "only a session can be taken to another workspace")
		}
		if workspace == "" {
			return fault.Invalid("workspaceId", "must be given")
		}
		was, err := tx.Session(a.Session)
		if err != nil {
			return err
		}
		ws, err := s.resolveWorkspace(tx.View, a, workspace)
		if err != nil {
			return err
		}
		if err := s.end(tx, a, was, "switched to another workspace"); err != nil {
			return err
		}
		out, err = s.begin(
			tx,
			c,
			session.Session{ServiceKey: was.ServiceKey, Workspace: ws.ID, User: was.User, Method: was.Method, Bounds: was.Bounds,
				ExpiresAt: was.ExpiresAt},
		)
		return err
	})
	return out, err
}

// end takes a session away and says so in the log of the workspace that it was in.
func (s *Service) end(tx *store.Tx, a *actor, in session.Session, why string) error {
	if err := tx.DeleteSession(in.ID); err != nil {
		return err
	}
	return s.record(tx, a, change{kind: audit.SessionEnded, workspace: in.Workspace, target: string(in.ID),
		sentence: whoOf(in) + " " + why, before: sessionFields(in)})
}

// ListSessions asks for sessions: one's own, or those of a workspace's members.
type ListSessions struct {
	Workspace string
	User      string
	Paging
}

// sessionFilter decides whose sessions the caller sees: a person their own, in every workspace; with members:remove
// also those of others in the named workspace; a service key that may manage those of all members, and the root all.
func (s *Service) sessionFilter(v *store.View, a *actor, in ListSessions) (store.SessionFilter, error) {
	f := store.SessionFilter{Workspace: id.Workspace(in.Workspace), User: id.User(in.User)}
	if in.User != "" {
		if _, err := userInput("userId", in.User); err != nil {
			return f, err
		}
	}
	switch {
	case a.key != nil:
		return f, keysHaveNone()
	case a.service != nil:
		f.Members = !a.service.Has(account.ScopeRoot) || !a.service.Bounds.None()
		if in.Workspace == "" {
			if err := a.manages(); err != nil {
				return f, err
			}
			return f, a.unbound("a key that is bound lists the sessions of one workspace at a time")
		}
		_, err := s.resolveWorkspace(v, a, in.Workspace)
		return f, err
	case in.Workspace == "" && (in.User == "" || f.User == a.user):
		f.User = a.user
		if a.reach.Workspaces != nil {
			f.Workspace = a.workspace
		}
		return f, nil
	}
	ws, err := s.resolveWorkspace(v, a, in.Workspace)
	if err != nil {
		return f, err
	}
	f.Workspace = ws.ID
	if f.User == a.user {
		return f, nil
	}
	return f, s.need(a, account.MembersRemove)
}

func keysHaveNone() error {
	return fault.New(fault.PermissionDenied, "an API key has no sessions",
		fault.Detail{Field: "Authorization", Message: "a person or a service key is needed"})
}

// ListSessions gives a page of sessions, newest first.
func (s *Service) ListSessions(ctx context.Context, c Caller, in ListSessions) ([]session.Session, Page, error) {
	return listed(ctx, s, c, func(v *store.View, a *actor) ([]session.Session, Page, error) {
		f, err := s.sessionFilter(v, a, in)
		if err != nil {
			return nil, Page{}, err
		}
		list := fmt.Sprintf("sessions\x00%s\x00%s", f.Workspace, f.User)
		return paged(s, list, in.Paging, func(x session.Session) string { return string(x.ID) },
			func(p store.Page) ([]session.Session, error) {
				f.Page = p
				return v.Sessions(f)
			})
	})
}

// EndSession ends one session: one's own, or that of a member of a workspace in which the caller holds members:remove.
// An owner's is ended by an owner only.
func (s *Service) EndSession(ctx context.Context, c Caller, name string) error {
	return s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		if _, ok := id.Parse(name); !ok {
			return fault.Missing()
		}
		in, err := tx.Session(id.Session(name))
		if err != nil {
			return err
		}
		if in.Ended(tx.Now()) || a.elsewhere(in.Workspace) {
			return fault.Missing()
		}
		why := "signed out"
		if in.ID != a.Session {
			why = "was signed out"
		}
		if err := s.mayEnd(tx.View, a, in); err != nil {
			return err
		}
		return s.end(tx, a, in, why)
	})
}

func (s *Service) mayEnd(v *store.View, a *actor, in session.Session) error {
	if in.ServiceKey == "" && !a.reach.Workspace(in.Workspace) {
		return fault.Missing()
	}
	if a.service != nil && in.ServiceKey != "" && in.ServiceKey != a.service.ID && !a.service.Bounds.None() {
		return fault.Missing()
	}
	switch {
	case a.service != nil && (in.ServiceKey == "" || in.ID == a.Session):
		return a.manages()
	case a.service != nil:
		return a.root()
	case a.key != nil:
		return keysHaveNone()
	case in.ServiceKey != "":
		return fault.Missing()
	case in.User == a.user:
		return nil
	}
	if err := s.switchWorkspace(v, a, in.Workspace); err != nil {
		return err
	}
	if err := s.need(a, account.MembersRemove); err != nil {
		return err
	}
	m, err := v.Member(in.Workspace, in.User)
	if err != nil {
		return err
	}
	r, err := v.Role(in.Workspace, m.Role)
	if err == nil && r.System == account.Owner && !a.owner {
		err = ownersOnly("only an owner can end an owner's session")
	}
	return err
}

// EndSessions ends every session of the caller, wherever it is, or in the one workspace that the request names:
// sign out everywhere. For a service key, user names a person whose sessions end; "" ends those that act as the key
// itself.
func (s *Service) EndSessions(ctx context.Context, c Caller, user string) ([]id.Session, error) {
	var ended []id.Session
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		ended = nil
		var f store.SessionFilter
		switch {
		case a.key != nil:
			return keysHaveNone()
		case a.person() && (user == "" || id.User(user) == a.user):
			f.User = a.user
		case a.person():
			return fault.New(fault.PermissionDenied, "only an operator signs somebody else out everywhere",
				fault.Detail{Field: "userId", Message: "is somebody else"})
		case user != "":
			if _, err := userInput("userId", user); err != nil {
				return err
			}
			f.User = id.User(user)
			if err := a.manages(); err != nil {
				return err
			}
		default:
			f.ServiceKey = a.service.ID
		}
		all, err := tx.Sessions(f)
		if err != nil {
			return err
		}
		for _, in := range all {
			if a.elsewhere(in.Workspace) || in.ServiceKey == "" && !a.reach.Workspace(in.Workspace) {
				continue
			}
			if err := s.end(tx, a, in, "was signed out everywhere"); err != nil {
				return err
			}
			ended = append(ended, in.ID)
		}
		return nil
	})
	return ended, err
}

// endMembership ends what lets a member in who leaves a workspace.
func (s *Service) endMembership(tx *store.Tx, a *actor, ws id.Workspace, u id.User) error {
	_, err := s.endSignIn(tx, a, ws, u, "was signed out, being no member any more")
	return err
}

// endSignIn ends all that lets a member in to a workspace: sessions there, portal sessions, passkeys, links and
// invitations. What the
// person has elsewhere stays.
func (s *Service) endSignIn(tx *store.Tx, a *actor, ws id.Workspace, u id.User, why string) (n EndedSignIn, err error) {
	if err := errors.Join(tx.DeleteSignInLinksOf(ws, u), tx.DeleteInvitationsOf(ws, u),
		tx.ForgetSignIn(ws, u)); err != nil {
		return n, err
	}
	keys, err := tx.Passkeys(ws, u)
	if err != nil {
		return n, err
	}
	for i := range keys {
		if err := s.endPasskey(tx, a, &keys[i]); err != nil {
			return n, err
		}
	}
	if err := s.endPortalsOf(tx, a, ws, u, why); err != nil {
		return n, err
	}
	all, err := tx.Sessions(store.SessionFilter{Workspace: ws, User: u})
	if err != nil {
		return n, err
	}
	for _, in := range all {
		if err := s.end(tx, a, in, why); err != nil {
			return n, err
		}
	}
	return EndedSignIn{Passkeys: len(keys), Sessions: len(all)}, nil
}
