package dashboard_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/dashboard"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/installation"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
	"github.com/keyward/keyward/internal/tally"
	"github.com/keyward/keyward/internal/usage"
	"github.com/keyward/keyward/internal/verify"
)

// house is a dashboard over a database of its own, behind the same door as in production. A header names the visitor.
type house struct {
	testing.TB
	handler http.Handler
	db      *store.DB
	control *control.Service
	engine  *verify.Engine
	tally   *tally.Tally
	root    control.Caller
	ws      string            // Acme, of ada, with bob as Member and eve as Viewer
	roles   map[string]string // of Acme, by name
	nodes   []cluster.Member
	machine installation.Machine
}

// Members are the nodes that the pages are told of.
func (h *house) Members(context.Context) ([]cluster.Member, error) { return h.nodes, nil }

func (h *house) Children(context.Context) ([]cluster.Child, error) { return nil, nil }

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func open(t testing.TB) *house {
	t.Helper()
	ctx := context.Background()
	driver := must[*sqlite.Driver](t)(sqlite.Open(filepath.Join(t.TempDir(), "keyward.db"), sqlite.Options{Lock: true}))
	db := must[*store.DB](
		t,
	)(
		store.Open(
			ctx, driver, store.Options{Now: time.Now, Catalogue: perm.Builtin(), Fatal: func(err error) { t.Error(err) }},
		),
	)
	t.Cleanup(func() { must[any](t)(nil, db.Close()) })
	r := replica.New()
	db.Subscribe(r.Apply)
	must[any](t)(nil, db.LoadAll(ctx, func(c feed.Change) error { r.Apply([]feed.Change{c}); return nil }))
	r.MarkReady()
	format := must[keyfmt.Format](t)(keyfmt.NewFormat(keyfmt.DefaultPrefix))
	digests := must[*keyfmt.Digester](t)(keyfmt.NewDigester(""))
	h := &house{TB: t, db: db, roles: map[string]string{}}
	h.tally = tally.New(tally.Config{DB: db, Keep: usage.DefaultRetention(), Limit: 100_000, Names: perm.Builtin().Names})
	h.control = control.New(control.Config{DB: db, Catalogue: perm.Builtin(), Format: format, Digester: digests,
		IDs: id.NewGenerator(time.Now, rand.Reader), Rand: rand.Reader, Recent: h.tally})
	h.engine = verify.New(verify.Config{Replica: r, Format: format, Digests: digests, Now: time.Now, Recorder: h.tally,
		Refusals: h.tally})
	root := must[keyfmt.Secret](t)(h.control.EnsureRoot(ctx, keyfmt.Secret{}))
	var p verify.Principal
	h.engine.Authenticate(root.Reveal(), noAddress, &p)
	h.root = control.Caller{ServiceKey: p.Service.ID, Presented: p.Presented}

	logger := slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelError}))
	pages := dashboard.New(
		dashboard.Config{
			Control: h.control, Engine: h.engine, Now: time.Now, Wall: time.Now, Logger: logger, Gate: headerGate{h}, Nodes: h,
			Installation: &installation.Reader{Control: h.control, Nodes: h,
				Machine: func(context.Context) installation.Machine { return h.machine }},
			Base:       func(*http.Request) string { return "https://keys.example.com" },
			NoPasskeys: func(*http.Request) string { return "" },
		},
	)
	mux := http.NewServeMux()
	pages.Routes(mux, func(next http.Handler) http.Handler { return next })
	h.handler = httpapi.New(
		httpapi.Config{Control: h.control, Engine: h.engine, Catalogue: perm.Builtin(), Format: format, Now: time.Now,
			Logger: logger, Pages: mux, Refuse: pages.Refuse},
	)
	h.found()
	return h
}

type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func (h *house) found() {
	ctx := context.Background()
	ws, err := h.control.CreateWorkspace(ctx, h.root, control.CreateWorkspace{Name: "Acme",
		Owner: control.Some(
			control.OwnerInput{User: "ada", Email: "ada@example.com", DisplayName: control.Some("Ada Lovelace")},
		)})
	must[any](h)(nil, err)
	h.ws = string(ws.ID)
	roles, _, err := h.control.ListRoles(ctx, h.root, h.ws, control.Paging{})
	must[any](h)(nil, err)
	for _, r := range roles {
		h.roles[r.Name] = string(r.ID)
	}
	h.member("bob", "Member")
	h.member("eve", "Viewer")
	h.member("amy", "Admin")
}

func (h *house) member(user, role string) {
	h.Helper()
	_, _, err := h.control.PutMember(
		context.Background(), h.root, h.ws, user, control.PutMember{Email: user + "@example.com", Role: h.roles[role]},
	)
	must[any](h)(nil, err)
}

// headerGate believes a header, which no production gate does.
type headerGate struct{ h *house }

func (g headerGate) Visitor(r *http.Request) (dashboard.Visitor, bool, error) {
	user := r.Header.Get("Test-User")
	if c, err := r.Cookie("test_user"); user == "" && err == nil {
		user = c.Value
	}
	switch user {
	case "":
		return dashboard.Visitor{}, false, nil
	case "root":
		return dashboard.Visitor{
			Caller: g.h.root, Workspace: g.h.ws, Places: []dashboard.Place{{ID: g.h.ws, Name: "Acme"}}, All: true,
		}, true, nil
	}
	return dashboard.Visitor{
		Caller: control.Caller{
			Person: control.Person{Workspace: id.Workspace(g.h.ws), User: id.User(user)}, Until: time.Now().Add(time.Hour),
		},
		Workspace: g.h.ws,
		Places:    []dashboard.Place{{ID: g.h.ws, Name: "Acme"}},
	}, true, nil
}

// answer is the answer of the server.
type answer struct {
	*httptest.ResponseRecorder
	t testing.TB
}

func (h *house) get(user, target string) answer {
	h.Helper()
	r := httptest.NewRequest(http.MethodGet, target, http.NoBody)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Test-User", user)
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return answer{w, h.TB}
}

func (h *house) post(user, target string, form url.Values) answer {
	h.Helper()
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Test-User", user)
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return answer{w, h.TB}
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.Code != status {
		a.t.Fatalf("status %d, want %d: %.2000s", a.Code, status, a.Body)
	}
	return a
}

func (a answer) says(texts ...string) answer {
	a.t.Helper()
	for _, s := range texts {
		if !strings.Contains(a.Body.String(), s) {
			a.t.Fatalf("%q is not on the page:\n%s", s, a.Body)
		}
	}
	return a
}

func (a answer) silent(texts ...string) answer {
	a.t.Helper()
	for _, s := range texts {
		if strings.Contains(a.Body.String(), s) {
			a.t.Fatalf("%q is on the page:\n%s", s, a.Body)
		}
	}
	return a
}
