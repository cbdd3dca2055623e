package signin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/passkey"
	"github.com/keyward/keyward/internal/session"
)

// ceremonyCookie holds a ceremony while the authenticator is asked: it binds the answer to the browser that asked. A
// challenge is answered once all the same: control keeps those that were.
const ceremonyCookie = "__Host-keyward-passkey"

// maxAnswer bounds an authenticator's answer: attestations are not asked for, so that a few kilobytes are plenty.
const maxAnswer = 64 << 10

// ceremony is an attempt to register a passkey or to sign in with one.
type ceremony struct {
	passkey.Attempt
	Kind  string `json:"k"`
	Until int64  `json:"u"` // Unix milliseconds
}

// The kinds of a ceremony. An answer to one is none to another.
const (
	byInvitation = "invitation"
	bySession    = "session"
	bySignIn     = "signin"
)

// scripted answers a page's script; its result is written as JSON.
type scripted func(w http.ResponseWriter, r *http.Request) (any, error)

// refusal is an error in the form for a script.
type refusal struct {
	Error string `json:"error"`
}

// script runs the request of a page's script. An attempt that fails counts for its address, as one by a form does.
func (g *Gate) script(do scripted) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		answer, err := any(nil), error(nil)
		if wait := g.Wait(r); wait > 0 {
			err = tooManyAttempts(w, wait)
		} else {
			r.Body = http.MaxBytesReader(w, r.Body, maxAnswer)
			if err = r.ParseForm(); err != nil {
				err = fault.Invalid("form", "cannot be read, or is too long")
			} else {
				answer, err = do(w, r)
			}
		}
		if err == nil {
			_ = json.NewEncoder(w).Encode(answer)
			return
		}
		if fault.Is(err, fault.Unauthenticated) {
			g.Logger.Warn("a passkey or an invitation was refused", "path", r.URL.Path, "error", err.Error())
			if wait := g.Failed(r); wait > 0 {
				err = tooManyAttempts(w, wait)
			}
		}
		f := fault.From(err)
		if f.Code.Status() >= http.StatusInternalServerError {
			g.Logger.Error("a passkey was not taken", "path", r.URL.Path, "error", err.Error())
		}
		w.WriteHeader(f.Code.Status())
		_ = json.NewEncoder(w).Encode(refusal{f.Message})
	})
}

func tooManyAttempts(w http.ResponseWriter, wait time.Duration) error {
	w.Header().Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	return fault.New(fault.RateLimited, "too many attempts: wait a moment, and try again")
}

// party is the relying party for the browser: by KEYWARD_PUBLIC_URL, else the localhost of the request.
func (g *Gate) party(r *http.Request) (*passkey.Party, error) {
	if why := g.noPasskeys(r); why != "" {
		return nil, fault.New(fault.Conflict, why)
	}
	origin := g.PublicURL
	if origin == "" {
		origin = "http://" + r.Host
		if g.overTLS(r) {
			origin = "https://" + r.Host
		}
	}
	return passkey.New(origin)
}

// Base is the address under which people are to open links.
func (g *Gate) Base(r *http.Request) string { return passkey.Base(g.PublicURL, g.overTLS(r), r.Host) }

// NoPasskeys says why browsers make no passkey here; "" where they do.
func (g *Gate) NoPasskeys(r *http.Request) string { return g.noPasskeys(r) }

// noPasskeys is the reason why browsers make no passkey here, and the remedy; "" if they do.
func (g *Gate) noPasskeys(r *http.Request) string {
	if g.PublicURL != "" {
		if _, err := passkey.New(g.PublicURL); err != nil {
			return "Passkeys need a name over HTTPS: the operator sets KEYWARD_PUBLIC_URL to an address such as https://keys.example.com."
		}
		if _, host, _ := strings.Cut(g.PublicURL, "://"); !strings.EqualFold(r.Host, host) {
			return "Passkeys are for " + g.PublicURL + ": open it there."
		}
		return ""
	}
	if hostOf(r) == "localhost" {
		return ""
	}
	if local, ok := passkey.Localhost(r.Host); ok {
		return "Browsers make no passkey for an IP address: open http://" + local + "."
	}
	return "Passkeys need to know by which name browsers reach this server: the operator sets KEYWARD_PUBLIC_URL, to https:// and that name."
}

// keep gives a ceremony to the browser that asked for it.
func (g *Gate) keep(w http.ResponseWriter, a passkey.Attempt, kind string) error {
	sealed, err := g.tries.seal(ceremony{a, kind, g.Now().Add(session.CeremonyLife).UnixMilli()})
	if err != nil {
		return err
	}
	http.SetCookie(
		w,
		&http.Cookie{
			Name: ceremonyCookie, Value: sealed, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
			MaxAge: int(session.CeremonyLife.Seconds()),
		},
	)
	return nil
}

// kept takes the ceremony back, for good. Unauthenticated says that this browser has begun none of the kind.
func (g *Gate) kept(w http.ResponseWriter, r *http.Request, kind string) (ceremony, control.Challenge, error) {
	var c ceremony
	all := r.CookiesNamed(ceremonyCookie)
	http.SetCookie(
		w,
		&http.Cookie{
			Name: ceremonyCookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1,
		},
	)
	err := errors.New("no ceremony of this browser")
	if len(all) == 1 {
		err = g.tries.open(all[0].Value, &c)
	}
	if err == nil && c.Kind != kind {
		err = errors.New("a ceremony of another kind")
	}
	if err != nil {
		return c, control.Challenge{}, fault.New(
			fault.Unauthenticated, "this took too long, or began in another browser: begin anew",
		).
			Because(err)
	}
	return c, control.Challenge{Digest: c.Digest(), Until: time.UnixMilli(c.Until)}, nil
}

// handle is by which authenticators tell members apart. The same person has another one in each workspace.
func (g *Gate) handle(ws id.Workspace, u id.User) []byte {
	m := hmac.New(sha256.New, g.Secret)
	m.Write([]byte("keyward passkey handle\x00" + string(ws) + "\x00" + string(u)))
	return m.Sum(nil)
}

// invitation is the page that registers a passkey. The code stands behind the # of its address, which no browser sends:
// a script reads it there. Nothing is used up by looking.
func (g *Gate) invitation(w http.ResponseWriter, r *http.Request) { g.show(w, r, Page{Kind: Invite}) }

// begun is the data with which a script asks the authenticator.
type begun struct {
	Options   json.RawMessage `json:"options"`
	Workspace string          `json:"workspace,omitempty"`
	User      string          `json:"user,omitempty"`
	Name      string          `json:"name,omitempty"`
}

// done is where a script goes on.
type done struct {
	To string `json:"to"`
}

func (g *Gate) beginInvitation(w http.ResponseWriter, r *http.Request) (any, error) {
	p, err := g.party(r)
	if err != nil {
		return nil, err
	}
	who, err := g.Control.LookAtInvitation(r.Context(), inviteOf(r))
	if err != nil {
		return nil, err
	}
	options, a, err := p.Registration(
		passkey.Owner{Handle: g.handle(who.Workspace, who.User), Name: string(who.User) + " at " + who.Name,
			DisplayName: who.DisplayName},
	)
	if err != nil {
		return nil, err
	}
	return begun{
			Options:   options,
			Workspace: who.Name,
			User:      string(who.User),
			Name:      who.DisplayName,
		}, g.keep(
			w, a, byInvitation,
		)
}

// inviteOf takes a code, or a whole link that was pasted.
func inviteOf(r *http.Request) string {
	s := strings.TrimSpace(r.PostForm.Get("code"))
	if _, code, ok := strings.Cut(s, "#"); ok {
		return code
	}
	return s
}

// registered checks the answer of an authenticator that has made a passkey for the member.
func (g *Gate) registered(
	w http.ResponseWriter, r *http.Request, kind string, handle []byte,
) (control.NewPasskey, error) {
	c, challenge, err := g.kept(w, r, kind)
	if err != nil {
		return control.NewPasskey{}, err
	}
	p, err := g.party(r)
	if err != nil {
		return control.NewPasskey{}, err
	}
	if !hmac.Equal(c.Handle, handle) {
		return control.NewPasskey{}, fault.New(
			fault.Unauthenticated, "this passkey was begun for another account: begin anew",
		)
	}
	made, err := p.Registered(c.Attempt, []byte(r.PostForm.Get("answer")))
	if err != nil {
		return control.NewPasskey{}, fault.New(fault.Unauthenticated, "the passkey was not taken: begin anew").Because(err)
	}
	return control.NewPasskey{
		Name: r.PostForm.Get("name"), Credential: made.Credential, PublicKey: made.PublicKey, Handle: handle,
		Counter: made.Counter, Backup: made.Backup, Answered: challenge,
	}, nil
}

// followInvitation registers the passkey and signs the member in. The invitation is used up.
func (g *Gate) followInvitation(w http.ResponseWriter, r *http.Request) (any, error) {
	who, err := g.Control.LookAtInvitation(r.Context(), inviteOf(r))
	if err != nil {
		return nil, err
	}
	made, err := g.registered(w, r, byInvitation, g.handle(who.Workspace, who.User))
	if err != nil {
		return nil, err
	}
	started, err := g.Control.Register(r.Context(), g.Origin(r), inviteOf(r), made)
	if err != nil {
		return nil, err
	}
	g.replace(w, r, started)
	return done{"/sessions?welcome=1"}, nil
}

func (g *Gate) beginPasskey(w http.ResponseWriter, r *http.Request) (any, error) {
	p, err := g.party(r)
	if err != nil {
		return nil, err
	}
	options, a, err := p.SignIn()
	if err != nil {
		return nil, err
	}
	return begun{Options: options}, g.keep(w, a, bySignIn)
}

func (g *Gate) signInByPasskey(w http.ResponseWriter, r *http.Request) (any, error) {
	c, challenge, err := g.kept(w, r, bySignIn)
	if err != nil {
		return nil, err
	}
	p, err := g.party(r)
	if err != nil {
		return nil, err
	}
	answer, err := passkey.Read([]byte(r.PostForm.Get("answer")))
	if err != nil {
		return nil, fault.New(fault.Unauthenticated, "the answer of the passkey cannot be read: begin anew").Because(err)
	}
	started, err := g.Control.SignInByPasskey(r.Context(), g.Origin(r), answer.Credential(), challenge,
		func(key *session.Passkey) (uint32, error) { return p.Proves(c.Attempt, answer, key) })
	if err != nil {
		return nil, err
	}
	g.replace(w, r, started)
	return done{returnPath(r.PostForm.Get("return"))}, nil
}

// member is the signed-in person in whose name a passkey is added.
func (g *Gate) member(r *http.Request) (Session, error) {
	s, err := g.identify(r)
	if err == nil && (s.Root || s.User == "") {
		err = fault.New(fault.PermissionDenied, "only a member has passkeys")
	}
	return s, err
}

func (g *Gate) beginAnother(w http.ResponseWriter, r *http.Request) (any, error) {
	s, err := g.member(r)
	if err != nil {
		return nil, err
	}
	p, err := g.party(r)
	if err != nil {
		return nil, err
	}
	has, err := g.Control.ListPasskeys(r.Context(), s.Caller)
	if err != nil {
		return nil, err
	}
	options, a, err := p.Registration(
		passkey.Owner{Handle: g.handle(s.Workspace.ID, s.User), Name: string(s.User) + " at " + s.Workspace.Name,
			DisplayName: s.Name, Has: has},
	)
	if err != nil {
		return nil, err
	}
	return begun{Options: options}, g.keep(w, a, bySession)
}

func (g *Gate) addAnother(w http.ResponseWriter, r *http.Request) (any, error) {
	s, err := g.member(r)
	if err != nil {
		return nil, err
	}
	made, err := g.registered(w, r, bySession, g.handle(s.Workspace.ID, s.User))
	if err != nil {
		return nil, err
	}
	if _, err := g.Control.AddPasskey(r.Context(), s.Caller, made); err != nil {
		return nil, err
	}
	return done{"/sessions"}, nil
}
