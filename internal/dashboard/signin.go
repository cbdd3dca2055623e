package dashboard

import (
	"net/http"

	"github.com/keyward/keyward/internal/signin"
)

// Sessions is the Gate of visitors that a signin.Gate has let through.
type Sessions struct{}

// Visitor is the signed-in visitor.
func (Sessions) Visitor(r *http.Request) (Visitor, bool, error) {
	s, ok := signin.From(r.Context())
	if !ok {
		return Visitor{}, false, nil
	}
	v := Visitor{Caller: s.Caller, Workspace: string(s.Workspace.ID), Name: s.Name, Session: s.ID, All: s.Root}
	for _, p := range s.Workspaces {
		v.Places = append(v.Places, Place{string(p.ID), p.Name})
	}
	return v, true, nil
}

// SignIn shows a page of signing in.
func (d *Dashboard) SignIn(w http.ResponseWriter, r *http.Request, p signin.Page) {
	protect(w.Header())
	title := "Sign in"
	var scripts []string
	switch p.Kind {
	case signin.Refusal:
		title = p.Title
	case signin.Invite:
		title, scripts = "You are invited", []string{"passkey.js"}
	case signin.SignIn:
		scripts = []string{"passkey.js"}
	}
	if err := d.write(w, p.Status,
		page{Title: title, theme: themeOf(r), Scripts: scripts, Body: signinBody{p}}); err != nil {
		d.Logger.ErrorContext(r.Context(), "a page of signing in", "error", err.Error())
	}
}
