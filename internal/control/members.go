package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// ListMembers gives a page of a workspace's members by user id.
func (s *Service) ListMembers(ctx context.Context, c Caller, workspace string, in Paging) ([]Member, Page, error) {
	return listed(ctx, s, c, func(v *store.View, a *actor) ([]Member, Page, error) {
		ws, err := s.authorizeWorkspace(v, a, workspace, account.MembersRead)
		if err != nil {
			return nil, Page{}, err
		}
		ms, page, err := paged(s, "members\x00"+string(ws.ID), in, func(m account.Member) string { return string(m.User) },
			func(p store.Page) ([]account.Member, error) { return v.Members(ws.ID, p) })
		if err != nil {
			return nil, Page{}, err
		}
		out := make([]Member, len(ms))
		for i, m := range ms {
			if out[i], err = s.withRole(v, m); err != nil {
				return nil, Page{}, err
			}
		}
		return out, page, nil
	})
}

// FindMembers gives the members whose user id, name or e-mail holds a word, by user id, at most n of them, and tells
// whether there may be more.
func (s *Service) FindMembers(
	ctx context.Context, c Caller, workspace, word string, n int,
) (found []Member, more bool, err error) {
	return find(ctx, s, c, lookup[account.Member, Member]{
		workspace: workspace, word: word, most: n, needs: account.MembersRead,
		page:  (*store.View).Members,
		id:    func(m account.Member) string { return string(m.User) },
		names: func(m account.Member) []string { return []string{string(m.User), m.DisplayName, m.Email} },
		show: func(v *store.View, _ *actor, m account.Member) (Member, bool, error) {
			one, err := s.withRole(v, m)
			return one, true, err
		},
	})
}

func (s *Service) withRole(v *store.View, m account.Member) (Member, error) {
	r, err := v.Role(m.Workspace, m.Role)
	return Member{Member: m, RoleName: r.Name, IsOwner: r.System == account.Owner}, err
}

// GetMember shows one member. A person sees themselves with any role.
func (s *Service) GetMember(ctx context.Context, c Caller, workspace, user string) (Member, error) {
	var out Member
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		ws, err := s.resolveWorkspace(v, a, workspace)
		if err != nil {
			return err
		}
		if !a.person() || id.User(user) != a.user {
			if err := s.allowed(a, account.MembersRead); err != nil {
				return err
			}
		}
		m, err := v.Member(ws.ID, id.User(user))
		if err != nil {
			return err
		}
		out, err = s.withRole(v, m)
		return err
	})
	return out, storageFault(err)
}

// PutMember adds a member, or sets the data of one. It answers whether the member is new.
func (s *Service) PutMember(ctx context.Context, c Caller, workspace, user string, in PutMember) (Member, bool, error) {
	began := s.now()
	var out Member
	var created bool
	var returned id.Settlement
	err := s.update(ctx, c.in(workspace), func(tx *store.Tx, a *actor) error {
		ws, err := s.authorizeWorkspace(tx.View, a, workspace, account.MembersInvite)
		if err != nil {
			return err
		}
		m := account.Member{Workspace: ws.ID, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
		if err := memberInput(&m, user, in); err != nil {
			return err
		}
		was, err := tx.Member(ws.ID, m.User)
		switch {
		case errors.Is(err, store.ErrNotFound):
			created = true
			out, returned, err = s.addMember(tx, a, m, in.Role)
			return err
		case err != nil:
			return err
		}
		created = false
		m.CreatedAt, m.KeyCount, m.Role = was.CreatedAt, was.KeyCount, id.Role(in.Role)
		if !in.DisplayName.Set {
			m.DisplayName = was.DisplayName
		}
		out, err = s.changeMember(tx, a, ws, was, m)
		return err
	})
	if err == nil {
		s.writeOn(ctx, c.in(workspace), returned, began)
	}
	return out, created, err
}

// memberInput reads the fields of a member.
func memberInput(m *account.Member, user string, in PutMember) error {
	var name, email, display, role error
	m.User, name = userInput("userId", user)
	m.Email, email = emailInput("email", in.Email)
	m.DisplayName, display = lineInput("displayName", in.DisplayName, maxDisplayName)
	if in.Role == "" {
		role = fault.Invalid("roleId", "must be given")
	}
	return fault.All(name, email, display, role)
}

// addMember also settles the kept keys of a returning member; the settlement is "" if its rows are written.
func (s *Service) addMember(
	tx *store.Tx, a *actor, m account.Member, role string,
) (out Member, returned id.Settlement, err error) {
	r, err := s.givableRole(tx.View, a, m.Workspace, id.Role(role))
	if err != nil {
		return out, "", err
	}
	m.Role = r.ID
	if err := tx.PutMember(m); err != nil {
		return out, "", err
	}
	if m, err = tx.Member(m.Workspace, m.User); err != nil { // one who comes back has the keys of before
		return out, "", err
	}
	if err := s.record(tx, a, change{kind: audit.MemberAdded, workspace: m.Workspace, target: string(m.User),
		sentence: fmt.Sprintf("%s added as %s", m.User, r.Name), after: memberFields(m, r.Name)}); err != nil {
		return out, "", err
	}
	returned, err = s.welcomeBack(tx, a, m)
	return Member{Member: m, RoleName: r.Name, IsOwner: r.System == account.Owner}, returned, err
}

// givableRole finds a role of the workspace, and refuses one with permissions that the caller does not hold.
func (s *Service) givableRole(v *store.View, a *actor, ws id.Workspace, role id.Role) (account.Role, error) {
	if _, ok := id.Parse(string(role)); !ok {
		return account.Role{}, fault.Missing()
	}
	r, err := v.Role(ws, role)
	if err != nil {
		return r, err
	}
	if err := s.mayGrant(a, r.Permissions, r.Permissions, func(string) string { return "roleId" }); err != nil {
		return r, err
	}
	if err := a.mayLast(); err != nil {
		return r, err
	}
	if r.System == account.Owner && !a.owner {
		return r, ownersOnly("only an owner can make an owner")
	}
	return r, nil
}

func ownersOnly(why string) error {
	return fault.New(
		fault.PermissionDenied, why, fault.Detail{Field: "permissions", Message: "the role " + string(account.Owner)},
	)
}

// changeMember writes a member's new data. A change of role asks for members:role-change too, and never leaves a
// workspace without an owner.
func (s *Service) changeMember(tx *store.Tx, a *actor, ws account.Workspace, was, m account.Member) (Member, error) {
	old, err := tx.Role(ws.ID, was.Role)
	if err != nil {
		return Member{}, err
	}
	if old.System == account.Owner && !a.owner && !unchanged(memberFields(was, ""), memberFields(m, "")) {
		return Member{}, ownersOnly("only an owner can change an owner")
	}
	role := old
	if m.Role != was.Role {
		if err := s.need(a, account.MembersRoleChange); err != nil {
			return Member{}, err
		}
		if role, err = s.givableRole(tx.View, a, ws.ID, m.Role); err != nil {
			return Member{}, err
		}
	}
	out := Member{Member: m, RoleName: role.Name, IsOwner: role.System == account.Owner}
	if unchanged(memberFields(was, old.Name), memberFields(m, role.Name)) {
		out.UpdatedAt = was.UpdatedAt
		return out, nil
	}
	if err := tx.PutMember(m); err != nil {
		return out, err
	}
	if m.Role != was.Role {
		if err := s.endPortalsOf(tx, a, ws.ID, m.User, "the role of the member changed"); err != nil {
			return out, err
		}
	}
	if old.System == account.Owner && role.System != account.Owner {
		if err := s.passOwnership(tx, ws, old.ID, m.User); err != nil {
			return out, err
		}
	}
	return out, s.record(
		tx,
		a,
		change{
			kind: audit.MemberUpdated, workspace: ws.ID, target: string(m.User), free: !old.Permissions.Within(role.Permissions),
			sentence: fmt.Sprintf("%s updated", m.User), before: memberFields(was, old.Name), after: memberFields(m, role.Name),
		},
	)
}

// passOwnership runs after an owner has gone or stepped down: it refuses if no owner is left, and names another as
// the workspace's owner if the named one has left.
func (s *Service) passOwnership(tx *store.Tx, ws account.Workspace, owner id.Role, left id.User) error {
	rest, err := tx.MembersWithRole(ws.ID, owner, 1)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return lastOwner()
	}
	if ws.OwnerID != left {
		return nil
	}
	ws.OwnerID, ws.UpdatedAt = rest[0].User, tx.Now()
	return tx.PutWorkspace(ws)
}

func lastOwner() error {
	return fault.New(
		fault.Conflict, "a workspace keeps at least one owner", fault.Detail{Field: "userId", Message: "is the last owner"},
	)
}

// UpdateMember changes the given fields.
func (s *Service) UpdateMember(ctx context.Context, c Caller, workspace, user string, in UpdateMember) (Member, error) {
	var out Member
	err := s.update(ctx, c.in(workspace), func(tx *store.Tx, a *actor) error {
		ws, err := s.authorizeWorkspace(tx.View, a, workspace, account.MembersRoleChange)
		if err != nil {
			return err
		}
		was, err := tx.Member(ws.ID, id.User(user))
		if err != nil {
			return err
		}
		m := was
		m.UpdatedAt = tx.Now()
		if in.Role.Set {
			m.Role = id.Role(in.Role.Value)
		}
		if in.Email.Set {
			if m.Email, err = emailInput("email", in.Email.Value); err != nil {
				return err
			}
		}
		if in.DisplayName.Set {
			if m.DisplayName, err = lineInput("displayName", in.DisplayName, maxDisplayName); err != nil {
				return err
			}
		}
		out, err = s.changeMember(tx, a, ws, was, m)
		return err
	})
	return out, err
}

func memberFields(m account.Member, role string) fields {
	return fields{"email": m.Email, "displayName": m.DisplayName, "roleId": string(m.Role), "roleName": role}
}
