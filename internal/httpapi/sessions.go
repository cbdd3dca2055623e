package httpapi

import (
	"net/http"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/wire"
)

func (a *api) sessionRoutes() []route {
	const sessions, links = base + "/sessions", base + "/sign-in-links"
	list := append([]string{"workspaceId", "userId"}, paging...)
	return []route{
		{
			on: "POST " + links, name: "createSignInLink", status: http.StatusCreated, body: jsonBody,
			message: "Sign-in link created", serve: handle(a.createSignInLink),
		},
		{
			on: "POST " + sessions, name: "startSession", status: http.StatusCreated, body: jsonBody, secrets: []string{"code"},
			public: true, message: "Session started", serve: handle(a.startSession),
		},
		{on: "GET " + sessions, name: "listSessions", query: list, message: "Sessions", serve: show(a.listSessions)},
		{
			on: "DELETE " + sessions, name: "endSessions", query: []string{"userId"}, message: "Sessions ended",
			serve: show(a.endSessions),
		},
		{on: "DELETE " + sessions + "/{id}", name: "endSession", message: "Session ended", serve: show(a.endSession)},
	}
}

const maxCode = 255

// signInPath is the page that follows a link.
const signInPath = "/signin/link?code="

func (a *api) createSignInLink(x *exchange, in wire.CreateSignInLink) (wire.SignInLinkResult, error) {
	l, err := a.Control.CreateSignInLink(x.ctx(), x.caller,
		control.CreateSignInLink{Workspace: string(in.WorkspaceID.Value), User: in.UserID.Value, Root: in.Root.Value})
	if err != nil {
		return wire.SignInLinkResult{}, err
	}
	return wire.SignInLinkResult{SignInLink: wire.SignInLink{
		WorkspaceID: wire.TextOrNull(string(l.Workspace)), UserID: wire.TextOrNull(string(l.User)),
		Path: signInPath + l.Code.Reveal(), Code: l.Code.Reveal(), ExpiresAt: wire.Time(l.ExpiresAt),
	}}, nil
}

func (a *api) startSession(x *exchange, in wire.StartSession) (wire.StartedSession, error) {
	if in.Code == "" || len(in.Code) > maxCode {
		return wire.StartedSession{}, fault.Invalid("code", "must be the code of a link")
	}
	if wait := a.Failures.Wait(x.client); wait > 0 { // before anything is looked up
		return wire.StartedSession{}, x.tooMany(wait)
	}
	started, err := a.Control.RedeemSignInLink(x.ctx(), x.origin(), in.Code)
	if fault.Is(err, fault.Unauthenticated) {
		return wire.StartedSession{}, x.guessed(err)
	}
	if err != nil {
		return wire.StartedSession{}, err
	}
	return wire.StartedSession{Session: sessionShown(started.Session, started.ID), Token: started.Token.Reveal()}, nil
}

func (a *api) listSessions(x *exchange) (wire.SessionList, error) {
	in, err := x.query.sessions()
	if err != nil {
		return wire.SessionList{}, err
	}
	all, page, err := a.Control.ListSessions(x.ctx(), x.caller, in)
	return wire.SessionList{
		Sessions:   mapped(all, func(s session.Session) wire.Session { return sessionShown(s, x.caller.Session) }),
		Pagination: pagination(page),
	}, err
}

func (q query) sessions() (in control.ListSessions, err error) {
	if in.Paging, err = q.paging(); err != nil {
		return in, err
	}
	if in.Workspace, err = q.word("workspaceId"); err != nil {
		return in, err
	}
	in.User, err = q.word("userId")
	return in, err
}

func (a *api) endSession(x *exchange) (wire.EndedSessions, error) {
	s := x.r.PathValue("id")
	return wire.EndedSessions{Deleted: []string{s}}, a.Control.EndSession(x.ctx(), x.caller, s)
}

func (a *api) endSessions(x *exchange) (wire.EndedSessions, error) {
	user, err := x.query.word("userId")
	if err != nil {
		return wire.EndedSessions{}, err
	}
	ended, err := a.Control.EndSessions(x.ctx(), x.caller, user)
	return wire.EndedSessions{Deleted: mapped(ended, func(s id.Session) string { return string(s) })}, err
}

func sessionShown(s session.Session, calls id.Session) wire.Session {
	workspace, user := wire.TextOrNull(string(s.Workspace)), wire.TextOrNull(string(s.User))
	return wire.Session{
		ID: string(s.ID), WorkspaceID: workspace, UserID: user, IsRoot: s.ServiceKey != "", Method: string(s.Method),
		Address: wire.TextOrNull(s.Address), UserAgent: wire.TextOrNull(s.UserAgent), StartedAt: wire.Time(s.StartedAt),
		LastSeenAt: wire.Time(s.SeenAt), ExpiresAt: wire.Time(s.ExpiresAt), Current: s.ID == calls,
	}
}
