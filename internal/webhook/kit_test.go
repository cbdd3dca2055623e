package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/clock"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"github.com/keyward/keyward/internal/store/sqlite"
	"github.com/keyward/keyward/internal/webhook"
)

// local is where the receivers of tests listen.
var local = notice.Networks{netip.MustParsePrefix("127.0.0.0/8")}

// kit is an installation with one workspace, and a clock that can be moved ahead.
type kit struct {
	*testing.T
	*control.Service
	db       *store.DB
	driver   store.Driver
	digester *keyfmt.Digester
	ids      *id.Generator
	root     control.Caller
	ws       string
	ahead    atomic.Int64
	log      lines
}

// lines keeps the log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (k *kit) now() time.Time { return time.Now().Add(time.Duration(k.ahead.Load())) }

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newKit(t *testing.T) *kit {
	return newKitOn(t, must[store.Driver](t)(sqlite.Open(filepath.Join(t.TempDir(), "k.db"), sqlite.Options{Lock: true})))
}

func newKitOn(t *testing.T, d store.Driver) *kit {
	t.Helper()
	k := &kit{T: t, driver: d}
	began := time.Now()
	both := clock.NewWith(func() (time.Time, time.Duration) {
		now := k.now()
		return now, time.Since(began) + time.Duration(k.ahead.Load())
	})
	k.db = must[*store.DB](t)(store.Open(t.Context(), d, store.Options{Clock: both, Catalogue: perm.Builtin()}))
	t.Cleanup(func() { _ = k.db.Close() })
	k.digester = must[*keyfmt.Digester](t)(keyfmt.NewDigester("pepper"))
	k.ids = id.NewGenerator(k.now, rand.Reader)
	k.Service = control.New(control.Config{DB: k.db, Catalogue: perm.Builtin(),
		Format: must[keyfmt.Format](t)(keyfmt.NewFormat(keyfmt.DefaultPrefix)), Digester: k.digester, IDs: k.ids,
		Rand: rand.Reader, WebhookNetworks: local})
	_ = must[keyfmt.Secret](t)(k.EnsureRoot(t.Context(), keyfmt.Secret{}))
	err := k.db.View(t.Context(), func(v *store.View) error {
		roots, err := v.ServiceKeys(store.Page{Limit: 1})
		k.root = control.Caller{ServiceKey: roots[0].ID, Presented: roots[0].Digest.Sum}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	k.ws = k.found()
	return k
}

// found makes a workspace whose owner is "owner".
func (k *kit) found() string {
	k.Helper()
	ws, err := k.CreateWorkspace(k.Context(), k.root, control.CreateWorkspace{Name: "w",
		Owner: control.Some(control.OwnerInput{User: "owner", Email: "owner@example.org"})})
	if err != nil {
		k.Fatal(err)
	}
	return string(ws.ID)
}

func (k *kit) key(change ...func(*control.CreateKey)) control.Revealed {
	k.Helper()
	in := control.CreateKey{Workspace: k.ws, User: "owner", Name: "key"}
	for _, c := range change {
		c(&in)
	}
	return must[control.Revealed](k.T)(k.CreateKey(k.Context(), k.root, in))
}

// rename changes a key, so that its notices have an order.
func (k *kit) rename(key id.Key, name string) {
	k.Helper()
	_, wrong, err := k.UpdateKeys(k.Context(), k.root, []control.UpdateKey{{ID: string(key), Name: control.Some(name)}})
	if err != nil || len(wrong) > 0 {
		k.Fatal(err, wrong)
	}
}

// open makes a webhook to a URL: in the workspace, or with "" of the installation.
func (k *kit) open(ws, url string, kinds ...string) control.RevealedWebhook {
	k.Helper()
	in := control.CreateWebhook{Workspace: ws, URL: url}
	if kinds != nil {
		in.Kinds = control.Some(kinds)
	}
	return must[control.RevealedWebhook](k.T)(k.CreateWebhook(k.Context(), k.root, in))
}

// quick is a pace for tests.
var quick = webhook.Pace{
	Tick: 10 * time.Millisecond, Lease: 3 * time.Second, Look: 50 * time.Millisecond, Attempt: time.Second,
	First: 40 * time.Millisecond,
}

// sender makes a sender that is not running yet.
func (k *kit) sender(change ...func(*webhook.Config)) *webhook.Sender {
	began := time.Now()
	c := webhook.Config{DB: k.db, Digester: k.digester, IDs: k.ids, Purpose: control.WebhookSecrets, Node: k.ids.Next(),
		Networks: local, Disable: k.DisableWebhook, Now: k.now, Elapsed: func() time.Duration { return time.Since(began) },
		Chance: func() float64 { return 0.5 }, Log: slog.New(slog.NewTextHandler(&k.log, nil)), Pace: quick}
	for _, f := range change {
		f(&c)
	}
	return webhook.New(c)
}

// send runs a sender until the test ends, or stop is called.
func (k *kit) send(change ...func(*webhook.Config)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s := k.sender(change...)
	go func() { defer close(done); s.Run(ctx) }()
	stop = func() { cancel(); <-done }
	k.Cleanup(stop)
	return stop
}

// deliveries of a webhook, oldest first.
func (k *kit) deliveries(w id.Webhook) (all []notice.Delivery) {
	k.Helper()
	for cursor := ""; ; {
		page, p, err := k.ListDeliveries(k.Context(), k.root, string(w), "", control.Paging{Limit: 100, Cursor: cursor})
		if err != nil {
			k.Fatal(err)
		}
		all = append(all, page...)
		if cursor = p.NextCursor; cursor == "" {
			slices.Reverse(all)
			return all
		}
	}
}

// until waits for a condition.
func (k *kit) until(what string, ok func() bool) {
	k.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			k.Fatalf("in vain: %s\n%s\n%+v", what, k.log.String(), k.state())
		}
	}
}

// got is a notice that a receiver was sent.
type got struct {
	ID, Type, Body string
	Data           map[string]any
	Signatures     []string
	At             string
}

// by tells whether one of the signatures was made under a secret, by the words of the standard.
func (g *got) by(secret string) bool {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	m := hmac.New(sha256.New, raw)
	fmt.Fprintf(m, "%s.%s.%s", g.ID, g.At, g.Body)
	return slices.Contains(g.Signatures, "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
}

// receiver keeps the notices that it is sent. answer may refuse a notice.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	all    []got
	answer func(http.ResponseWriter, *http.Request, got)
}

func receive(t *testing.T, tls bool, answer func(http.ResponseWriter, *http.Request, got)) *receiver {
	r := &receiver{answer: answer}
	serve := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		g := got{ID: q.Header.Get("webhook-id"), At: q.Header.Get("webhook-timestamp"), Body: string(body),
			Signatures: strings.Fields(q.Header.Get("webhook-signature"))}
		var m struct {
			Type string         `json:"type"`
			Data map[string]any `json:"data"`
		}
		_ = json.Unmarshal(body, &m)
		g.Type, g.Data = m.Type, m.Data
		r.mu.Lock()
		r.all = append(r.all, g)
		answer := r.answer
		r.mu.Unlock()
		if answer != nil {
			answer(w, q, g)
		}
	})
	if tls {
		r.Server = httptest.NewTLSServer(serve)
	} else {
		r.Server = httptest.NewServer(serve)
	}
	t.Cleanup(r.Close)
	return r
}

// got are the notices that came, each once, as a receiver drops repeats: on a busy machine some come twice.
func (r *receiver) got() (once []got) {
	for _, g := range r.each() {
		if !slices.ContainsFunc(once, func(was got) bool { return was.ID == g.ID }) {
			once = append(once, g)
		}
	}
	return once
}

// each are all that came.
func (r *receiver) each() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// types of the notices that came, in order.
func (r *receiver) types() (all []string) {
	for _, g := range r.got() {
		all = append(all, g.Type)
	}
	return all
}

func (r *receiver) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(r.Certificate())
	return pool
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, test func(*testing.T, *kit)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newKit(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, newKitOn(t, shared(t))) })
}

// shared opens a database that several nodes can use.
func shared(t *testing.T) store.Driver {
	t.Helper()
	d, err := postgres.Open(t.Context(), pgtest.Database(t), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (k *kit) role(name string) id.Role {
	k.Helper()
	all, _, err := k.ListRoles(k.Context(), k.root, k.ws, control.Paging{})
	if err != nil {
		k.Fatal(err)
	}
	for _, r := range all {
		if r.Name == name {
			return r.ID
		}
	}
	return ""
}

// webhook reads the row, with its sealed secrets.
func (k *kit) webhook(w control.RevealedWebhook) notice.Endpoint {
	k.Helper()
	return must[notice.Endpoint](k.T)(k.GetWebhook(k.Context(), k.root, string(w.ID)))
}

// first is a webhook of the workspace to a URL.
func (k *kit) first(url string) id.Webhook {
	k.Helper()
	all, _, err := k.ListWebhooks(k.Context(), k.root, k.ws, control.Paging{})
	if err != nil {
		k.Fatal(err)
	}
	for _, e := range all {
		if e.URL == url {
			return e.ID
		}
	}
	return ""
}

// idsOf lists the notices of a key that came, in order.
func (k *kit) idsOf(r *receiver, key id.Key) (ids []string) {
	for _, g := range r.got() {
		if g.Data["apiKeyId"] == string(key) {
			ids = append(ids, g.ID)
		}
	}
	return ids
}

// state lists all deliveries.
func (k *kit) state() (all []notice.Delivery) {
	k.Helper()
	for _, ws := range []string{k.ws, ""} {
		found, _, err := k.ListWebhooks(k.Context(), k.root, ws, control.Paging{})
		if err != nil {
			k.Fatal(err)
		}
		for _, e := range found {
			all = append(all, k.deliveries(e.ID)...)
		}
	}
	return all
}

// number asks the database itself.
func (k *kit) number(query string) (n int64) {
	k.Helper()
	err := k.driver.Read(k.Context(), func(q store.SQL) error {
		rows, err := q.Query(k.Context(), query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(&n); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		k.Fatal(err)
	}
	return n
}

// rows counts the rows of webhooks.
func (k *kit) rows() int64 {
	return k.number(`SELECT (SELECT count(*) FROM webhooks) + (SELECT count(*) FROM webhook_deliveries) +
		(SELECT count(*) FROM webhook_levels)`)
}

// lease gives a node the lease.
func (k *kit) lease(node string, until time.Duration) {
	k.Helper()
	err := k.db.Count(k.Context(), func(c *store.Counting) error {
		_, err := c.LeaseWebhooks(node, c.Now().Add(until), true)
		return err
	})
	if err != nil {
		k.Fatal(err)
	}
}

// spend reserves a part of the day's limit of the workspace.
func (k *kit) spend(n int64) {
	k.Helper()
	u, _ := id.Parse(k.ws)
	claim := ratelimit.Claim{ID: u, Day: k.now().Unix() / 86_400, Limit: 1000, Want: n}
	if err := k.db.Count(k.Context(), func(c *store.Counting) error { return c.Reserve(&claim) }); err != nil ||
		claim.Granted != n {
		k.Fatal(err, claim)
	}
}

// pass has both clocks go on.
func (k *kit) pass(d time.Duration) { k.ahead.Add(int64(d)) }
