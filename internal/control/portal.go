package control

import (
	"cmp"
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

// CreatePortal asks for a portal session.
type CreatePortal struct {
	Workspace      string
	User           string
	CreateMember   Optional[PutMember]
	Capabilities   []string
	Ceiling        Optional[PortalCeilingInput]
	AllowedOrigins []string
	Reveal         Optional[string] // anywhere (default) or frame
	Locale         Optional[string]
	Theme          Optional[string]
	ReturnURL      Optional[string]
	Label          Optional[string]
	ExpiresIn      Optional[int64] // seconds
	// Origin is the server's own, where its hosted page is.
	Origin string
}

// PortalCeilingInput is a ceiling as given; null bounds nothing.
type PortalCeilingInput struct {
	Permissions        Optional[[]string]
	MaxLifetimeSeconds Optional[int64]
	RateLimit          Optional[LimitsInput]
	Environments       Optional[[]string]
	MaxKeys            Optional[int64]
	RequireAllowedIPs  Optional[bool]
}

// NewPortal is a portal session with its client secret, which is shown in this answer alone.
type NewPortal struct {
	session.Portal
	Secret keyfmt.Secret
}

// CreatePortal makes a portal session: by a service key with the scope portal for a member within its reach, by a
// person for themselves. Capabilities that the member has no permission for are refused whole.
func (s *Service) CreatePortal(ctx context.Context, c Caller, in CreatePortal) (NewPortal, error) {
	began := s.now()
	var out NewPortal
	var returned id.Settlement
	err := s.update(ctx, c.in(in.Workspace), func(tx *store.Tx, a *actor) error {
		p := session.Portal{CreatedAt: tx.Now()}
		if err := portalTerms(&p, in); err != nil {
			return err
		}
		if err := s.portalCeilingInput(&p.Ceiling, in.Ceiling); err != nil {
			return err
		}
		if err := s.portalMaker(tx.View, a, &p, in); err != nil {
			return err
		}
		m, back, err := s.portalMember(tx, a, &p, in)
		if err != nil {
			return err
		}
		returned = back
		if err := s.mayOpen(tx.View, &p, m); err != nil {
			return err
		}
		out, err = s.putPortal(tx, a, p)
		return err
	})
	if err == nil {
		s.writeOn(ctx, c.in(in.Workspace), returned, began)
	}
	return out, err
}

// portalMaker names the caller as the maker, and finds the workspace.
func (s *Service) portalMaker(v *store.View, a *actor, p *session.Portal, in CreatePortal) (err error) {
	var ws account.Workspace
	switch {
	case a.key != nil:
		return keysMakeNoPortals()
	case a.service != nil:
		p.Maker = session.Maker{ServiceKey: a.service.ID, Session: a.Session}
		p.Bounds.Reach = a.service.Bounds.Reach // the page runs in a browser, and not in the networks of the key
		ws, err = s.portalWorkspace(v, a, in.Workspace)
	default:
		p.Maker = session.Maker{User: a.user, Session: a.Session}
		if ws, err = s.resolveWorkspace(v, a, in.Workspace); err == nil && in.User != "" && id.User(in.User) != a.user {
			err = fault.New(fault.PermissionDenied, "a person makes portal sessions for themselves",
				fault.Detail{Field: "userId", Message: "is somebody else"})
		}
		p.User, p.Bounds = a.user, account.Bounds{Reach: a.reach, AllowedIPs: a.networks}
	}
	if err != nil {
		return err
	}
	for _, end := range []time.Time{a.Until, a.expiry()} {
		if !end.IsZero() && end.Before(p.ExpiresAt) {
			p.ExpiresAt = end
		}
	}
	p.Workspace = ws.ID
	if !ws.IsActive {
		return fault.New(
			fault.Conflict, "the workspace is not active", fault.Detail{Field: "workspaceId", Message: "is not active"},
		)
	}
	return nil
}

// expiry is when the calling service key ends; zero for never.
func (a *actor) expiry() time.Time {
	if a.service == nil {
		return time.Time{}
	}
	return a.service.ExpiresAt
}

func keysMakeNoPortals() error {
	return fault.New(fault.PermissionDenied, "an API key has no portal sessions",
		fault.Detail{Field: "Authorization", Message: "a service key with the scope portal, or a person, is needed"})
}

// portalWorkspace is resolveWorkspace for a service key with the scope portal.
func (s *Service) portalWorkspace(v *store.View, a *actor, named string) (account.Workspace, error) {
	if !a.service.Has(account.ScopePortal) {
		return account.Workspace{}, scopeDenied(account.ScopePortal)
	}
	ws := id.Workspace(cmp.Or(named, a.Within))
	if ws == "" {
		return account.Workspace{}, fault.Invalid("workspaceId", "must be given: a service key belongs to no workspace")
	}
	if _, ok := id.Parse(string(ws)); !ok || a.elsewhere(ws) || !a.reach.Workspace(ws) {
		return account.Workspace{}, fault.Missing()
	}
	return v.Workspace(ws)
}

// portalMember finds the member, or adds one where createMember says so. A member who is there stays as they are.
func (s *Service) portalMember(
	tx *store.Tx, a *actor, p *session.Portal, in CreatePortal,
) (m account.Member, back id.Settlement, err error) {
	if a.service != nil {
		if p.User, err = userInput("userId", in.User); err != nil {
			return m, "", err
		}
	}
	adds := said(in.CreateMember)
	if adds && a.service == nil {
		return m, "", fault.New(fault.PermissionDenied, "only a service key adds members in this way",
			fault.Detail{Field: "createMember", Message: "needs a service key with the scope portal"})
	}
	var newcomer account.Member
	if adds {
		if newcomer, err = newcomerInput(in.CreateMember.Value); err != nil {
			return m, "", err
		}
	}
	m, err = tx.Member(p.Workspace, p.User)
	if !errors.Is(err, store.ErrNotFound) || !adds {
		return m, "", err
	}
	m = newcomer
	m.Workspace, m.User, m.CreatedAt, m.UpdatedAt = p.Workspace, p.User, tx.Now(), tx.Now()
	if err := a.wholly(account.MembersInvite); err != nil {
		return m, "", err
	}
	added, back, err := s.addMember(tx, s.host(a), m, in.CreateMember.Value.Role)
	if f := (*fault.Error)(nil); errors.As(err, &f) && f.Code == fault.PermissionEscalation {
		for i := range f.Details {
			f.Details[i].Field = "createMember.roleId"
		}
	}
	return added.Member, back, err
}

// newcomerInput reads the fields of a new member, also for a user who is one already.
func newcomerInput(in PutMember) (m account.Member, err error) {
	var role, email, name error
	if in.Role == "" {
		role = fault.Invalid("createMember.roleId", "must be given")
	}
	m.Email, email = emailInput("createMember.email", in.Email)
	m.DisplayName, name = lineInput("createMember.displayName", in.DisplayName, maxDisplayName)
	return m, fault.All(role, email, name)
}

// governing are the permissions of Keyward's own operations that reach beyond a member's own keys. A service key that
// may not manage gives no role that holds one of them: a member with such a role signs in by other ways, too.
var governing = []string{
	account.APIKeysManageOthers, account.MembersInvite, account.MembersMFAReset, account.MembersRemove,
	account.MembersRoleChange, account.RolesWrite, account.RolesDelete, account.WorkspaceSettingsWrite,
	account.WorkspaceDelete, account.BillingManage,
}

// host is a service key with the scope portal as the giver of a role to a new member.
func (s *Service) host(a *actor) *actor {
	if a.service.Has(account.ScopeManage) {
		return a
	}
	giver := *a
	giver.holds = s.cat.All().Without(s.cat.Known(governing))
	return &giver
}

// mayOpen refuses capabilities that the member has no permission for, and names each of them.
func (s *Service) mayOpen(v *store.View, p *session.Portal, m account.Member) error {
	r, err := v.Role(m.Workspace, m.Role)
	if err != nil {
		return err
	}
	p.Role, p.Since = m.Role, m.CreatedAt
	var beyond []fault.Detail
	for i, c := range p.Capabilities {
		if !s.cat.Holds(r.Permissions, c.Needs()) {
			beyond = append(beyond, fault.Detail{Field: indexed("capabilities", i), Message: string(c) + " needs " + c.Needs()})
		}
	}
	if beyond == nil {
		return nil
	}
	return fault.New(fault.PermissionEscalation, "a portal session can do nothing that its member cannot", beyond...)
}

// putPortal gives the session an id and a secret, and ends the oldest one of the member where there are too many.
func (s *Service) putPortal(tx *store.Tx, a *actor, p session.Portal) (NewPortal, error) {
	secret, err := session.NewPortalSecret(s.rand)
	if err != nil {
		return NewPortal{}, err
	}
	others, err := tx.Portals(store.PortalFilter{Workspace: p.Workspace, User: p.User})
	if err != nil {
		return NewPortal{}, err
	}
	for ; len(others) >= session.MaxPortals; others = others[:len(others)-1] {
		if err := s.endPortal(tx, a, &others[len(others)-1], "a newer one took its place"); err != nil {
			return NewPortal{}, err
		}
	}
	p.ID, p.Secret = id.Portal(s.ids.Next()), s.digester.Current(secret.Reveal())
	if err := tx.PutPortal(p); err != nil {
		return NewPortal{}, err
	}
	return NewPortal{
			p,
			secret,
		}, s.record(
			tx,
			a,
			change{kind: audit.PortalSessionCreated, workspace: p.Workspace, target: string(p.ID),
				sentence: fmt.Sprintf("portal session made for %s", p.User), after: portalFields(&p)},
		)
}

// portalFields shows a portal session in an event.
func portalFields(p *session.Portal) fields {
	return fields{
		"userId": string(p.User), "capabilities": p.Capabilities,
		"ceiling": portalCeilingFields(&p.Ceiling), "allowedOrigins": p.Origins,
		"revealInFrameAlone": p.FrameOnly, "returnUrl": orNull(p.ReturnURL), "label": orNull(p.Label),
		"expiresAt": stamp(p.ExpiresAt),
	}
}

func portalCeilingFields(c *session.Ceiling) fields {
	return fields{"permissions": c.Permissions, "maxLifetimeSeconds": bounded(int64(c.MaxLifetime / time.Second)),
		"requestsPerMinute": bounded(c.Limits.PerMinute), "requestsPerDay": bounded(c.Limits.PerDay),
		"environments": c.Environments,
		"maxKeys":      bounded(c.MaxKeys), "requireAllowedIps": c.RequireIPs}
}

// endPortal ends a portal session and says so.
func (s *Service) endPortal(tx *store.Tx, a *actor, p *session.Portal, why string) error {
	if err := tx.EndPortal(p.ID); err != nil {
		return err
	}
	return s.record(tx, a, change{kind: audit.PortalSessionEnded, workspace: p.Workspace, target: string(p.ID),
		sentence: fmt.Sprintf("portal session of %s ended: %s", p.User, why), before: portalFields(p)})
}

// endPortalsOf ends those of a member, each with its event.
func (s *Service) endPortalsOf(tx *store.Tx, a *actor, ws id.Workspace, u id.User, why string) error {
	all, err := tx.Portals(store.PortalFilter{Workspace: ws, User: u})
	if err != nil {
		return err
	}
	for i := range all {
		if err := s.endPortal(tx, a, &all[i], why); err != nil {
			return err
		}
	}
	return nil
}

// endPortalsAtOnce ends any number of portal sessions with one statement and one event, which says how many.
func (s *Service) endPortalsAtOnce(tx *store.Tx, a *actor, f store.PortalFilter, target, why string) error {
	n, err := tx.EndPortals(f)
	if err != nil || n == 0 {
		return err
	}
	return s.record(tx, a, change{kind: audit.PortalSessionEnded, workspace: f.Workspace, target: target,
		sentence: fmt.Sprintf("%d portal sessions ended: %s", n, why), note: fields{"ended": n}})
}
