package control

import (
	"cmp"
	"errors"
	"net/netip"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// actor is a caller with the authority that they have inside the running transaction.
type actor struct {
	Caller
	service   *account.ServiceKey // set for a service key
	key       *apikey.Key         // set for an API key
	passkey   id.Passkey          // presented by a person who is not let in
	workspace id.Workspace        // "" for a service key
	user      id.User             // "" for a service key
	email     string
	name      string   // of a member, to show; "" where none is known
	role      id.Role  // of a member
	owner     bool     // holds the Owner role, or a service key that may manage
	holds     perm.Set // what may be done, and the most that may be passed on
	creator   perm.Set // for an API key: what its creator holds now
	bound     *account.Bound
	reach     account.Reach  // where a bound service key works, and a session that one made
	networks  []netip.Prefix // those from which a bound service key, or a session that one made, may call; nil is all
	earlier   bool           // presented an earlier value of the key, in its overlap
	portal    *session.Portal
	asker     *actor          // the caller whose request for a key the actor confirms; nil mostly, as the next
	confirms  *apikey.Request // the request
	may       perm.Set        // of a portal session: what its capabilities open of what the member may do
}

// does is the set of permissions by which the actor may act. What may be passed on is holds.
func (a *actor) does() perm.Set {
	if a.portal != nil {
		return a.may
	}
	return a.holds
}

func errCredentialRevoked() error {
	return fault.New(fault.Unauthenticated, "the credential is not valid any more")
}

// actor reads the caller's authority afresh: a credential that was taken back between authentication and this
// transaction ends here.
func (s *Service) actor(v *store.View, c Caller) (*actor, error) {
	var a *actor
	bounds, err := s.signedIn(v, c)
	switch {
	case err != nil:
	case c.ServiceKey != "":
		a, err = s.serviceActor(v, c)
	case c.APIKey != "":
		a, err = s.keyActor(v, c)
	case c.Person.User != "":
		a, err = s.personActor(v, c)
	case c.Portal != "":
		a, err = s.portalActor(v, c)
	default:
		return nil, fault.New(fault.Unauthenticated, "a credential is needed")
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, errCredentialRevoked()
	}
	if err == nil && a.person() {
		a.reach, a.networks = bounds.Reach, bounds.AllowedIPs
	}
	if err != nil || c.Within == "" {
		return a, err
	}
	return a, s.enterNamed(v, a, id.Workspace(c.Within))
}

// enterNamed enters the workspace that the request names. For a service key, which is in all within its reach, it
// has to be there.
func (s *Service) enterNamed(v *store.View, a *actor, ws id.Workspace) error {
	if _, ok := id.Parse(string(ws)); !ok {
		return fault.Missing()
	}
	if err := s.switchWorkspace(v, a, ws); err != nil || a.service == nil {
		return err
	}
	_, err := v.Workspace(ws)
	if errors.Is(err, store.ErrNotFound) {
		return fault.Missing()
	}
	return err
}

// elsewhere tells whether a workspace is another than the one that the request names.
func (c *Caller) elsewhere(ws id.Workspace) bool { return c.Within != "" && string(ws) != c.Within }

func (s *Service) serviceActor(v *store.View, c Caller) (*actor, error) {
	k, err := v.ServiceKey(c.ServiceKey)
	if err != nil {
		return nil, err
	}
	if k.Expired(v.Now()) || !k.Bounds.Admits(c.Address) || c.Session == "" && k.Digest.Sum != c.Presented {
		return nil, errCredentialRevoked()
	}
	a := &actor{Caller: c, service: &k, reach: k.Bounds.Reach, networks: k.Bounds.AllowedIPs}
	if k.Has(account.ScopeManage) {
		a.owner, a.holds = true, s.cat.All()
	}
	return a, nil
}

func (s *Service) keyActor(v *store.View, c Caller) (*actor, error) {
	k, err := v.Key(c.APIKey)
	if err != nil {
		return nil, err
	}
	ws, err := v.Workspace(k.Workspace)
	if err != nil {
		return nil, err
	}
	_, until, ok := answers(&k, v.Now(), c.Presented, c.Rehashed)
	if !ok || !ws.IsActive || !k.IsActive || k.Expired(v.Now()) {
		return nil, errCredentialRevoked()
	}
	if !account.AddressWithin(c.Address, k.AllowedIPs) {
		return nil, fault.New(fault.PermissionDenied, "this key may not be used from this address",
			fault.Detail{Field: "allowedIps", Message: "do not hold the address of the request"})
	}
	a := &actor{workspace: k.Workspace, user: k.User}
	m, err := s.memberActor(v, c, k.Workspace, k.User)
	switch {
	case err == nil:
		a = m
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	case !k.Orphan:
		return nil, errCredentialRevoked()
	}
	held := k.Permissions
	a.creator = a.holds
	if ws.Settings.PermissionMode == account.Capped {
		held = held.And(a.holds)
	}
	a.Caller, a.key, a.holds, a.earlier = c, &k, held, !until.IsZero()
	a.bound = &account.Bound{ExpiresAt: k.ExpiresAt, Limits: k.Limits, AllowedIPs: k.AllowedIPs}
	if a.earlier {
		a.bound.EndBy(until)
	}
	if k.Confined {
		a.reach.Environments = []keyfmt.Environment{k.Environment}
	}
	return a, nil
}

func (s *Service) memberActor(v *store.View, c Caller, ws id.Workspace, user id.User) (*actor, error) {
	m, err := v.Member(ws, user)
	if err != nil {
		return nil, err
	}
	r, err := v.Role(ws, m.Role)
	if err != nil {
		return nil, err
	}
	return &actor{Caller: c, workspace: ws, user: user, email: m.Email, name: m.DisplayName, role: m.Role,
		owner: r.System == account.Owner, holds: r.Permissions}, nil
}

// id is the actorId of an event: the user, else the service key.
func (a *actor) id() string {
	if a.service != nil {
		return string(a.service.ID)
	}
	return string(a.user)
}

// manages refuses a service key that may not manage.
func (a *actor) manages() error {
	if a.service != nil && !a.service.Has(account.ScopeManage) {
		return scopeDenied(account.ScopeManage)
	}
	return nil
}

func scopeDenied(s account.Scope) error {
	return fault.New(fault.PermissionDenied, "this needs a service key with the scope "+string(s),
		fault.Detail{Field: "scope", Message: string(s)})
}

// root refuses every caller but a service key with the scope root.
func (a *actor) root() error {
	if a.service == nil || !a.service.Has(account.ScopeRoot) {
		return scopeDenied(account.ScopeRoot)
	}
	return nil
}

// need refuses an actor that lacks one of the permissions, and names each missing one.
func (s *Service) need(a *actor, permissions ...string) error {
	if a.service != nil {
		return a.manages()
	}
	var lacking []fault.Detail
	for _, p := range permissions {
		if !s.cat.Holds(a.does(), p) {
			lacking = append(lacking, fault.Detail{Field: "permissions", Message: p})
		}
	}
	if lacking == nil {
		return nil
	}
	return fault.New(fault.PermissionDenied, "this needs the permission "+lacking[0].Message, lacking...)
}

// needFor is need, and asks for one permission more if the object belongs to another user.
func (s *Service) needFor(a *actor, owner id.User, permission string) error {
	if a.service == nil && a.user != owner {
		return s.need(a, permission, account.APIKeysManageOthers)
	}
	return s.need(a, permission)
}

// resolveWorkspace finds the workspace of an operation: the named one, or the caller's own. A workspace that the
// caller is not in is not found.
func (s *Service) resolveWorkspace(v *store.View, a *actor, named string) (account.Workspace, error) {
	if err := a.manages(); err != nil {
		return account.Workspace{}, err
	}
	ws := id.Workspace(cmp.Or(named, a.Within))
	switch {
	case a.elsewhere(ws):
		return account.Workspace{}, fault.Missing()
	case a.service == nil && ws == "":
		ws = a.workspace
	case a.service == nil && ws != a.workspace:
		if err := s.switchWorkspace(v, a, ws); err != nil {
			return account.Workspace{}, err
		}
	case ws == "":
		return account.Workspace{}, fault.Invalid("workspaceId", "must be given: a service key belongs to no workspace")
	}
	if _, ok := id.Parse(string(ws)); !ok || !a.reach.Workspace(ws) {
		return account.Workspace{}, fault.Missing()
	}
	return v.Workspace(ws)
}

// mayGrant applies the grant rule to permissions for a user whose authority is creator. field names the i-th refused
// permission.
func (s *Service) mayGrant(a *actor, wanted, creator perm.Set, field func(name string) string) error {
	refused := account.Grant(wanted, a.holds, creator)
	if refused.IsEmpty() {
		return nil
	}
	f := fault.New(fault.PermissionEscalation, "nobody can pass on a permission that they do not hold themselves")
	for _, n := range s.cat.Names(refused) {
		f.Details = append(f.Details, fault.Detail{Field: field(n), Message: n})
	}
	return f
}

// mayLast refuses to an earlier value of a key a change that lasts beyond the end of its overlap, such as a role.
func (a *actor) mayLast() error {
	if !a.earlier {
		return nil
	}
	return fault.New(fault.PermissionDenied, "an earlier value of a key gives nothing that outlives it",
		fault.Detail{Field: "Authorization", Message: "the current value is needed"})
}

// whole names every refused permission by the field as a whole.
func whole(string) string { return "permissions" }

// answers tells by which of the digests of a presented value a key has it, and until when. A zero digest is none.
func answers(k *apikey.Key, now time.Time, presented ...keyfmt.Digest) (by keyfmt.Digest, until time.Time, ok bool) {
	for _, by = range presented {
		if until, ok = k.Answers(by, now); ok && by != (keyfmt.Digest{}) {
			return by, until, true
		}
	}
	return by, until, false
}

// itself is Keyward as the actor of its own changes.
func itself() *actor {
	return &actor{Caller: Caller{ServiceKey: "keyward"}, service: &account.ServiceKey{ID: "keyward"}}
}
