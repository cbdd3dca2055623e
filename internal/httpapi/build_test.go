package httpapi_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/accesslog"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
	"github.com/keyward/keyward/internal/verify"
)

// house is a whole server but for its listener, over a database of its own.
type house struct {
	t       testing.TB
	handler http.Handler
	config  httpapi.Config
	replica *replica.Replica
	db      *store.DB
	root    string
	log     *rig.Output
	ahead   *atomic.Int64 // by how much the house's clock goes ahead
}

// now is the time by the house's clock.
func (h *house) now() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }

func open(t testing.TB, change ...func(*httpapi.Config)) *house {
	t.Helper()
	ctx := context.Background()
	h := &house{t: t, log: &rig.Output{}, ahead: new(atomic.Int64)}
	driver, err := sqlite.Open(filepath.Join(t.TempDir(), "keyward.db"), sqlite.Options{Lock: true})
	must(t, err)
	db, err := store.Open(
		ctx, driver, store.Options{Now: h.now, Catalogue: perm.Builtin(), Fatal: func(err error) { t.Error(err) }},
	)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	r := replica.New()
	db.Subscribe(r.Apply)
	must(t, r.Load(func(tell func(feed.Change) error) error { return db.LoadAll(ctx, tell) }))
	r.MarkReady()
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	must(t, err)
	digests, err := keyfmt.NewDigester("")
	must(t, err)
	service := control.New(control.Config{DB: db, Catalogue: perm.Builtin(), Format: format, Digester: digests,
		IDs: id.NewGenerator(h.now, rand.Reader), Rand: rand.Reader, Reveal: 10 * time.Minute})
	root, err := service.EnsureRoot(ctx, keyfmt.Secret{})
	must(t, err)

	h.replica, h.db, h.root = r, db, root.Reveal()
	engine := verify.New(verify.Config{Replica: r, Format: format, Digests: digests, Now: h.now})
	h.config = httpapi.Config{Control: service, Engine: engine, Catalogue: perm.Builtin(), Format: format,
		Logger: slog.New(slog.NewJSONHandler(h.log, nil)), Lines: h.log, AccessLog: accesslog.All, Now: h.now,
		PublicURL:  public,
		OpenAPI:    []byte(`{"openapi":"3.1.1"}`),
		Reference:  map[string][]byte{"": []byte("<!doctype html>"), "roles": []byte("<!doctype html>")},
		Stylesheet: []byte("p{}"), Script: []byte("let a")}
	for _, c := range change {
		c(&h.config)
	}
	h.handler = httpapi.New(h.config)
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answer is the answer of the server.
type answer struct {
	*httptest.ResponseRecorder
	t testing.TB
}

// edit changes a request before it is sent.
type edit func(*http.Request)

func header(name, value string) edit {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func from(address string) edit { return func(r *http.Request) { r.RemoteAddr = address } }

// do sends a request with the token; a body goes as JSON.
func (h *house) do(method, target, token, body string, edits ...edit) answer {
	h.t.Helper()
	var r *http.Request
	if body == "" {
		r = httptest.NewRequest(method, target, http.NoBody)
	} else {
		r = httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, e := range edits {
		e(r)
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return answer{w, h.t}
}

// want fails unless the status is right.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.Code != status {
		a.t.Fatalf("status %d, want %d: %s", a.Code, status, a.Body)
	}
	return a
}

// refused fails unless it is this refusal in the envelope; field "" does not care which field.
func (a answer) refused(status int, code, field string) {
	a.t.Helper()
	var got struct {
		Success bool
		Error   struct {
			Code      string
			Details   []struct{ Field, Message string }
			RequestID string
		}
	}
	a.want(status)
	must(a.t, json.Unmarshal(a.Body.Bytes(), &got))
	if got.Success || got.Error.Code != code || got.Error.Details == nil ||
		got.Error.RequestID != a.Header().Get("X-Request-Id") {
		a.t.Fatalf("want a refusal %s in the envelope, got %s", code, a.Body)
	}
	if field != "" && (len(got.Error.Details) == 0 || got.Error.Details[0].Field != field) {
		a.t.Errorf("want the field %s named, got %s", field, a.Body)
	}
}

// at digs for a value of the answer, such as data.result.apiKey.id.
func (a answer) at(path string) any {
	a.t.Helper()
	var v any
	must(a.t, json.Unmarshal(a.Body.Bytes(), &v))
	for name := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(in) {
				a.t.Fatalf("no %s in %s", path, a.Body)
			}
			v = in[i]
		default:
			a.t.Fatalf("no %s in %s", path, a.Body)
		}
	}
	return v
}

func (a answer) text(path string) string {
	a.t.Helper()
	s, ok := a.at(path).(string)
	if !ok {
		a.t.Fatalf("%s is no text in %s", path, a.Body)
	}
	return s
}

// workspace makes one whose owner is u-owner.
func (h *house) workspace() string {
	h.t.Helper()
	return h.do(
		"POST", "/api/v2/workspaces", h.root, `{"name":"Acme","owner":{"userId":"u-owner","email":"owner@example.com"}}`,
	).
		want(201).
		text("data.result.workspace.id")
}

// key makes one for u-owner; more are further members of the request's body.
func (h *house) key(workspace, more string) (name, value string) {
	h.t.Helper()
	a := h.do(
		"POST", "/api/v2/api-keys", h.root, `{"workspaceId":"`+workspace+`","userId":"u-owner","name":"a key"`+more+`}`,
	).
		want(201)
	return a.text("data.result.apiKey.id"), a.text("data.result.key")
}

func (h *house) code(value, more string) string {
	h.t.Helper()
	return h.do("POST", "/api/v2/api-keys/verify", h.root, `{"key":"`+value+`"`+more+`}`).
		want(200).
		text("data.result.code")
}

func trust(networks ...string) func(*httpapi.Config) {
	return func(c *httpapi.Config) {
		for _, n := range networks {
			c.TrustedProxies = gateway.NewProxies(append(c.TrustedProxies.List(), netip.MustParsePrefix(n))...)
		}
	}
}
