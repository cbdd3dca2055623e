package control

import (
	"fmt"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// anyCapability opens an operation to every portal session.
const anyCapability session.Capability = "any"

// through opens the operation that runs to portal sessions with one of the capabilities. Every operation that does not
// say so is closed to them: actor refuses.
func (c Caller) through(capabilities ...session.Capability) Caller {
	c.opens = [2]session.Capability{}
	copy(c.opens[:], capabilities)
	return c
}

// livePortal finds the member of a portal session that goes on, as an actor in their own name. ErrNotFound says that
// it has ended: by its own words, with the membership or the role that it began with, with a permission that a
// capability needs, with its maker, or with the workspace.
func (s *Service) livePortal(v *store.View, p *session.Portal) (*actor, error) {
	if p.Ended(v.Now()) {
		return nil, store.ErrNotFound
	}
	ws, err := v.Workspace(p.Workspace)
	if err != nil {
		return nil, err
	}
	m, err := s.membership(v, p.Workspace, p.User, p.Since)
	if err != nil {
		return nil, err
	}
	a, err := s.memberActor(v, Caller{}, p.Workspace, p.User)
	if err != nil {
		return nil, err
	}
	beyond := slices.ContainsFunc(
		p.Capabilities, func(c session.Capability) bool { return !s.cat.Holds(a.holds, c.Needs()) },
	)
	if !ws.IsActive || m.Role != p.Role || beyond {
		return nil, store.ErrNotFound
	}
	return a, s.makerStands(v, p)
}

// makerStands is ErrNotFound where the maker of a portal session could not make it any more.
func (s *Service) makerStands(v *store.View, p *session.Portal) error {
	if p.Maker.Session != "" {
		in, err := v.Session(p.Maker.Session)
		if err != nil {
			return err
		}
		if in.Ended(v.Now()) {
			return store.ErrNotFound
		}
	}
	if p.Maker.ServiceKey == "" {
		return nil
	}
	k, err := v.ServiceKey(p.Maker.ServiceKey)
	if err == nil && (k.Expired(v.Now()) || !k.Has(account.ScopePortal) || !k.Bounds.Workspace(p.Workspace)) {
		err = store.ErrNotFound
	}
	return err
}

// portalActor is the member: within the session's capabilities for acting, and within its ceiling for granting. An
// operation that is not open to portal sessions ends here.
func (s *Service) portalActor(v *store.View, c Caller) (*actor, error) {
	p, err := v.Portal(c.Portal)
	if err != nil {
		return nil, err
	}
	a, err := s.livePortal(v, &p)
	if err != nil {
		return nil, err
	}
	if p.Thumbprint == "" || p.Thumbprint != c.Thumbprint || !v.Now().Before(c.Until) || !p.Bounds.Admits(c.Address) {
		return nil, errCredentialRevoked()
	}
	if err := opened(&p, c.opens); err != nil {
		return nil, err
	}
	a.Caller, a.portal, a.owner = c, &p, false
	a.reach = account.Reach{Workspaces: []id.Workspace{p.Workspace}, Environments: p.Bounds.Environments}
	a.networks = p.Bounds.AllowedIPs
	a.may = a.holds.And(s.cat.Known(openedBy(p.Capabilities)))
	a.holds = s.grantedThrough(&p.Ceiling, a.holds)
	return a, nil
}

// openedBy lists the permissions that capabilities stand for. The right over others' keys comes with the member.
func openedBy(capabilities []session.Capability) []string {
	out := []string{account.APIKeysManageOthers}
	for _, c := range capabilities {
		out = append(out, c.Needs())
	}
	return out
}

// grantedThrough is the part of a set that a ceiling lets flow into keys.
func (s *Service) grantedThrough(c *session.Ceiling, held perm.Set) perm.Set {
	if c.Permissions == nil {
		return held
	}
	return held.And(s.cat.Known(c.Permissions))
}

// opened refuses an operation that is open to none of the session's capabilities.
func opened(p *session.Portal, opens [2]session.Capability) error {
	if opens[0] == "" {
		return fault.New(fault.PermissionDenied, "this operation is closed to portal sessions",
			fault.Detail{Field: "Authorization", Message: "is the token of a portal session"})
	}
	if opens[0] == anyCapability || p.May(opens[0]) || opens[1] != "" && p.May(opens[1]) {
		return nil
	}
	return capabilityDenied(opens[0])
}

func capabilityDenied(c session.Capability) error {
	return fault.New(fault.PermissionDenied, "this needs the capability "+string(c)+" of the portal session",
		fault.Detail{Field: "capabilities", Message: string(c)})
}

// ownKey refuses to make a key of another user through a portal session: the ceiling counts the member's own.
func (a *actor) ownKey(user string) error {
	if user == "" || id.User(user) == a.user {
		return nil
	}
	return fault.New(fault.PermissionDenied, "through a portal session keys are made for its member alone",
		fault.Detail{Field: "userId", Message: "is not the member of the portal session"})
}

// mayUpdate holds an update against the capabilities of a portal session: one for switching a key off and on, and one
// for all other fields.
func (a *actor) mayUpdate(in UpdateKey) error {
	if a.portal == nil {
		return nil
	}
	if in.IsActive.Set && !a.portal.May(session.KeysDisable) {
		return capabilityDenied(session.KeysDisable)
	}
	in.ID, in.IsActive = "", Optional[bool]{}
	others := in.Name.Set || in.ExpiresAt.Set || in.RateLimit.Set || in.Description.Set || in.Metadata.Set ||
		in.AllowedIPs.Set ||
		in.Permissions
	if others && !a.portal.May(session.KeysUpdate) {
		return capabilityDenied(session.KeysUpdate)
	}
	return nil
}

// reaches refuses a key that would reach further than the caller: than the key that calls, or than the ceiling of the
// portal session. made is when the value of the key was made.
func (a *actor) reaches(k *apikey.Key, made time.Time) error {
	if err := withinBound(k, a.bound); err != nil || a.portal == nil {
		return err
	}
	c := &a.portal.Ceiling
	f := fault.New(fault.PermissionEscalation, "a portal session cannot make, reveal or widen a key beyond its ceiling")
	add := func(ok bool, field, message string) {
		if !ok {
			f.Details = append(f.Details, fault.Detail{Field: field, Message: message})
		}
	}
	add(c.MaxLifetime == 0 || !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(made.Add(c.MaxLifetime)), "expiresAt",
		fmt.Sprintf("must be at most %d seconds after the making of the value", int64(c.MaxLifetime/time.Second)))
	add(ratelimit.Within(k.Limits.PerMinute, c.Limits.PerMinute), "rateLimit.requestsPerMinute", "lies beyond the ceiling")
	add(ratelimit.Within(k.Limits.PerDay, c.Limits.PerDay), "rateLimit.requestsPerDay", "lies beyond the ceiling")
	add(c.Environments == nil || slices.Contains(c.Environments, k.Environment), "environment", "lies beyond the ceiling")
	add(!c.RequireIPs || len(k.AllowedIPs) > 0, "allowedIps", "must name at least one network")
	if f.Details == nil {
		return nil
	}
	return f
}

// latest is the last expiry that the workspace's settings, and the ceiling of a portal session, allow a value that was
// made then; zero if any.
func (a *actor) latest(set account.Settings, made time.Time) time.Time {
	out := latest(set, made)
	if a.portal == nil || a.portal.Ceiling.MaxLifetime == 0 {
		return out
	}
	if end := made.Add(a.portal.Ceiling.MaxLifetime); out.IsZero() || end.Before(out) {
		out = end
	}
	return out
}

// defaultLimits are the limits of a key that names none: the workspace's, within the caller's own.
func (a *actor) defaultLimits(set account.Settings) ratelimit.Limits {
	out := defaultLimits(set, a.bound)
	if a.portal == nil {
		return out
	}
	most := a.portal.Ceiling.Limits
	if !ratelimit.Within(out.PerMinute, most.PerMinute) {
		out.PerMinute = most.PerMinute
	}
	if !ratelimit.Within(out.PerDay, most.PerDay) {
		out.PerDay = most.PerDay
	}
	return out
}

// roomBelow refuses a key more than the ceiling of a portal session allows the member.
func roomBelow(v *store.View, a *actor, ws id.Workspace, user id.User) error {
	if a.portal == nil || a.portal.Ceiling.MaxKeys == 0 {
		return nil
	}
	n, err := v.KeyTotal(ws, user)
	if err != nil || n < a.portal.Ceiling.MaxKeys {
		return err
	}
	return fault.New(
		fault.LimitReached, fmt.Sprintf("this portal session allows at most %d API keys", a.portal.Ceiling.MaxKeys),
		fault.Detail{Field: "ceiling.maxKeys", Message: fmt.Sprintf("allows at most %d API keys", a.portal.Ceiling.MaxKeys)},
	)
}

// ofPortal is the workspace of a portal session.
func (s *Service) ofPortal(v *store.View, a *actor) ([]MyWorkspace, error) {
	ws, err := v.Workspace(a.workspace)
	return []MyWorkspace{{ID: ws.ID, Name: ws.Name, IsActive: ws.IsActive, Current: true}}, err
}
