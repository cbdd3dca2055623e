package signin

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
)

// cookieName has the prefix with which browsers take a cookie only over TLS (or from this machine), for this host alone
// and for all of it: no other host and no page in plain text can set it (RFC 6265bis, section 4.1.3.2).
const cookieName = "__Host-keyward"

// cookieToken reads the session's token; "" where there is none, or more than one to choose from.
func cookieToken(r *http.Request) string {
	all := r.CookiesNamed(cookieName)
	if len(all) != 1 || !session.IsToken(all[0].Value) {
		return ""
	}
	return all[0].Value
}

// giveCookie hands the token to the browser until that is closed; the server knows the session's other ends. Scripts
// cannot read it, and other sites' forms and frames do not send it.
func giveCookie(w http.ResponseWriter, token keyfmt.Secret) {
	http.SetCookie(
		w,
		&http.Cookie{
			Name: cookieName, Value: token.Reveal(), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		},
	)
}

func takeCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: -1, Expires: time.Unix(1, 0)})
}

// keepsCookies tells whether a browser would keep our cookie: it came over TLS, as far as can be told, or from its own
// machine.
func keepsCookies(r *http.Request, https bool) bool {
	if https {
		return true
	}
	host := hostOf(r)
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
