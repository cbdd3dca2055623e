package dashboard

import (
	"net/http"

	"github.com/keyward/keyward/internal/signin"
)

// themeCookie keeps the chosen theme: nothing else is in it, and no decision depends on it.
const themeCookie = "kw_theme"

// theme stores the choice and goes back to its page. A visitor who has not signed in yet can choose, too.
func (d *Dashboard) theme(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	chosen := r.PostFormValue("theme")
	c := &http.Cookie{
		Name: themeCookie, Value: chosen, Path: "/", MaxAge: 365 * 24 * 3600, SameSite: http.SameSiteStrictMode,
	}
	if chosen != "light" && chosen != "dark" {
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(w, c)
	http.Redirect(w, r, signin.LocalPath(r.PostFormValue("back")), http.StatusSeeOther)
}
