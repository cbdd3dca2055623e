package signin

import (
	"net/http"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
)

// maxForm is more than any form of these pages holds.
const maxForm = 8 << 10

// form reads a posted form, and answers a refusal where it cannot.
func (g *Gate) form(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		g.refuse(w, r, http.StatusBadRequest, "That could not be read", "The form was too long or not well formed.")
		return false
	}
	return true
}

// signIn is the page to begin on.
func (g *Gate) signIn(w http.ResponseWriter, r *http.Request) {
	back := returnPath(r.URL.Query().Get("return"))
	if _, err := g.identify(r); err == nil {
		http.Redirect(w, r, back, http.StatusSeeOther)
		return
	}
	g.show(w, r, Page{Kind: SignIn, Return: back})
}

// link asks whether to follow a one-time link. Programs that look at links ahead of people do not press buttons, so it
// survives them.
func (g *Gate) link(w http.ResponseWriter, r *http.Request) {
	if g.refused(w, r, g.Wait(r)) {
		return
	}
	code := r.URL.Query().Get("code")
	guest, err := g.Control.LookAtSignInLink(r.Context(), code)
	switch {
	case fault.Is(err, fault.Unauthenticated):
		g.deadLink(w, r)
	case err != nil:
		g.broken(w, r, err)
	default:
		g.show(w, r, Page{Kind: Confirm, Code: code, Guest: guest, Return: returnPath(r.URL.Query().Get("return"))})
	}
}

func (g *Gate) deadLink(w http.ResponseWriter, r *http.Request) {
	if g.tooMany(w, r) {
		return
	}
	g.show(w, r, Page{Status: http.StatusUnauthorized, Kind: SignIn,
		Note: "This link does not work. It was used before, is older than ten minutes, or was never one. Ask for another."})
}

// tooMany counts a failed attempt, and answers where there are too many from one address.
func (g *Gate) tooMany(w http.ResponseWriter, r *http.Request) bool {
	return g.refused(w, r, g.Failed(r))
}

// refused answers an address that has to wait.
func (g *Gate) refused(w http.ResponseWriter, r *http.Request, wait time.Duration) bool {
	if wait == 0 {
		return false
	}
	w.Header().Set("Retry-After", strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	g.refuse(w, r, http.StatusTooManyRequests, "Too many attempts", "Wait a moment, and try again.")
	return true
}

// redeem follows a one-time link.
func (g *Gate) redeem(w http.ResponseWriter, r *http.Request) {
	if g.refused(w, r, g.Wait(r)) || !g.form(w, r) {
		return
	}
	started, err := g.Control.RedeemSignInLink(r.Context(), g.Origin(r), codeOf(r.PostForm.Get("code")))
	switch {
	case fault.Is(err, fault.Unauthenticated):
		g.deadLink(w, r)
	case err != nil:
		g.broken(w, r, err)
	default:
		g.enter(w, r, started, r.PostForm.Get("return"))
	}
}

// enter gives the browser its new session; the one that it had before, if any, is ended.
func (g *Gate) enter(w http.ResponseWriter, r *http.Request, started control.Started, back string) {
	g.replace(w, r, started)
	http.Redirect(w, r, returnPath(back), http.StatusSeeOther)
}

// replace gives the browser its new session in the place of the one before.
func (g *Gate) replace(w http.ResponseWriter, r *http.Request, started control.Started) {
	if before, err := g.identify(r); err == nil {
		if err := g.Control.EndSession(r.Context(), before.Caller, string(before.ID)); err != nil {
			g.Logger.Warn("the session before was not ended", "session", before.ID, "error", err.Error())
		}
	}
	giveCookie(w, started.Token)
}

// switchWorkspace takes the session to another workspace, with a new token.
func (g *Gate) switchWorkspace(w http.ResponseWriter, r *http.Request) {
	if !g.form(w, r) {
		return
	}
	s, err := g.identify(r)
	if err == nil && s.Workspace.ID != id.Workspace(r.PostForm.Get("workspaceId")) {
		var started control.Started
		if started, err = g.Control.SwitchWorkspace(r.Context(), s.Caller, r.PostForm.Get("workspaceId")); err == nil {
			giveCookie(w, started.Token)
		}
	}
	switch {
	case fault.Is(err, fault.Unauthenticated):
		http.Redirect(w, r, "/signin", http.StatusSeeOther)
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.InvalidRequest):
		g.refuse(w, r, http.StatusNotFound, "There is no such workspace", "You are not a member of it, or it was deleted.")
	case err != nil:
		g.broken(w, r, err)
	default:
		http.Redirect(w, r, returnPath(r.PostForm.Get("return")), http.StatusSeeOther)
	}
}

// signOut ends the session and takes the cookie away, whether or not it was still valid.
func (g *Gate) signOut(w http.ResponseWriter, r *http.Request) {
	g.leave(w, r, func(s Session) error { return g.Control.EndSession(r.Context(), s.Caller, string(s.ID)) })
}

// signOutEverywhere ends every session of the person.
func (g *Gate) signOutEverywhere(w http.ResponseWriter, r *http.Request) {
	g.leave(w, r, func(s Session) error {
		_, err := g.Control.EndSessions(r.Context(), s.Caller, "")
		return err
	})
}

func (g *Gate) leave(w http.ResponseWriter, r *http.Request, end func(Session) error) {
	s, err := g.identify(r)
	if err == nil {
		err = end(s)
	}
	if err != nil && !fault.Is(err, fault.Unauthenticated) && !fault.Is(err, fault.NotFound) {
		g.broken(w, r, err)
		return
	}
	takeCookie(w, cookieName)
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
}
