package main

import (
	"crypto/rand"
	"net/http"
	"regexp"
	"strings"
	"sync"
)

// user is a customer who is signed in.
type user struct {
	id, name, email string
	company         company
}

// logins are the product's own sessions. This login asks for no password: yours stands in its place.
type logins struct {
	mu    sync.Mutex
	users map[string]user // by the value of the cookie
}

const cookie = "product_session"

func (l *logins) add(u user) (value string) {
	value = rand.Text()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users[value] = u
	return value
}

func (l *logins) of(r *http.Request) (user, bool) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return user{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	u, ok := l.users[c.Value]
	return u, ok
}

func (l *logins) end(r *http.Request) {
	if c, err := r.Cookie(cookie); err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.users, c.Value)
	}
}

// signedIn gives a handler the user, and refuses a request without one: a page leads to the login.
func (p *product) signedIn(next func(http.ResponseWriter, *http.Request, user)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u, ok := p.logins.of(r)
		switch {
		case ok:
			next(w, r, u)
		case r.Method == http.MethodGet:
			http.Redirect(w, r, "/login", http.StatusSeeOther)
		default:
			http.Error(w, "sign in first", http.StatusUnauthorized)
		}
	}
}

var nameForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,30}$`)

// login signs a user in. The first user of a company owns its workspace; the others become members of it with their
// first portal session.
func (p *product) login(w http.ResponseWriter, r *http.Request) {
	name, at := r.PostFormValue("name"), r.PostFormValue("company")
	if !nameForm.MatchString(name) || !nameForm.MatchString(at) {
		http.Error(w, "a name and a company are letters and digits", http.StatusBadRequest)
		return
	}
	u := user{id: strings.ToLower(name), name: name}
	u.email = u.id + "@" + strings.ToLower(at) + ".example"
	c, err := p.companies.enter(r.Context(), at, u)
	if err != nil {
		failed(w, "find your company", err)
		return
	}
	u.company = c
	http.SetCookie(w, &http.Cookie{
		Name: cookie, Value: p.logins.add(u), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(p.origin, "https://"),
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// logout ends the user's portal sessions together with the product's own.
func (p *product) logout(w http.ResponseWriter, r *http.Request, u user) {
	p.logins.end(r)
	if _, err := p.keyward.EndPortalSessions(r.Context(), u.id); err != nil {
		failed(w, "end your portal sessions", err)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}
