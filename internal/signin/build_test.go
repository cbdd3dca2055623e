package signin_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/signin"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// house is a gate over a real database with a clock of its own, and one page behind it that names its visitor.
type house struct {
	*testing.T
	control *control.Service
	db      *store.DB
	handler http.Handler
	root    control.Caller
	ws      string // of the member ada, its owner
	offset  atomic.Int64
}

func open(t *testing.T, change ...func(*signin.Config)) *house {
	t.Helper()
	ctx := context.Background()
	h := &house{T: t}
	now := func() time.Time { return time.Now().Add(time.Duration(h.offset.Load())) }
	driver, err := sqlite.Open(filepath.Join(t.TempDir(), "keyward.db"), sqlite.Options{Lock: true})
	h.must(err)
	h.db, err = store.Open(ctx, driver, store.Options{Now: now, Catalogue: perm.Builtin()})
	h.must(err)
	t.Cleanup(func() { h.must(h.db.Close()) })
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	h.must(err)
	digester, err := keyfmt.NewDigester("")
	h.must(err)
	h.control = control.New(control.Config{DB: h.db, Catalogue: perm.Builtin(), Format: format, Digester: digester,
		IDs: id.NewGenerator(now, rand.Reader), Rand: rand.Reader})
	_, err = h.control.EnsureRoot(ctx, keyfmt.Secret{})
	h.must(err)
	h.must(h.db.View(ctx, func(v *store.View) error {
		roots, err := v.ServiceKeys(store.Page{Limit: 1})
		h.root = control.Caller{ServiceKey: roots[0].ID, Presented: roots[0].Digest.Sum}
		return err
	}))
	h.ws = h.found("Acme", "ada")

	c := signin.Config{Control: h.control, Logger: slog.New(slog.DiscardHandler), Now: now}
	for _, f := range change {
		f(&c)
	}
	gate, err := signin.New(c)
	h.must(err)
	mux := http.NewServeMux()
	gate.Routes(mux)
	mux.Handle("/", gate.Require(http.HandlerFunc(whoAmI)))
	h.handler = mux
	return h
}

// whoAmI is a page behind the gate.
func whoAmI(w http.ResponseWriter, r *http.Request) {
	s, ok := signin.From(r.Context())
	fmt.Fprintf(
		w, "ok=%v user=%s root=%v email=%s role=%s in=%s of=%d id=%s", ok, s.User, s.Root, s.Email, s.Role, s.Workspace.Name,
		len(s.Workspaces), s.ID,
	)
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *house) pass(d time.Duration) { h.offset.Add(int64(d)) }

func (h *house) found(name, owner string) string {
	h.Helper()
	ws, err := h.control.CreateWorkspace(context.Background(), h.root, control.CreateWorkspace{Name: name,
		Owner: control.Some(control.OwnerInput{User: owner, Email: owner + "@example.org"})})
	h.must(err)
	return string(ws.ID)
}

// link makes a one-time link's code.
func (h *house) link(in control.CreateSignInLink) string {
	h.Helper()
	l, err := h.control.CreateSignInLink(context.Background(), h.root, in)
	h.must(err)
	return l.Code.Reveal()
}

// browser keeps cookies, over an origin that browsers trust.
type browser struct {
	*house
	cookies map[string]string
}

func (h *house) browser() *browser { return &browser{h, map[string]string{}} }

// signedIn is a browser in which the member is signed in.
func (h *house) signedIn(ws, user string) *browser {
	h.Helper()
	b := h.browser()
	a := b.post("/signin/link", "code", h.link(control.CreateSignInLink{Workspace: ws, User: user}))
	if a.Code != http.StatusSeeOther {
		h.Fatalf("signing in: %d %s", a.Code, a.Body)
	}
	return b
}

func (b *browser) do(r *http.Request) *httptest.ResponseRecorder {
	b.Helper()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode ||
			!strings.HasPrefix(c.Name, "__Host-") {
			b.Errorf("a cookie that is not held close: %v", c)
		}
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return w
}

func (b *browser) get(target string) *httptest.ResponseRecorder {
	b.Helper()
	return b.do(httptest.NewRequest(http.MethodGet, target, http.NoBody))
}

func (b *browser) post(target string, pairs ...string) *httptest.ResponseRecorder {
	b.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}

// sees fails unless the page behind the gate says the text.
func (b *browser) sees(text string) {
	b.Helper()
	if a := b.get("/"); a.Code != http.StatusOK || !strings.Contains(a.Body.String(), text) {
		b.Errorf("want %q, got %d %s", text, a.Code, a.Body)
	}
}

// outside fails unless the browser is sent to sign in.
func (b *browser) outside() {
	b.Helper()
	a := b.get("/keys?active=true")
	if a.Code != http.StatusSeeOther ||
		a.Header().Get("Location") != "/signin?return="+url.QueryEscape("/keys?active=true") {
		b.Errorf("want to be sent to sign in, got %d %s", a.Code, a.Header())
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
