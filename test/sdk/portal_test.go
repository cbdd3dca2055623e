package sdk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/dpop/dpoptest"
	"github.com/keyward/keyward/internal/rig"
)

// TestPortalExamples runs each program of docs/portal.md against a real server, with a service key of the scope portal:
// the signed-in user gets a portal session that works and whose page the program's origin alone may frame, and nobody
// else gets one.
func TestPortalExamples(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	text, err := os.ReadFile("../../docs/portal.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(text), "\n### ")
	page := sections[0] // it holds keys.html
	given := server.portalSettings(t)
	for title, prepare := range map[string]func(t *testing.T, dir string) []string{
		"Express": withNodePackage,
		"FastAPI": withPythonPackage,
		"Python":  withPythonPackage,
		"Go":      withGoModule,
		"PHP":     func(*testing.T, string) []string { return nil },
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			for _, s := range sections[1:] {
				if strings.HasPrefix(s, title) {
					e := server.start(t, title, page+s, prepare, given...)
					server.tryPortal(t, e, "/keys")
					return
				}
			}
			t.Error("docs/portal.md has no such section")
		})
	}
}

// portalSettings makes what the programs of docs/portal.md want to know: a service key that makes portal sessions in
// the one workspace and does nothing else, and the role of a new member.
func (p *product) portalSettings(t *testing.T) []string {
	t.Helper()
	client, err := keyward.New(p.url, keyward.WithToken(p.root))
	if err != nil {
		t.Fatal(err)
	}
	key, err := client.CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{
		Name: "portal", Scopes: []keyward.Scope{keyward.ScopePortal}, WorkspaceIDs: []string{p.workspace},
	})
	if err != nil {
		t.Fatal(err)
	}
	roles, err := client.ListRoles(t.Context(), p.workspace, keyward.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range roles.Roles {
		if r.Name == "Member" {
			return []string{"KEYWARD_TOKEN=" + key.Key.Reveal(), "KEYWARD_WORKSPACE=" + p.workspace, "KEYWARD_ROLE=" + r.ID}
		}
	}
	t.Fatal("there is no role Member")
	return nil
}

// tryPortal makes a session as a stranger and as the signed-in user. at is where the program serves the page.
func (p *product) tryPortal(t *testing.T, e example, at string) {
	t.Helper()
	var stranger *http.Response
	rig.WaitFor(t, "the program", func() (err error) {
		if stranger, err = post(e.url+"/keys/session", ""); err != nil {
			return fmt.Errorf("%w\n%s", err, e.log())
		}
		stranger.Body.Close()
		return nil
	})
	if stranger.StatusCode != 401 {
		t.Errorf("a stranger gets %s", stranger.Status)
	}
	if _, page, err := ask(e.url+at, ""); err != nil || !strings.Contains(page, "<keyward-keys") {
		t.Errorf("the page is %s (%v)", page, err)
	}
	answer, err := post(e.url+"/keys/session", "session=demo")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	var made struct {
		PortalSession     struct{ ID string }
		ClientSecret, URL string
	}
	if errors.Join(err, json.Unmarshal(body, &made)) != nil || answer.StatusCode != 200 {
		t.Fatalf("the user gets %s: %s\n%s", answer.Status, body, e.log())
	}
	if kept := answer.Header.Get("Cache-Control"); kept != "no-store" {
		t.Errorf("the session may be kept: %q", kept)
	}
	base, secret, _ := strings.Cut(made.URL, "#")
	if base != p.url+"/portal/"+made.PortalSession.ID || secret != made.ClientSecret {
		t.Errorf("the address is of another session: %s", base)
	}
	page, err := http.Get(base)
	if err != nil {
		t.Fatal(err)
	}
	page.Body.Close()
	if csp := page.Header.Get("Content-Security-Policy"); !strings.HasSuffix(csp,
		"frame-ancestors http://localhost:"+e.port) {
		t.Errorf("the page may be framed by others: %s", csp)
	}
	p.useSession(t, base, secret)
}

// useSession does as the frame in the browser does: it exchanges the secret, and lists the keys of the new member.
func (p *product) useSession(t *testing.T, base, secret string) {
	t.Helper()
	key, token := dpoptest.NewKey(), ""
	call := func(method, path, body string) string {
		req, err := http.NewRequest(method, base+"/api/v2/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", p.url)
		req.Header.Set("DPoP", key.Proof(method, req.URL.String(), token, time.Now()))
		if token != "" {
			req.Header.Set("Authorization", "DPoP "+token)
		}
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		all, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != 200 {
			t.Fatalf("%s %s: %s %s (%v)", method, path, answer.Status, all, err)
		}
		return string(all)
	}
	var started struct {
		Data struct{ Result struct{ Token string } }
	}
	said := call("POST", "portal-sessions/exchange", `{"clientSecret":"`+secret+`"}`)
	if err := json.Unmarshal([]byte(said), &started); err != nil {
		t.Fatal(err)
	}
	token = started.Data.Result.Token
	if keys := call("GET", "api-keys", ""); !strings.Contains(keys, `"apiKeys":[]`) {
		t.Errorf("the page lists %s", keys)
	}
}

func post(url, cookie string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodPost, url, nil)
	if err != nil {
		return nil, err
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	return http.DefaultClient.Do(req)
}
