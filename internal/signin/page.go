package signin

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
)

// Kind is which page of signing in is shown.
type Kind string

// The kinds.
const (
	SignIn  Kind = "signin"  // how to sign in
	Confirm Kind = "confirm" // a button that follows a one-time link
	Refusal Kind = "refusal" // what went wrong
	Invite  Kind = "invite"  // registers a passkey by an invitation, whose code stands behind the # of the address
)

// Page is the content of a page of signing in. Forms post to /signin/link: code and return.
type Page struct {
	Status int // 200 where it is 0
	Kind   Kind
	Title  string // of a refusal
	Note   string // a sentence that stands out; "" for none

	OIDC   string        // where to begin with the provider; "" where there is none
	Code   string        // of the link to confirm
	Guest  control.Guest // whom it lets in
	Return string        // where to go afterwards
	// NoPasskeys is the reason why browsers make no passkey here, and the remedy; "" if they do.
	NoPasskeys string
	// NoCookies says that the browser reaches us in a way in which it will not keep a session.
	NoCookies bool
}

// show fills in the parts that all pages have, and renders.
func (g *Gate) show(w http.ResponseWriter, r *http.Request, p Page) {
	if p.Status == 0 {
		p.Status = http.StatusOK
	}
	if p.Return == "" {
		p.Return = home
	}
	if g.OIDC != nil {
		p.OIDC = "/signin/oidc"
		if p.Return != home {
			p.OIDC += "?return=" + url.QueryEscape(p.Return)
		}
	}
	p.NoPasskeys = g.noPasskeys(r)
	p.NoCookies = !keepsCookies(r, g.overTLS(r))
	g.Render(w, r, p)
}

func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, status int, title, note string) {
	g.show(w, r, Page{Status: status, Kind: Refusal, Title: title, Note: note})
}

// broken answers an error that is not the visitor's.
func (g *Gate) broken(w http.ResponseWriter, r *http.Request, err error) {
	g.Logger.Error("a page of signing in failed", "path", r.URL.Path, "error", err.Error())
	status := fault.From(err).Code.Status()
	if status >= http.StatusInternalServerError {
		g.refuse(w, r, status, "This did not work", "It is not your doing. Try again in a moment.")
		return
	}
	g.refuse(w, r, status, "This was refused", fault.From(err).Message)
}

// overTLS reports whether the browser speaks TLS, to us or to a proxy in front of us.
func (g *Gate) overTLS(r *http.Request) bool {
	return strings.HasPrefix(g.PublicURL, "https://") || g.OverTLS(r)
}

// codeOf takes a code, or a whole link that was pasted.
func codeOf(s string) string {
	s = strings.TrimSpace(s)
	if u, err := url.Parse(s); err == nil && u.Query().Has("code") {
		return u.Query().Get("code")
	}
	return s
}

const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func renderPlain(w http.ResponseWriter, r *http.Request, p Page) {
	var b strings.Builder
	if err := p.plain().Render(r.Context(), &b); err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_, _ = w.Write([]byte(b.String()))
}
