package dataplane_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/keyward/keyward/internal/accesslog"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long anything may take before a test calls it stuck.
const patience = 20 * time.Second

// house is a whole server with both of its listeners.
type house struct {
	t           testing.TB
	scheme      string // http or https
	main, data  string // addresses
	root, value string // the root key; a key with calls:read
	log         *rig.Output
	client      *http.Client // over TLS; nil where that is not spoken
	stop        func() error
}

func open(t testing.TB, change ...func(*config.Config)) *house {
	t.Helper()
	h := start(t, server.Options{}, change...)
	if h.scheme == "http" {
		h.furnish()
	}
	return h
}

func start(t testing.TB, options server.Options, change ...func(*config.Config)) *house {
	t.Helper()
	cfg := config.Default()
	cfg.Addr, cfg.DataAddr, cfg.Database = "127.0.0.1:0", "127.0.0.1:0", filepath.Join(t.TempDir(), "keyward.db")
	cfg.AccessLog = accesslog.All
	format, err := cfg.Format()
	must(t, err)
	cfg.RootKey, err = format.Mint(rand.Reader, keyfmt.Service)
	must(t, err)
	for _, c := range change {
		c(&cfg)
	}
	h := &house{t: t, root: cfg.RootKey.Reveal(), log: &rig.Output{}}
	options.Log = h.log
	s, err := server.New(t.Context(), cfg, options)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	h.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		must(t, s.Close())
		return err
	})
	t.Cleanup(func() { must(t, h.stop()) })
	h.scheme, h.main, _ = strings.Cut(s.URL(), "://")
	_, h.data, _ = strings.Cut(s.DataURL(), "://")
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// furnish makes a workspace with a key.
func (h *house) furnish() {
	h.t.Helper()
	ws := h.post(
		"/api/v2/workspaces", `{"name":"Acme","owner":{"userId":"u-1","email":"u@example.com"}}`, "workspace", "id",
	)
	h.value = h.post(
		"/api/v2/api-keys",
		`{"workspaceId":"`+ws+`","userId":"u-1","name":"a key","permissions":["calls:read"],"metadata":{"plan":"<pro>"}}`,
		"key",
	)
}

// post asks the main listener for something and digs a text out of the result.
func (h *house) post(path, body string, at ...string) string {
	h.t.Helper()
	found := h.ask(path, body)
	for _, name := range append([]string{"data", "result"}, at...) {
		in, _ := found.(map[string]any)
		found = in[name]
	}
	text, ok := found.(string)
	if !ok {
		h.t.Fatalf("%s: %v", path, found)
	}
	return text
}

// ask asks the main listener, and reads the answer.
func (h *house) ask(path, body string) (found any) {
	h.t.Helper()
	r, err := http.NewRequest("POST", h.scheme+"://"+h.main+path, strings.NewReader(body))
	must(h.t, err)
	r.Header.Set("Authorization", "Bearer "+h.root)
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	transport := http.DefaultTransport
	if h.client != nil {
		transport = h.client.Transport
	}
	answer, err := transport.RoundTrip(r)
	must(h.t, err)
	defer answer.Body.Close()
	must(h.t, json.NewDecoder(answer.Body).Decode(&found))
	return found
}

// imports takes in a key by its digest, so that two servers have the same one.
func (h *house) imports(ws, digest string) {
	h.t.Helper()
	const form = `{"workspaceId":%q,"apiKeys":[{"userId":"u-1","name":"a key","permissions":["calls:read"],"metadata":{"plan":"<pro>"},"sha256":%q}]}`
	found := fmt.Sprint(h.ask("/api/v2/api-keys/import", fmt.Sprintf(form, ws, digest)))
	if !strings.Contains(found, "errors:[]") {
		h.t.Fatal(found)
	}
}

// verify is a request that asks, with more lines in its head.
func (h *house) verify(path, body string, lines ...string) string {
	var b strings.Builder
	b.WriteString(
		"POST " + path + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + h.root + "\r\nContent-Type: application/json\r\n",
	)
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	b.WriteString("Content-Length: " + itoa(len(body)) + "\r\n\r\n" + body)
	return b.String()
}

// last is a request that ends the connection, so that all answers can be read to the end.
const last = "GET /nowhere HTTP/1.1\r\nHost: h\r\nX-Request-Id: last\r\nConnection: close\r\n\r\n"

func dialTCP(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	must(t, err)
	return c.(*net.TCPConn)
}

// raw sends bytes, in parts, and reads all that comes back.
func raw(t testing.TB, addr string, parts ...string) string {
	t.Helper()
	c := dialTCP(t, addr)
	defer c.Close()
	return exchange(t, c, parts)
}

func exchange(t testing.TB, c rawConn, parts []string) string {
	t.Helper()
	must(t, c.SetDeadline(time.Now().Add(patience)))
	for i, p := range parts {
		if i > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if _, err := io.WriteString(c, p); err != nil {
			break // it was refused before it was read
		}
	}
	_ = c.CloseWrite()
	all, err := io.ReadAll(c)
	if err != nil && len(all) == 0 {
		return "no answer"
	}
	return string(all)
}

var differs = regexp.MustCompile(`Date: [^\r]*|[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)

// masked is an answer without the parts that differ in every answer.
func masked(s string) string { return differs.ReplaceAllString(s, "…") }
