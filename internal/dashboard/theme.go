package dashboard

import (
	"net/http"
)

// themeCookie keeps which theme somebody chose: nothing else is in it, and nothing is decided by it.
const themeCookie = "kw_theme"

// theme keeps the choice and goes back to where it was made. Whoever has not signed in yet can choose, too.
func (d *Dashboard) theme(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	chosen := r.PostFormValue("theme")
	c := &http.Cookie{Name: themeCookie, Value: chosen, Path: "/", MaxAge: 365 * 24 * 3600, SameSite: http.SameSiteStrictMode}
	if chosen != "light" && chosen != "dark" {
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(w, c)
	http.Redirect(w, r, localPath(r.PostFormValue("back")), http.StatusSeeOther)
}
