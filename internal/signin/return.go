package signin

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/keyward/keyward/internal/session"
)

const home = "/"

// returnPath is the target after signing in: a local path that does not belong to signing in or out itself.
func returnPath(s string) string {
	to := LocalPath(s)
	if u, err := url.Parse(to); err != nil || inSignIn(u.Path) {
		return home
	}
	return to
}

// LocalPath is s where it is a path on this server, as it was asked for, and else the front page. A text that a browser
// could take for another place is not followed: a scheme, a host, two slashes in front, a backslash, a control
// character. A path that holds a credential is not followed either.
func LocalPath(s string) string {
	if len(s) > 1024 || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") {
		return home
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return home
		}
	}
	if plain, bad := url.QueryUnescape(s); bad != nil || session.Leaks(plain) {
		return home
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return home
	}
	if !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsFunc(u.Path, unsafeRune) {
		return home
	}
	return u.RequestURI()
}

// unsafeRune reports a character that no path needs, also if it is escaped.
func unsafeRune(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }

// inSignIn reports whether a path belongs to signing in or out: these are no targets.
func inSignIn(path string) bool {
	return path == "/signin" || strings.HasPrefix(path, "/signin/") || strings.HasPrefix(path, "/signout")
}

// signInURL is the page to sign in on, which leads back to the wanted page.
func signInURL(to *url.URL) string {
	if back := returnPath(to.RequestURI()); back != home {
		return "/signin?return=" + url.QueryEscape(back)
	}
	return "/signin"
}

// hostOf is the name by which the browser calls this server, without a port.
func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return strings.Trim(host, "[]")
}
