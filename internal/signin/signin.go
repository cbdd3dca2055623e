// Package signin owns the door for people: the pages and cookies of signing in, the gate that identifies visitors on
// every page behind it, and the refusal of requests that another site sends in their name. It does not own sessions
// (session, control), the pages behind the gate, nor the rights of people.
package signin

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/oidc"
	"github.com/keyward/keyward/internal/session"
)

// Config holds the parts of a Gate. Control, Logger and Now are needed.
type Config struct {
	Control *control.Service
	Logger  *slog.Logger
	// Origin returns the address of a request, as a Caller without an identity.
	Origin func(*http.Request) control.Caller
	// Known receives the caller of a request, for the log.
	Known func(*http.Request, control.Caller)
	// Failed counts a failed attempt, and answers how long its address has to wait where there are too many; nil lets
	// all try.
	Failed func(*http.Request) time.Duration
	// Wait answers the same, and counts nothing; nil lets all try.
	Wait func(*http.Request) time.Duration
	// Render shows the pages of signing in; nil is a plain form of them.
	Render func(http.ResponseWriter, *http.Request, Page)
	// PublicURL is where browsers reach this server, without a path; "" takes it from each request.
	PublicURL string
	// OverTLS tells whether the browser speaks TLS, to us or to a proxy that is trusted; nil asks the connection alone.
	OverTLS func(*http.Request) bool
	// OIDC is the provider at which people sign in; nil is none. Secret seals attempts to sign in there and by
	// passkeys: the same on every node. Now is the clock by which they end.
	OIDC   *oidc.Provider
	Secret []byte
	Now    func() time.Time
}

// Gate knows people by their cookies. It is safe for concurrent use.
type Gate struct {
	Config
	cross *http.CrossOriginProtection
	flows sealer
	tries sealer // of passkeys
}

// New makes a gate.
func New(c Config) (*Gate, error) {
	if c.Origin == nil {
		c.Origin = func(*http.Request) control.Caller { return control.Caller{} }
	}
	if c.Failed == nil {
		c.Failed = func(*http.Request) time.Duration { return 0 }
	}
	if c.Wait == nil {
		c.Wait = func(*http.Request) time.Duration { return 0 }
	}
	if c.Known == nil {
		c.Known = func(*http.Request, control.Caller) {}
	}
	if c.Render == nil {
		c.Render = renderPlain
	}
	if c.OverTLS == nil {
		c.OverTLS = func(r *http.Request) bool { return r.TLS != nil }
	}
	if c.Secret == nil {
		c.Secret = freshSecret()
	}
	g := &Gate{Config: c, cross: http.NewCrossOriginProtection()}
	var err error
	if g.flows, err = newSealer(c.Secret, "keyward sign-in flow"); err != nil {
		return nil, err
	}
	if g.tries, err = newSealer(c.Secret, "keyward passkey ceremony"); err != nil {
		return nil, err
	}
	if c.PublicURL != "" {
		if err := g.cross.AddTrustedOrigin(c.PublicURL); err != nil {
			return nil, err
		}
	}
	g.cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.refuse(
			w, r, http.StatusForbidden, "This came from another site",
			"Keyward does what its own pages ask, and nothing that another site sends.",
		)
	}))
	return g, nil
}

// Session is the signed-in visitor, as the pages behind the gate see them.
type Session struct {
	ID id.Session
	// Caller is the caller for the control plane: a member who calls as themselves, or for the root its service key,
	// with the address of the request.
	Caller control.Caller
	Root   bool // acts as the root service key: everything, in every workspace

	User  id.User // "" for the root
	Email string
	Name  string // to show; "" where nothing is known
	Role  string // the role's name; "" for the root
	Owner bool

	// Workspace is where they work; "" for a root that has chosen none. Workspaces are those to switch between, by a
	// POST of workspaceId and return to /signin/workspace.
	Workspace  control.Place
	Workspaces []control.Place

	Method    session.Method
	StartedAt time.Time
	ExpiresAt time.Time
}

type contextKey struct{}

// From returns the signed-in visitor, on pages behind Require.
func From(ctx context.Context) (Session, bool) {
	s, ok := ctx.Value(contextKey{}).(Session)
	return s, ok
}

// Protect refuses requests that change something and come from another site (Fetch metadata, Origin). Everything that
// browsers reach stands behind it; forms need no token of their own, and must not change anything on GET.
func (g *Gate) Protect(next http.Handler) http.Handler { return g.cross.Handler(next) }

// Require lets signed-in visitors through, for From to return. Others are sent to sign in, and back afterwards; their
// posted form is not done. It protects, too.
func (g *Gate) Require(next http.Handler) http.Handler {
	return g.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := g.identify(r)
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, s)))
		case !fault.Is(err, fault.Unauthenticated):
			g.broken(w, r, err)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			http.Redirect(w, r, signInURL(r.URL), http.StatusSeeOther)
		default:
			g.show(w, r, Page{Status: http.StatusUnauthorized, Kind: SignIn,
				Note: "You are not signed in any more, and what you sent was not done."})
		}
	}))
}

// WithSession puts the session into the context of a request that needs none, if there is one.
func (g *Gate) WithSession(r *http.Request) *http.Request {
	s, err := g.identify(r)
	if err != nil {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), contextKey{}, s))
}

// identify finds the holder of the cookie. Unauthenticated says that there is none.
func (g *Gate) identify(r *http.Request) (Session, error) {
	token := cookieToken(r)
	if token == "" {
		return Session{}, fault.New(fault.Unauthenticated, "nobody is signed in")
	}
	who, err := g.Control.Identify(r.Context(), token)
	if err != nil {
		return Session{}, err
	}
	s := Session{
		ID: who.ID, Caller: who.Caller.From(g.Origin(r)), Root: who.Root, User: who.User, Email: who.Email, Name: who.Name,
		Role: who.Role, Owner: who.Owner, Workspaces: who.Workspaces, Method: who.Method, StartedAt: who.StartedAt,
		ExpiresAt: who.ExpiresAt,
	}
	s.Workspace.ID = who.Workspace
	for _, p := range who.Workspaces {
		if p.ID == who.Workspace {
			s.Workspace = p
		}
	}
	g.Known(r, s.Caller)
	return s, nil
}

// Routes hangs the pages of signing in on a mux.
func (g *Gate) Routes(mux *http.ServeMux) {
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /signin":              g.signIn,
		"POST /signin":             g.redeem,
		"GET /signin/link":         g.link,
		"POST /signin/link":        g.redeem,
		"POST /signin/workspace":   g.switchWorkspace,
		"POST /signout":            g.signOut,
		"GET /signin/invitation":   g.invitation,
		"POST /signout-everywhere": g.signOutEverywhere,
	} {
		mux.Handle(pattern, g.Protect(h))
	}
	for pattern, h := range map[string]scripted{
		"POST /signin/invitation/begin": g.beginInvitation,
		"POST /signin/invitation":       g.followInvitation,
		"POST /signin/passkey/begin":    g.beginPasskey,
		"POST /signin/passkey":          g.signInByPasskey,
		"POST /signin/passkeys/begin":   g.beginAnother,
		"POST /signin/passkeys":         g.addAnother,
	} {
		mux.Handle(pattern, g.Protect(g.script(h)))
	}
	if g.OIDC != nil {
		mux.Handle("GET /signin/oidc", g.Protect(http.HandlerFunc(g.begin)))
		mux.Handle("GET "+callbackPath, g.Protect(http.HandlerFunc(g.callback)))
	}
}
