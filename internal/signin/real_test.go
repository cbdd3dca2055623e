package signin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/server"
)

const clientSecret = "a-secret-of-the-client-that-is-long-enough"

// real is a whole server in front of a real provider.
type real struct {
	*testing.T
	url    string
	root   *keyward.Client
	ws     string
	offset atomic.Int64

	issuer string
	tell   io.Writer
	hear   *bufio.Scanner
}

// openReal starts both; the provider is down until serve.
func openReal(t *testing.T) *real {
	t.Helper()
	r := &real{T: t}
	r.startProvider()
	cfg := config.Default()
	cfg.Addr, cfg.Database = "127.0.0.1:0", filepath.Join(t.TempDir(), "keyward.db")
	cfg.OIDC.Issuer, cfg.OIDC.ClientID, cfg.OIDC.ClientSecret = r.issuer, "keyward", keyfmt.NewSecret(clientSecret)
	cfg.OIDC.Audience = "https://keyward.example"
	s, err := server.New(
		t.Context(), cfg, server.Options{Now: func() time.Time { return time.Now().Add(time.Duration(r.offset.Load())) }},
	)
	r.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		r.must(<-ended)
		r.must(s.Close())
	})
	r.url = s.URL()
	r.root, err = keyward.New(r.url, keyward.WithToken(s.Minted().Reveal()))
	r.must(err)
	r.ws = r.found("Acme", "ada")
	return r
}

func (r *real) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *real) found(name, owner string) string {
	r.Helper()
	w, err := r.root.CreateWorkspace(r.Context(), keyward.CreateWorkspaceRequest{Name: name,
		Owner: &keyward.Owner{UserID: owner, Email: owner + "@example.org"}})
	r.must(err)
	return w.ID
}

func (r *real) startProvider() {
	r.Helper()
	dir, err := filepath.Abs("../../test/oidc")
	r.must(err)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "oidc-provider")); err != nil {
		r.Fatalf("the provider is not installed: run scripts/install-test-deps (%v)", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", "provider.mjs")
	cmd.Dir, cmd.WaitDelay = dir, 5*time.Second
	in, err := cmd.StdinPipe()
	r.must(err)
	out, err := cmd.StdoutPipe()
	r.must(err)
	r.must(cmd.Start())
	r.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	r.tell, r.hear = in, bufio.NewScanner(out)
	r.issuer = r.line()
}

func (r *real) line() string {
	r.Helper()
	if !r.hear.Scan() {
		r.Fatalf("the provider ended: %v", r.hear.Err())
	}
	return r.hear.Text()
}

// serve has the provider answer, with new keys.
func (r *real) serve() {
	r.Helper()
	r.must(
		json.NewEncoder(r.tell).
			Encode(map[string]string{"client": "keyward", "secret": clientSecret, "redirect": r.url + "/signin/oidc/callback"}),
	)
	if said := r.line(); said != "ready" {
		r.Fatal(said)
	}
}

// jar keeps cookies as a browser does of this machine, which it trusts without TLS.
type jar map[string]*http.Cookie

func (j jar) SetCookies(_ *url.URL, all []*http.Cookie) {
	for _, c := range all {
		if j[c.Name] = c; c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(time.Now()) {
			delete(j, c.Name)
		}
	}
}

func (j jar) Cookies(u *url.URL) (out []*http.Cookie) {
	for _, c := range j {
		if c.Path == "" || strings.HasPrefix(u.Path, c.Path) {
			out = append(out, &http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	return out
}

// person is a visitor in a browser of their own.
type person struct {
	*real
	jar  jar
	http *http.Client
}

func (r *real) person() *person {
	p := &person{real: r, jar: jar{}}
	p.http = &http.Client{Jar: p.jar, Transport: &http.Transport{DisableKeepAlives: true}}
	return p
}

// page is the page that they see in the end.
type page struct {
	status int
	url    *url.URL
	body   string
}

func (p *person) see(resp *http.Response, err error) page {
	p.Helper()
	p.must(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	p.must(err)
	return page{resp.StatusCode, resp.Request.URL, string(b)}
}

func (p *person) get(target string) page {
	p.Helper()
	return p.see(p.http.Get(target))
}

var action = regexp.MustCompile(`action="([^"]+)"`)

// signIn goes from an address to the provider's forms, fills them in, and gives where that leads.
func (p *person) signIn(from, as string) page {
	p.Helper()
	at := p.get(from)
	for _, form := range []url.Values{{"prompt": {"login"}, "login": {as}, "password": {"x"}}, {"prompt": {"consent"}}} {
		m := action.FindStringSubmatch(at.body)
		if m == nil {
			p.Fatalf("no form at %s: %d %s", at.url, at.status, at.body)
		}
		to, err := at.url.Parse(html.UnescapeString(m[1]))
		p.must(err)
		at = p.see(p.http.PostForm(to.String(), form))
	}
	return at
}

// sessions lists the sessions of a token's holder, as the API gives them.
func (r *real) sessions(token string) ([]keyward.Session, error) {
	r.Helper()
	c, err := keyward.New(r.url, keyward.WithToken(token), keyward.WithRetry(0))
	r.must(err)
	page, err := c.ListSessions(r.Context(), keyward.ListSessionsOptions{})
	return page.Sessions, err
}

// tokens runs the flow without us, and gives the tokens that the provider made for the client.
func (r *real) tokens(as, resource string) (id, access string) {
	r.Helper()
	p := r.person()
	var back *url.URL
	p.http.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), r.url) {
			back = req.URL
			return http.ErrUseLastResponse
		}
		return nil
	}
	q := url.Values{
		"client_id": {"keyward"}, "response_type": {"code"},
		"scope": {"openid email profile"}, "redirect_uri": {r.url + "/signin/oidc/callback"},
		"state": {"s"}, "code_challenge_method": {"S256"},
		"code_challenge": {"rDez3wdT05mAFLGlFVb8s06WIXd3OQb_FfKDxGMdV0I"},
	}
	if resource != "" {
		q.Set("resource", resource)
	}
	p.signIn(r.issuer+"/auth?"+q.Encode(), as)
	if back == nil {
		r.Fatal("the provider did not send back")
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")},
		"redirect_uri": {q.Get("redirect_uri")}, "code_verifier": {verifier},
	}
	req, err := http.NewRequestWithContext(
		r.Context(), http.MethodPost, r.issuer+"/token", strings.NewReader(form.Encode()),
	)
	r.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("keyward", clientSecret)
	at := p.see(p.http.Do(req))
	var got struct {
		ID     string `json:"id_token"`
		Access string `json:"access_token"`
	}
	r.must(json.Unmarshal([]byte(at.body), &got))
	if got.ID == "" || got.Access == "" {
		r.Fatalf("no tokens: %s", at.body)
	}
	return got.ID, got.Access
}

// verifier hashes to the challenge above.
const verifier = "a-verifier-for-tests-that-is-long-enough-to-be-one"
