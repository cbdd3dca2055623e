package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// Invited is an invitation; Code is shown in this answer alone.
type Invited struct {
	Code      keyfmt.Secret
	Workspace id.Workspace
	User      id.User
	ExpiresAt time.Time
}

// EndedSignIn counts what a reset of a member's sign-in ended.
type EndedSignIn struct{ Passkeys, Sessions int }

// InviteMember makes an invitation for a member who has never signed in to the workspace. An earlier one of the member
// ends.
func (s *Service) InviteMember(ctx context.Context, c Caller, workspace, user string) (Invited, error) {
	var out Invited
	err := s.update(ctx, c.in(workspace), func(tx *store.Tx, a *actor) error {
		m, err := s.mayLetIn(tx.View, a, workspace, user, account.MembersInvite)
		if err != nil {
			return err
		}
		in, err := tx.SignedIn(m.Workspace, m.User)
		if err != nil {
			return err
		}
		if in {
			return fault.New(fault.Conflict, "this member has signed in before: a reset of the sign-in makes a new invitation",
				fault.Detail{Field: "userId", Message: "has signed in before"})
		}
		if out, err = s.putInvitation(tx, a, m); err != nil {
			return err
		}
		return s.record(tx, a, change{kind: audit.MemberInvited, workspace: m.Workspace, target: string(m.User),
			sentence: fmt.Sprintf("%s invited to sign in", m.User), note: fields{"expiresAt": stamp(out.ExpiresAt)}})
	})
	return out, err
}

// ResetSignIn ends the passkeys and sessions that a member has in the workspace, and makes an invitation. What the same
// person has in other workspaces stays.
func (s *Service) ResetSignIn(ctx context.Context, c Caller, workspace, user string) (Invited, EndedSignIn, error) {
	var out Invited
	var ended EndedSignIn
	err := s.update(ctx, c.in(workspace), func(tx *store.Tx, a *actor) error {
		m, err := s.mayLetIn(tx.View, a, workspace, user, account.MembersMFAReset)
		if err != nil {
			return err
		}
		if ended, err = s.endSignIn(tx, a, m.Workspace, m.User, "was signed out by a reset of the sign-in"); err != nil {
			return err
		}
		if out, err = s.putInvitation(tx, a, m); err != nil {
			return err
		}
		return s.record(tx, a, change{kind: audit.MemberSignInReset, workspace: m.Workspace, target: string(m.User),
			sentence: fmt.Sprintf("sign-in of %s reset, and invited anew", m.User),
			note:     fields{"passkeys": ended.Passkeys, "sessions": ended.Sessions, "expiresAt": stamp(out.ExpiresAt)}})
	})
	return out, ended, err
}

// mayLetIn finds a member whom the caller may let in: by the permission, and only where the member can do nothing that
// the caller cannot. The caller could follow the invitation and act as the member.
func (s *Service) mayLetIn(v *store.View, a *actor, workspace, user, permission string) (account.Member, error) {
	ws, err := s.authorizeWorkspace(v, a, workspace, permission)
	if err != nil {
		return account.Member{}, err
	}
	m, err := v.Member(ws.ID, id.User(user))
	if err != nil {
		return m, err
	}
	return m, s.covers(v, a, m)
}

// covers refuses a caller who does not hold all that a member holds.
func (s *Service) covers(v *store.View, a *actor, m account.Member) error {
	r, err := v.Role(m.Workspace, m.Role)
	if err != nil {
		return err
	}
	var beyond []fault.Detail
	for _, n := range s.cat.Names(account.Grant(r.Permissions, a.holds, r.Permissions)) {
		beyond = append(beyond, fault.Detail{Field: "permissions", Message: n})
	}
	if r.System == account.Owner && !a.owner {
		beyond = append(beyond, fault.Detail{Field: "permissions", Message: "the role " + string(account.Owner)})
	}
	if a.bound != nil &&
		(!a.bound.ExpiresAt.IsZero() || a.bound.AllowedIPs != nil || a.bound.Limits.PerMinute != 0 ||
			a.bound.Limits.PerDay != 0) {
		beyond = append(
			beyond, fault.Detail{Field: "Authorization", Message: "the key that calls has bounds, and a member has none"},
		)
	}
	if beyond != nil {
		return fault.New(
			fault.PermissionEscalation,
			"this member can do what you cannot, and an invitation lets its holder act as the member",
			beyond...)
	}
	return a.mayLast()
}

// putInvitation writes an invitation for a member, and gives its code.
func (s *Service) putInvitation(tx *store.Tx, a *actor, m account.Member) (Invited, error) {
	code, err := session.NewInvitation(s.rand)
	if err != nil {
		return Invited{}, err
	}
	i := session.Invitation{
		Digest: s.digester.Current(code.Reveal()), Workspace: m.Workspace, User: m.User, Since: m.CreatedAt,
		Bounds: s.signInBounds(a, m.Workspace), ExpiresAt: tx.Now().Add(session.InvitationLife),
	}
	switch {
	case a.service != nil:
		i.Inviter.ServiceKey = a.service.ID
	case a.key != nil:
		i.Inviter.APIKey = a.key.ID
	default:
		i.Inviter.User = a.user
	}
	return Invited{Code: code, Workspace: m.Workspace, User: m.User, ExpiresAt: i.ExpiresAt}, tx.PutInvitation(i)
}

// signInBounds confines who signs in by a passkey to the workspace that let them in, and to the networks of the caller
// who did.
func (s *Service) signInBounds(a *actor, ws id.Workspace) account.Bounds {
	return account.Bounds{Reach: account.Reach{Workspaces: []id.Workspace{ws}}, AllowedIPs: slices.Clone(a.networks)}
}

// SignedIn tells which of a page of members, in the order of their ids, have ever signed in to the workspace.
func (s *Service) SignedIn(
	ctx context.Context, c Caller, workspace string, first, last id.User,
) (map[id.User]bool, error) {
	out := map[id.User]bool{}
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		ws, err := s.authorizeWorkspace(v, a, workspace, account.MembersRead)
		if err != nil {
			return err
		}
		found, err := v.SignedInOf(ws.ID, first, last)
		for _, u := range found {
			out[u] = true
		}
		return err
	})
	return out, storageFault(err)
}

// Invitee is the member whom an invitation lets in.
type Invitee struct {
	Workspace   id.Workspace
	Name        string // of the workspace
	User        id.User
	DisplayName string
}

func deadInvitation() error {
	return fault.New(
		fault.Unauthenticated,
		"this invitation does not work: it was used before, is older than seven days, or was never one",
	)
}

// LookAtInvitation tells whom an invitation would let in, and leaves it as it is.
func (s *Service) LookAtInvitation(ctx context.Context, code string) (Invitee, error) {
	var out Invitee
	err := s.db.Glance(ctx, func(v *store.View) error {
		i, m, err := s.liveInvitation(v, code)
		if err != nil {
			return err
		}
		ws, err := v.Workspace(i.Workspace)
		out = Invitee{Workspace: ws.ID, Name: ws.Name, User: m.User, DisplayName: m.DisplayName}
		return err
	})
	return out, storageFault(err)
}

// liveInvitation finds an invitation that works. It ends with the membership, and with the inviter's right to let the
// member in. The answer is the same for every one that does not work.
func (s *Service) liveInvitation(v *store.View, code string) (i session.Invitation, m account.Member, err error) {
	i, err = v.Invitation(s.digester.Current(code))
	if err == nil && (!session.IsInvitation(code) || i.Expired(v.Now())) {
		err = store.ErrNotFound
	}
	if err == nil {
		m, err = s.membership(v, i.Workspace, i.User, i.Since)
	}
	if err == nil {
		err = s.stillInvites(v, &i, m)
	}
	if f := (*fault.Error)(nil); errors.Is(err, store.ErrNotFound) || errors.As(err, &f) {
		err = deadInvitation()
	}
	return i, m, err
}

// membership finds a member whose membership began then: one who left and came back is another one.
func (s *Service) membership(v *store.View, ws id.Workspace, u id.User, since time.Time) (account.Member, error) {
	m, err := v.Member(ws, u)
	if err == nil {
		_, err = v.Workspace(ws)
	}
	if err == nil && !m.CreatedAt.Equal(since) {
		err = store.ErrNotFound
	}
	return m, err
}

// stillInvites asks whether the inviter may let the member in now.
func (s *Service) stillInvites(v *store.View, i *session.Invitation, m account.Member) error {
	a, err := s.inviter(v, i)
	if err != nil {
		return err
	}
	if err := s.need(a, account.MembersInvite); err != nil && s.need(a, account.MembersMFAReset) != nil {
		return err
	}
	return s.covers(v, a, m)
}

// inviter is the caller who made an invitation, with the authority of now. ErrNotFound says that the caller has none.
func (s *Service) inviter(v *store.View, i *session.Invitation) (*actor, error) {
	switch {
	case i.Inviter.ServiceKey != "":
		k, err := v.ServiceKey(i.Inviter.ServiceKey)
		if err != nil {
			return nil, err
		}
		if k.Expired(v.Now()) || !k.Has(account.ScopeManage) || !k.Bounds.Workspace(i.Workspace) {
			return nil, store.ErrNotFound
		}
		return &actor{service: &k, owner: true, holds: s.cat.All()}, nil
	case i.Inviter.APIKey != "":
		k, err := v.Key(i.Inviter.APIKey)
		if err != nil {
			return nil, err
		}
		if k.Workspace != i.Workspace || !k.IsActive || k.Expired(v.Now()) {
			return nil, store.ErrNotFound
		}
		a, err := s.memberActor(v, Caller{}, k.Workspace, k.User)
		if err != nil {
			return nil, err
		}
		ws, err := v.Workspace(k.Workspace)
		held := k.Permissions
		if ws.Settings.PermissionMode == account.Capped {
			held = held.And(a.holds)
		}
		a.key, a.holds = &k, held
		a.bound = &account.Bound{ExpiresAt: k.ExpiresAt, Limits: k.Limits, AllowedIPs: k.AllowedIPs}
		return a, err
	}
	return s.memberActor(v, Caller{}, i.Workspace, i.Inviter.User)
}
