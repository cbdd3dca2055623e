package signin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/signin"
)

func (b *browser) token() string { return b.cookies[sessionCookie] }

// with is the same browser with another token.
func (h *house) with(token string) *browser {
	b := h.browser()
	b.cookies[sessionCookie] = token
	return b
}

// T69: signing in makes a token of its own, whatever the browser sent, and ends the session that it had.
func TestT69SigningInTakesOverNoTokenAndLeavesNone(t *testing.T) {
	t.Parallel()
	h := open(t)
	fixed := "keyward_session_" + strings.Repeat("A", 43)
	b := h.with(fixed)
	b.post("/signin/link", "code", h.link(control.CreateSignInLink{Workspace: h.ws, User: "ada"}))
	first := b.token()
	if first == fixed {
		t.Fatal("the browser chose its token")
	}
	h.with(fixed).outside()
	b.post("/signin/link", "code", h.link(control.CreateSignInLink{Workspace: h.ws, User: "ada"}))
	if b.token() == first {
		t.Error("the token is the same after signing in again")
	}
	h.with(first).outside()
	b.sees("user=ada")
}

// T69: a change of the workspace is a change of rights, and so of the token; the absolute end stays.
func TestT69SwitchingTheWorkspaceChangesTheToken(t *testing.T) {
	t.Parallel()
	h := open(t)
	second, foreign := h.found("Second", "ada"), h.found("Foreign", "eve")
	b := h.signedIn(h.ws, "ada")
	b.sees("in=Acme of=2")
	before := b.token()
	if a := b.post("/signin/workspace", "workspaceId", second, "return", "/keys?x=1"); a.Code != http.StatusSeeOther ||
		a.Header().Get("Location") != "/keys?x=1" {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	b.sees("in=Second of=2")
	if b.token() == before {
		t.Error("the token is the same")
	}
	h.with(before).outside()
	for name, ws := range map[string]string{"another's": foreign, "none": "", "no id": "x"} {
		if a := b.post("/signin/workspace", "workspaceId", ws); a.Code != http.StatusNotFound {
			t.Errorf("%s: %d", name, a.Code)
		}
	}
	b.sees("in=Second of=2")
	sessions, _, err := h.control.ListSessions(context.Background(), h.root, control.ListSessions{User: "ada"})
	if err != nil || len(sessions) != 1 || sessions[0].StartedAt.Add(7*24*time.Hour).Before(sessions[0].ExpiresAt) {
		t.Errorf("%+v, %v", sessions, err)
	}
}

// T69: a session that is taken back is gone at once, on either side.
func TestT69ASessionThatIsTakenBackIsOver(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	h := open(t)
	roles, _, err := h.control.ListRoles(ctx, h.root, h.ws, control.Paging{})
	h.must(err)
	join := func(user string) {
		_, _, err = h.control.PutMember(
			ctx, h.root, h.ws, user, control.PutMember{Email: user + "@example.org", Role: string(roles[1].ID)},
		)
		h.must(err)
	}
	join("bob")
	join("cy")

	out := h.signedIn(h.ws, "ada")
	stolen := h.with(out.token())
	stolen.sees("user=ada")
	if a := out.post("/signout"); a.Header().Get("Location") != "/signin" || out.token() != "" {
		t.Errorf("signing out: %d %v", a.Code, a.Header())
	}
	stolen.outside()
	if a := out.post("/signout"); a.Code != http.StatusSeeOther {
		t.Errorf("signing out twice: %d", a.Code)
	}

	here, there := h.signedIn(h.ws, "ada"), h.signedIn(h.ws, "ada")
	here.post("/signout-everywhere")
	here.outside()
	there.outside()

	bob := h.signedIn(h.ws, "bob")
	_, err = h.control.RemoveMember(ctx, h.root, h.ws, "bob", control.RemoveMember{})
	h.must(err)
	bob.outside()
	join("bob")
	bob.outside() // coming back is no reason to be signed in

	cy := h.signedIn(h.ws, "cy")
	h.must(h.control.DeleteWorkspace(ctx, h.root, h.ws))
	cy.outside()
}

func TestARootsSessionEndsWithItsKey(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	h := open(t)
	second, err := h.control.CreateServiceKey(
		ctx, h.root, control.CreateServiceKey{Name: "second", Scopes: []string{"root"}},
	)
	h.must(err)
	l, err := h.control.CreateSignInLink(
		ctx, control.Caller{ServiceKey: second.ServiceKey.ID, Presented: second.ServiceKey.Digest.Sum},
		control.CreateSignInLink{Root: true},
	)
	h.must(err)
	b := h.browser()
	b.post("/signin/link", "code", l.Code.Reveal())
	b.sees("root=true")
	h.must(h.control.DeleteServiceKey(ctx, h.root, string(second.ServiceKey.ID)))
	b.outside()
}

// T67: a request that another site sends in a visitor's name is refused.
func TestT67WhatAnotherSiteSendsIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t)
	second := h.found("Second", "ada")
	b := h.signedIn(h.ws, "ada")
	code := h.link(control.CreateSignInLink{Workspace: h.ws, User: "ada"})
	for _, target := range []string{"/signout", "/signout-everywhere", "/signin/workspace", "/signin/link", "/signin",
		"/keys"} {
		for name, set := range map[string]func(http.Header){
			"cross-site":     func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") },
			"same-site":      func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site") },
			"another origin": func(h http.Header) { h.Set("Origin", "https://evil.example") },
			"an opaque one":  func(h http.Header) { h.Set("Origin", "null") },
			"another port":   func(h http.Header) { h.Set("Origin", "http://example.com:81") },
		} {
			form := url.Values{"workspaceId": {second}, "code": {code}}
			r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			set(r.Header)
			if a := b.do(r); a.Code != http.StatusForbidden {
				t.Errorf("%s to %s: %d", name, target, a.Code)
			}
		}
	}
	b.sees("in=Acme")
	if a := h.browser().post("/signin/link", "code", code); a.Code != http.StatusSeeOther {
		t.Errorf("the link was used up: %d", a.Code)
	}
}

// T76: wherever a return path comes from, it leads to this server.
func TestT76AReturnPathStaysHere(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, to := range []string{"https://evil.example", "//evil.example", "///evil.example", `/\evil.example`,
		`\\evil.example`, "/\t/evil.example",
		"/%09/evil.example", "http:evil.example", "javascript:alert(1)", "evil.example", "/\nSet-Cookie: a=b", " /keys",
		"/..//evil.example", "@evil.example",
		"/signout", "/signin", "/signin/link?code=x", "?x", "", "/é", strings.Repeat("/a",
			600), "/%2f/evil.example", "/%5cevil.example"} {
		b := h.browser()
		a := b.post("/signin/link", "code", h.link(control.CreateSignInLink{Workspace: h.ws, User: "ada"}), "return", to)
		location, err := url.Parse(a.Header().Get("Location"))
		if a.Code != http.StatusSeeOther || err != nil || location.Host != "" || location.Scheme != "" ||
			!strings.HasPrefix(a.Header().Get("Location"), "/") ||
			strings.HasPrefix(location.Path, "//") || strings.ContainsAny(location.Path, "\\\t\n") ||
			strings.HasPrefix(location.Path, "/sign") {
			t.Errorf("%q leads to %q", to, a.Header().Get("Location"))
		}
	}
	// T17: no URL that the server makes holds a credential, in any spelling of its letters.
	for _, to := range []string{"/keys?q=kw_live_" + strings.Repeat("A", 43) + "2ImIO6",
		"/keyward_session_" + strings.Repeat("b", 43),
		"/keys?q=keyward%5Flink%5F" + strings.Repeat("c", 43)} {
		a := h.browser().
			post("/signin/link", "code", h.link(control.CreateSignInLink{Workspace: h.ws, User: "ada"}), "return", to)
		if a.Code != http.StatusSeeOther || a.Header().Get("Location") != "/" {
			t.Errorf("%q leads to %q", to, a.Header().Get("Location"))
		}
	}
	for _, to := range []string{"/", "/keys", "/keys?active=true&search=a%20b",
		"/keys/019a5c42-1f08-7c3a-8b52-6d0e9f4a7c21"} {
		if a := h.signedIn(h.ws, "ada").get("/signin?return=" + url.QueryEscape(to)); a.Header().Get("Location") != to {
			t.Errorf("%q leads to %q", to, a.Header().Get("Location"))
		}
	}
}

// T68, T20: these pages cannot be framed, are not stored, and load nothing from other sites.
func TestT68T20ThePagesAreNotFramedNorKept(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, target := range []string{"/signin", "/signin/link?code=x",
		"/signin/link?code=" + h.link(control.CreateSignInLink{Root: true})} {
		head := h.browser().get(target).Header()
		csp := head.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'",
			"form-action 'self'"} {
			if !strings.Contains(csp, want) || strings.Contains(csp, "unsafe") {
				t.Errorf("%s: %s", target, csp)
			}
		}
		if head.Get("Cache-Control") != "no-store" || head.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", target, head)
		}
	}
}

// T66: a hostile name is text.
func TestT66AHostileNameIsText(t *testing.T) {
	t.Parallel()
	h := open(t)
	ws := h.found(`<script>alert(1)</script>`, "ada")
	a := h.browser().
		get("/signin/link?return=%2F%22onx&code=" + h.link(control.CreateSignInLink{Workspace: ws, User: "ada"}))
	if body := a.Body.String(); strings.Contains(body, "<script") || !strings.Contains(body, "&lt;script&gt;") ||
		strings.Contains(body, `"onx`) {
		t.Error(body)
	}
}

// T77: failed attempts are counted by address, and then refused.
func TestFailedAttemptsAreCountedByAddress(t *testing.T) {
	t.Parallel()
	var failed int
	h := open(t, func(c *signin.Config) {
		c.Failed = func(*http.Request) time.Duration {
			if failed++; failed > 2 {
				return 90 * time.Second
			}
			return 0
		}
	})
	for i := range 4 {
		a := h.browser().post("/signin/link", "code", "keyward_link_"+strings.Repeat("A", 43))
		if want := i >= 2; (a.Code == http.StatusTooManyRequests) != want || want && a.Header().Get("Retry-After") != "90" {
			t.Errorf("attempt %d: %d %v", i, a.Code, a.Header())
		}
	}
}

func TestABrowserThatWouldNotKeepTheCookieIsTold(t *testing.T) {
	t.Parallel()
	h := open(t)
	for host, told := range map[string]bool{
		"http://127.0.0.1:8080": false, "http://localhost": false, "http://[::1]:1": false,
		"http://keyward.example.com": true, "http://192.0.2.1": true, "https://keyward.example.com": false,
	} {
		if a := h.browser().get(host + "/signin"); strings.Contains(a.Body.String(), "will not stay signed in") != told {
			t.Errorf("%s: told is not %v", host, told)
		}
	}
}
