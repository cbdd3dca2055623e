package signin_test

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward"
)

// seen is the page that a browser shows in the end.
type seen struct {
	Path    string
	Cookies []cookie
	Script  string // the cookies that scripts can read
	Text    string
}

type cookie struct {
	Name, Domain, Path, SameSite string
	Secure, HTTPOnly             bool
	Expires                      float64
}

// T69, T67: Chromium's treatment of our cookie: over plain HTTP it keeps it from its own machine and from no other,
// no script reads it, and no other site signs a visitor in.
func TestChromiumKeepsTheCookieWhereItShouldT69T67(t *testing.T) {
	t.Parallel()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	r := openReal(t)
	r.serve()
	var links []string
	for range 4 {
		l, err := r.root.CreateSignInLink(t.Context(), keyward.SignInLinkRequest{WorkspaceID: r.ws, UserID: "ada"})
		r.must(err)
		u, err := url.Parse(l.URL.Reveal())
		r.must(err)
		links = append(links, u.RequestURI())
	}
	setup, err := json.Marshal(map[string]any{"chromium": chromium, "url": r.url, "links": links})
	r.must(err)
	cmd := exec.CommandContext(t.Context(), "node", "browser.mjs")
	cmd.Dir, cmd.Env = "../../test/oidc", append(os.Environ(), "KEYWARD_SIGNIN="+string(setup))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	var got struct{ Provider, Address, Localhost, Plain, Elsewhere seen }
	r.must(json.Unmarshal(out, &got))

	held := func(domain string) []cookie {
		return []cookie{
			{Name: sessionCookie, Domain: domain, Path: "/", SameSite: "Lax", Secure: true, HTTPOnly: true, Expires: -1},
		}
	}
	for name, c := range map[string]struct {
		seen    seen
		path    string
		cookies []cookie
		text    string
	}{
		"by the provider":      {got.Provider, "/docs", held("127.0.0.1"), ""},
		"at 127.0.0.1":         {got.Address, "/", held("127.0.0.1"), "Acme"},
		"at localhost":         {got.Localhost, "/", held("localhost"), "Acme"},
		"at another plain one": {got.Plain, "/signin", []cookie{}, "will not stay signed in"},
		"by another site":      {got.Elsewhere, "/signin/link", []cookie{}, "another site"},
	} {
		if diff := cmp.Diff(c.cookies, c.seen.Cookies); diff != "" || c.seen.Path != c.path || c.seen.Script != "" ||
			!strings.Contains(c.seen.Text, c.text) {
			t.Errorf("%s: at %s with %q, %s\n%s", name, c.seen.Path, c.seen.Script, c.seen.Text, diff)
		}
	}
}
