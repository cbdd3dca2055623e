package httpapi

import (
	"net/http"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/strictjson"
	"github.com/keyward/keyward/internal/wire"
)

// portalDoor says how an operation is reached below the path of a portal session. The zero value is: not at all.
type portalDoor int

const (
	portalClosed portalDoor = iota
	portalToken             // with a token and a proof; the control plane asks for the capability
	portalProof             // with a proof alone
)

func (a *api) portalRoutes() []route {
	const sessions = base + "/portal-sessions"
	list := append([]string{"workspaceId", "userId"}, paging...)
	return []route{
		{
			on: "POST " + sessions, name: "createPortalSession", status: http.StatusCreated, body: jsonBody,
			message: "Portal session created", serve: handle(a.createPortal),
		},
		{
			on: "GET " + sessions, name: "listPortalSessions", query: list, message: "Portal sessions",
			serve: show(a.listPortals),
		},
		{
			on: "DELETE " + sessions, name: "endPortalSessions", query: []string{"userId", "wait"},
			message: "Portal sessions ended", serve: show(a.endPortals),
		},
		{on: "GET " + sessions + "/{id}", name: "getPortalSession", message: "Portal session", serve: show(a.getPortal)},
		{
			on: "DELETE " + sessions + "/{id}", name: "endPortalSession", query: []string{"wait"},
			message: "Portal session ended", serve: show(a.endPortal),
		},
		{
			on: "POST " + sessions + "/exchange", name: "exchangePortalSession", body: jsonBody,
			secrets: []string{"clientSecret"}, public: true, portal: portalProof, message: "Portal session started",
			serve: handle(a.exchangePortal),
		},
		{on: "POST " + sessions + "/{id}/renew", name: "renewPortalSession", public: true, portal: portalProof,
			message: "Token renewed", serve: show(a.renewPortal)},
	}
}

// portalPath is the hosted page of a portal session. Browsers send no server the part behind the #.
const portalPath = "/portal/"

func (a *api) createPortal(x *exchange, in wire.CreatePortalSession) (wire.CreatedPortalSession, error) {
	if a.PublicURL == "" {
		return wire.CreatedPortalSession{}, fault.New(
			fault.Conflict, "portal sessions need KEYWARD_PUBLIC_URL: the address under which browsers reach this server",
			fault.Detail{Field: "KEYWARD_PUBLIC_URL", Message: "is not set on the server"},
		)
	}
	made, err := a.Control.CreatePortal(x.ctx(), x.caller, control.CreatePortal{
		Workspace: string(in.WorkspaceID), User: in.UserID, CreateMember: memberGiven(in.CreateMember),
		Capabilities: in.Capabilities,
		Ceiling:      portalCeilingGiven(in.Ceiling), AllowedOrigins: in.AllowedOrigins, Reveal: given(in.Reveal),
		Locale: clearable(in.Locale),
		Theme:  clearable(in.Theme), ReturnURL: clearable(in.ReturnURL), Label: clearable(in.Label),
		ExpiresIn: given(in.ExpiresInSeconds),
		Origin:    a.PublicURL,
	})
	if err != nil {
		return wire.CreatedPortalSession{}, err
	}
	return wire.CreatedPortalSession{PortalSession: a.portalShown(made.Portal), ClientSecret: made.Secret.Reveal(),
		URL: a.PublicURL + portalPath + string(made.ID) + "#" + made.Secret.Reveal()}, nil
}

func memberGiven(n strictjson.Nullable[wire.PutMember]) control.Optional[control.PutMember] {
	return control.Optional[control.PutMember]{Set: n.Set, Null: n.Null,
		Value: control.PutMember{
			Email: n.Value.Email, DisplayName: clearable(n.Value.DisplayName), Role: string(n.Value.RoleID),
		}}
}

func portalCeilingGiven(n strictjson.Nullable[wire.PortalCeilingGiven]) control.Optional[control.PortalCeilingInput] {
	return control.Optional[control.PortalCeilingInput]{Set: n.Set, Null: n.Null, Value: control.PortalCeilingInput{
		Permissions: clearable(n.Value.Permissions), MaxLifetimeSeconds: clearable(n.Value.MaxLifetimeSeconds),
		RateLimit: limitsGiven(n.Value.RateLimit), Environments: clearable(n.Value.Environments),
		MaxKeys:           clearable(n.Value.MaxKeys),
		RequireAllowedIPs: given(n.Value.RequireAllowedIPs),
	}}
}

func (a *api) listPortals(x *exchange) (out wire.PortalSessionList, err error) {
	var in control.ListPortals
	if in.Paging, err = x.query.paging(); err != nil {
		return out, err
	}
	if in.Workspace, err = x.query.word("workspaceId"); err != nil {
		return out, err
	}
	if in.User, err = x.query.word("userId"); err != nil {
		return out, err
	}
	all, page, err := a.Control.ListPortals(x.ctx(), x.caller, in)
	return wire.PortalSessionList{PortalSessions: mapped(all, a.portalShown), Pagination: pagination(page)}, err
}

func (a *api) getPortal(x *exchange) (wire.PortalSessionResult, error) {
	p, err := a.Control.GetPortal(x.ctx(), x.caller, x.r.PathValue("id"))
	return wire.PortalSessionResult{PortalSession: a.portalShown(p)}, err
}

func (a *api) endPortal(x *exchange) (wire.Revoked, error) {
	p := x.r.PathValue("id")
	err := a.Control.EndPortal(x.ctx(), x.caller, p)
	return wire.Revoked{Deleted: []string{p}, Revocation: x.revocation(err)}, err
}

func (a *api) endPortals(x *exchange) (wire.Revoked, error) {
	user, err := x.query.word("userId")
	if err != nil {
		return wire.Revoked{}, err
	}
	ended, err := a.Control.EndPortals(x.ctx(), x.caller, user)
	return wire.Revoked{
		Deleted: mapped(ended, func(p id.Portal) string { return string(p) }), Revocation: x.revocation(err),
	}, err
}

func (a *api) exchangePortal(x *exchange, in wire.ExchangePortalSession) (wire.StartedPortalSession, error) {
	if in.ClientSecret == "" || len(in.ClientSecret) > maxCode {
		return wire.StartedPortalSession{}, fault.Invalid("clientSecret", "must be the client secret of a portal session")
	}
	if wait := a.Failures.Wait(x.client); wait > 0 { // before anything is looked up
		return wire.StartedPortalSession{}, x.tooMany(wait)
	}
	proof, err := x.proof("")
	if err != nil {
		return wire.StartedPortalSession{}, x.guessed(err)
	}
	started, err := a.Control.ExchangePortal(x.ctx(), x.origin(), in.ClientSecret, proof, x.through, x.ownPage())
	out, err := a.portalStarted(x, started, err)
	if err == nil {
		out.FirstPage = a.firstPage(x, started)
	}
	return out, err
}

// firstPageSize is how many keys the answer to an exchange holds: as many as a page of the element.
const firstPageSize = 25

// firstPage lists the first keys of a portal session that has just started, so that its page need not ask for them.
// Without keys:read, and where the list cannot be read now, it is nil: the page asks, and is told why.
func (a *api) firstPage(x *exchange, started control.StartedPortal) *wire.APIKeyList {
	if !started.May(session.KeysRead) {
		return nil
	}
	c := x.origin()
	c.Portal, c.Thumbprint, c.Until = started.ID, started.Thumbprint, started.TokenUntil
	var in control.ListKeys
	in.Limit = firstPageSize
	keys, page, err := a.Control.ListKeys(x.ctx(), c, in)
	if err != nil {
		return nil
	}
	return &wire.APIKeyList{APIKeys: mapped(keys, a.apiKey), Pagination: pagination(page)}
}

// renewPortal is for the hosted page alone: an element, and a frame, ask their platform again, so that its sign-out is
// theirs.
func (a *api) renewPortal(x *exchange) (wire.StartedPortalSession, error) {
	if !x.ownOrigin() {
		return wire.StartedPortalSession{}, fault.New(
			fault.PermissionDenied, "a token is renewed for the page of this server alone",
			fault.Detail{Field: "Origin", Message: "is not the server's own"},
		)
	}
	if wait := a.Failures.Wait(x.client); wait > 0 {
		return wire.StartedPortalSession{}, x.tooMany(wait)
	}
	proof, err := x.proof("")
	if err != nil {
		return wire.StartedPortalSession{}, x.guessed(err)
	}
	portal := id.Portal(x.r.PathValue("id"))
	if x.through != "" && x.through != portal {
		return wire.StartedPortalSession{}, fault.Missing()
	}
	started, err := a.Control.RenewPortal(x.ctx(), x.origin(), portal, proof)
	return a.portalStarted(x, started, err)
}

func (a *api) portalStarted(x *exchange, started control.StartedPortal, err error) (wire.StartedPortalSession, error) {
	if fault.Is(err, fault.Unauthenticated) {
		return wire.StartedPortalSession{}, x.guessed(err)
	}
	if err != nil {
		return wire.StartedPortalSession{}, err
	}
	x.caller.Portal, x.home = started.ID, string(started.Workspace)
	return wire.StartedPortalSession{
		PortalSession: a.portalShown(started.Portal), Token: started.Token.Reveal(), TokenType: dpopScheme,
		ExpiresAt: wire.Time(started.TokenUntil),
	}, nil
}

func (a *api) portalShown(p session.Portal) wire.PortalSession {
	reveal, by := control.RevealAnywhere, string(p.Maker.ServiceKey)
	if p.FrameOnly {
		reveal = control.RevealFrame
	}
	if by == "" {
		by = string(p.Maker.User)
	}
	return wire.PortalSession{
		ID: string(p.ID), WorkspaceID: string(p.Workspace), UserID: string(p.User),
		Capabilities:   mapped(p.Capabilities, func(c session.Capability) string { return string(c) }),
		Ceiling:        portalCeilingShown(&p.Ceiling),
		AllowedOrigins: listed(p.Origins), Reveal: reveal, Locale: wire.TextOrNull(p.Locale), Theme: wire.TextOrNull(p.Theme),
		ReturnURL: wire.TextOrNull(p.ReturnURL), Label: wire.TextOrNull(p.Label), IsStarted: p.Thumbprint != "",
		CreatedBy: by,
		CreatedAt: wire.Time(p.CreatedAt), ExpiresAt: wire.Time(p.ExpiresAt),
	}
}

func portalCeilingShown(c *session.Ceiling) wire.PortalCeiling {
	out := wire.PortalCeiling{
		MaxLifetimeSeconds: wire.LimitOrNull(int64(c.MaxLifetime / time.Second)), RateLimit: rateLimit(c.Limits),
		MaxKeys: wire.LimitOrNull(c.MaxKeys), RequireAllowedIPs: c.RequireIPs,
	}
	if c.Permissions != nil {
		out.Permissions = &c.Permissions
	}
	if c.Environments != nil {
		names := mapped(c.Environments, func(e keyfmt.Environment) string { return string(e) })
		out.Environments = &names
	}
	return out
}
