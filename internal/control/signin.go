package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// CreateSignInLink asks for a one-time link for a member, or with Root for one that acts as the calling service key.
type CreateSignInLink struct {
	Workspace string
	User      string
	Root      bool
}

// SignInLink is a one-time link; Code is shown in this answer alone.
type SignInLink struct {
	Code      keyfmt.Secret
	Workspace id.Workspace
	User      id.User
	ExpiresAt time.Time
}

// CreateSignInLink makes a one-time link. A service key that may manage makes it for any member; only the root key
// makes one for itself.
func (s *Service) CreateSignInLink(ctx context.Context, c Caller, in CreateSignInLink) (SignInLink, error) {
	var out SignInLink
	err := s.update(ctx, c.in(in.Workspace), func(tx *store.Tx, a *actor) error {
		if a.service == nil {
			return scopeDenied(account.ScopeManage)
		}
		if err := a.manages(); err != nil {
			return err
		}
		var l session.Link
		sentence, err := s.addressee(tx.View, a, in, &l)
		if err != nil {
			return err
		}
		code, err := s.putLink(tx, l)
		if err != nil {
			return err
		}
		out = SignInLink{Code: code, Workspace: l.Workspace, User: l.User, ExpiresAt: tx.Now().Add(session.LinkLife)}
		return s.record(tx, a, change{kind: audit.SignInLinkCreated, workspace: l.Workspace, target: string(l.User),
			sentence: sentence, note: fields{"expiresAt": stamp(out.ExpiresAt)}})
	})
	return out, err
}

// putLink writes a link for whoever it names, and gives its code.
func (s *Service) putLink(tx *store.Tx, l session.Link) (keyfmt.Secret, error) {
	code, err := session.NewLink(s.rand)
	if err != nil {
		return code, err
	}
	l.Digest, l.ExpiresAt = s.digester.Current(code.Reveal()), tx.Now().Add(session.LinkLife)
	return code, tx.PutSignInLink(l)
}

// addressee fills in whom a link lets in, and says it in a sentence.
func (s *Service) addressee(v *store.View, a *actor, in CreateSignInLink, l *session.Link) (string, error) {
	if in.Root {
		if in.Workspace != "" || in.User != "" {
			return "", fault.Invalid("root", "does not go with a workspace or a user")
		}
		l.ServiceKey = a.service.ID
		return "one-time sign-in link made for the root", a.root()
	}
	ws, err := s.resolveWorkspace(v, a, in.Workspace)
	if err != nil {
		return "", err
	}
	user, err := userInput("userId", in.User)
	if err != nil {
		return "", err
	}
	_, err = v.Member(ws.ID, user)
	l.Workspace, l.User, l.Bounds = ws.ID, user, a.service.Bounds
	return fmt.Sprintf("one-time sign-in link made for %s", user), err
}

// Guest is who a link would let in.
type Guest struct {
	Root      bool
	Workspace string // its name
	User      id.User
}

// deadLink is the one answer for every link that lets nobody in: unknown, used, too old, of somebody who has left.
func deadLink() error {
	return fault.New(
		fault.Unauthenticated, "this link does not work: it was used before, is older than ten minutes, or was never one",
	)
}

// LookAtSignInLink tells whom a link would let in, and leaves it as it is.
func (s *Service) LookAtSignInLink(ctx context.Context, code string) (Guest, error) {
	var out Guest
	err := s.db.Glance(ctx, func(v *store.View) error {
		l, err := s.liveLink(v, code)
		if err != nil {
			return err
		}
		out = Guest{Root: l.ServiceKey != "", User: l.User}
		if out.Root {
			return nil
		}
		ws, err := v.Workspace(l.Workspace)
		out.Workspace = ws.Name
		return err
	})
	return out, storageFault(err)
}

// liveLink finds a link that works, and does the same work for one that does not.
func (s *Service) liveLink(v *store.View, code string) (session.Link, error) {
	l, err := v.SignInLink(s.digester.Current(code))
	if err == nil && (!session.IsLink(code) || l.Expired(v.Now())) {
		err = store.ErrNotFound
	}
	if err == nil {
		err = s.answersFor(v, l.ServiceKey, l.Workspace, l.User)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = deadLink()
	}
	return l, err
}

// answersFor is ErrNotFound unless there is a service key with the scope root, or a member, in whose name somebody is
// to be let in.
func (s *Service) answersFor(v *store.View, k id.ServiceKey, ws id.Workspace, u id.User) error {
	if k == "" {
		_, err := v.Member(ws, u)
		return err
	}
	key, err := v.ServiceKey(k)
	if err == nil && (key.Expired(v.Now()) || !key.Has(account.ScopeRoot)) {
		err = store.ErrNotFound
	}
	return err
}

// Started is a session with its token, which is shown in this answer alone.
type Started struct {
	session.Session
	Token keyfmt.Secret
}

// RedeemSignInLink starts a session by a one-time link, which is used up. Of c only where the request comes from
// counts. A code that lets nobody in is refused by a look: it takes no turn of the writer.
func (s *Service) RedeemSignInLink(ctx context.Context, c Caller, code string) (Started, error) {
	var out Started
	if !session.IsLink(code) {
		return out, deadLink()
	}
	err := s.db.Glance(ctx, func(v *store.View) error {
		_, err := s.liveLink(v, code)
		return err
	})
	if err != nil {
		return out, storageFault(err)
	}
	_, err = s.db.Update(ctx, func(tx *store.Tx) error {
		l, err := s.liveLink(tx.View, code)
		if err != nil {
			return err
		}
		if err := tx.DeleteSignInLink(l.Digest); err != nil {
			return err
		}
		out, err = s.begin(
			tx,
			c,
			session.Session{ServiceKey: l.ServiceKey, Workspace: l.Workspace, User: l.User, Method: session.ByLink,
				Bounds: l.Bounds},
		)
		return err
	})
	return out, storageFault(err)
}

// StartSession starts a session of a person whom a provider vouches for, in the oldest of their workspaces. Of c only
// where the request comes from counts. PermissionDenied says that the person is a member of no workspace.
func (s *Service) StartSession(ctx context.Context, c Caller, user string) (Started, error) {
	var out Started
	u, err := userInput("userId", user)
	if err != nil {
		return out, err
	}
	err = s.db.Glance(ctx, func(v *store.View) error { // a stranger takes no turn of the writer
		_, err := s.personActor(v, Caller{Person: Person{User: u}})
		return err
	})
	if err != nil {
		return out, storageFault(err)
	}
	_, err = s.db.Update(ctx, func(tx *store.Tx) error {
		a, err := s.personActor(tx.View, Caller{Person: Person{User: u}})
		if err != nil {
			return err
		}
		out, err = s.begin(tx, c, session.Session{Workspace: a.workspace, User: u, Method: session.ByOIDC})
		return err
	})
	return out, storageFault(err)
}

// begin writes a new session and its event. What it is to be in place of is ended by whoever calls.
func (s *Service) begin(tx *store.Tx, c Caller, in session.Session) (Started, error) {
	token, err := session.NewToken(s.rand)
	if err != nil {
		return Started{}, err
	}
	in.ID, in.Digest = id.Session(s.ids.Next()), s.digester.Current(token.Reveal())
	in.Address, in.UserAgent = c.Address, printableOnly(clip(c.UserAgent, 300))
	in.StartedAt, in.SeenAt = tx.Now(), tx.Now()
	if in.ExpiresAt.IsZero() {
		in.ExpiresAt = tx.Now().Add(session.Life)
	}
	if err := tx.PutSession(in); err != nil {
		return Started{}, err
	}
	if in.User != "" { // who has signed in needs no invitation
		if err := errors.Join(tx.NoteSignIn(in.Workspace, in.User),
			tx.DeleteInvitationsOf(in.Workspace, in.User)); err != nil {
			return Started{}, err
		}
	}
	a, err := s.actor(
		tx.View,
		Caller{ServiceKey: in.ServiceKey, Person: personOf(in), Session: in.ID, Presented: in.Digest,
			Address: c.Address, UserAgent: c.UserAgent, RequestID: c.RequestID},
	)
	if err != nil {
		return Started{}, err
	}
	return Started{
			in,
			token,
		}, s.record(
			tx,
			a,
			change{kind: audit.SessionStarted, workspace: in.Workspace, target: string(in.ID),
				sentence: whoOf(in) + " signed in", after: sessionFields(in)},
		)
}

func personOf(in session.Session) Person {
	if in.ServiceKey != "" {
		return Person{}
	}
	return Person{Workspace: in.Workspace, User: in.User}
}

func whoOf(in session.Session) string {
	if in.ServiceKey != "" {
		return "the root"
	}
	return string(in.User)
}

func sessionFields(in session.Session) fields {
	return fields{"method": string(in.Method), "userId": string(in.User), "serviceKeyId": string(in.ServiceKey),
		"startedAt": stamp(in.StartedAt), "expiresAt": stamp(in.ExpiresAt)}
}
