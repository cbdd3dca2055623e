package recipes_test

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/gateway/recipes"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/rig"
)

const patience = 30 * time.Second

const table = `routes:
  - {method: GET, path: '/v1/calls/{id}', permissions: [calls:read]}
  - {method: POST, path: /v1/calls, permissions: [calls:write]}
  - {method: PUT, path: /v1/upload, permissions: [calls:read]}
  - {method: '*', path: /status, public: true}
  - {method: GET, path: '/v1/pages/{id}', permissions: [calls:read], cors: {origins: ['https://app.example.com']}}
  - method: GET
    path: '/v1/panes/{id}'
    permissions: [calls:read]
    cors: {origins: ['https://app.example.com'], preflight: gateway, headers: [Authorization, X-Trace], maxAge: 60}
  - {method: GET, path: '/v1/sockets/{id}', permissions: [calls:read]}
  - {method: GET, path: /v1/events, permissions: [calls:read]}
`

// process is a program that runs.
type process struct {
	cmd   *exec.Cmd
	out   *rig.Output
	ended chan struct{}
}

func spawn(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), out: &rig.Output{}, ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = append(os.Environ(), env...), p.out, p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process and its children, such as nginx's workers, at once.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// await waits until a condition holds, and fails with the output of the process.
func (p *process) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
		select {
		case <-p.ended:
			t.Fatalf("%s ended before %s:\n%s", p.cmd.Path, what, p.out)
		default:
		}
	}
	t.Fatalf("%s: %s never came:\n%s", p.cmd.Path, what, p.out)
}

// seen is a request as the API behind the proxy got it.
type seen struct {
	method, uri string
	header      http.Header
}

// api is the server behind: it records requests and accepts all of them.
type api struct {
	mu  sync.Mutex
	all []seen
	at  string
}

func newAPI(t *testing.T) *api {
	a := &api{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		a.mu.Lock()
		a.all = append(a.all, seen{r.Method, r.RequestURI, r.Header.Clone()})
		a.mu.Unlock()
		w.Header().Set("X-Api", "yes")
		switch {
		case r.Header.Get("Upgrade") == "websocket":
			echo(w, r.Header.Get("Sec-WebSocket-Key"))
		case r.URL.Path == "/v1/events":
			w.Header().Set("Content-Type", "text/event-stream")
			for _, event := range []string{"data: first\n\n", "data: second\n\n"} {
				_, _ = io.WriteString(w, event)
				_ = http.NewResponseController(w).Flush()
				time.Sleep(50 * time.Millisecond)
			}
			<-r.Context().Done()
		default:
			_, _ = io.WriteString(w, "hello")
		}
	}))
	t.Cleanup(s.Close)
	a.at = s.Listener.Addr().String()
	return a
}

// echo accepts the upgrade to a WebSocket (RFC 6455, section 4.2.2), and sends every message back.
func echo(w http.ResponseWriter, key string) {
	accept := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	w.Header().Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(accept[:]))
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "websocket")
	w.WriteHeader(http.StatusSwitchingProtocols)
	c, rest, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_, _ = io.Copy(c, rest)
}

// take returns the requests since the last call.
func (a *api) take() []seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.all
	a.all = nil
	return all
}

// quiet is take for requests without a waiting client: it goes on until none has arrived for a while.
func (a *api) quiet() (all []seen) {
	for still := 0; still < 5; still++ {
		time.Sleep(10 * time.Millisecond)
		if more := a.take(); len(more) > 0 {
			all, still = append(all, more...), 0
		}
	}
	return all
}

// house is Keyward behind a proxy in front of an API.
type house struct {
	t         *testing.T
	api       *api
	keyward   *process
	env       []string // Keyward's
	client    *keyward.Client
	url       string // Keyward's
	data      string // host:port of its data listener
	proxy     string // host:port
	workspace string
	key, id   string // it may read calls
	root      string
}

var listening = regexp.MustCompile(`http://127\.0\.0\.1:[1-9][0-9]*`)

// open starts all three. begin starts the proxy with the recipe's files, written into dir.
func open(t *testing.T, name string, begin func(t *testing.T, dir, listen string) *process) *house {
	t.Helper()
	h := &house{t: t, api: newAPI(t)}
	h.startKeyward()
	asks := h.data
	if name == "haproxy" { // one of them asks the main listener
		asks = strings.TrimPrefix(h.url, "http://")
	}
	recipe, _ := recipes.Named(name)
	dir := t.TempDir()
	h.proxy = freeAddress(t)
	for _, file := range recipe.Files {
		content, err := recipes.Fill(file, recipes.Values{Keyward: asks, GRPC: "127.0.0.1:1",
			Listen: h.proxy, Backend: h.api.at, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := begin(t, dir, h.proxy)
	p.await(t, "the listener", func() bool {
		c, err := net.Dial("tcp", h.proxy)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return h
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (h *house) startKeyward() {
	h.t.Helper()
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		h.t.Fatal(err)
	}
	root, err := format.Mint(rand.Reader, keyfmt.Service)
	if err != nil {
		h.t.Fatal(err)
	}
	dir := h.t.TempDir()
	routes := filepath.Join(dir, "routes.yaml")
	if err := os.WriteFile(routes, []byte(table), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.data = freeAddress(h.t)
	h.root = root.Reveal()
	h.env = []string{
		"KEYWARD_ROOT_KEY=" + root.Reveal(), "KEYWARD_ADDR=127.0.0.1:0", "KEYWARD_DATA_ADDR=" + h.data,
		"KEYWARD_ROUTES=" + routes, "KEYWARD_LOG_FORMAT=json", "KEYWARD_TRUSTED_PROXIES=127.0.0.1/32",
		"KEYWARD_DATABASE_URL=sqlite:" + filepath.Join(dir, "keyward.db"),
	}
	h.keyward = spawn(h.t, h.env, binary, "serve")
	h.keyward.await(h.t, "its address", func() bool {
		for _, url := range listening.FindAllString(h.keyward.out.String(), -1) {
			if url != "http://"+h.data {
				h.url = url
			}
		}
		return h.url != ""
	})
	if h.client, err = keyward.New(h.url, keyward.WithToken(root.Reveal())); err != nil {
		h.t.Fatal(err)
	}
	h.keyward.await(h.t, "its readiness", func() bool { return h.client.Ready(h.t.Context()) == nil })
	w, err := h.client.CreateWorkspace(
		h.t.Context(),
		keyward.CreateWorkspaceRequest{Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"}},
	)
	if err != nil {
		h.t.Fatal(err)
	}
	h.workspace = w.ID
	h.key, h.id = h.mint(nil)
}

// mint makes a key that may read calls; change alters the wish.
func (h *house) mint(change func(*keyward.CreateKeyRequest)) (value, id string) {
	h.t.Helper()
	q := keyward.CreateKeyRequest{
		WorkspaceID: h.workspace, UserID: "ada", Name: "a key", Permissions: keyward.Permissions("calls:read"),
	}
	if change != nil {
		change(&q)
	}
	k, err := h.client.CreateKey(h.t.Context(), q)
	if err != nil {
		h.t.Fatal(err)
	}
	return k.Key.Reveal(), k.APIKey.ID
}

// answer is the proxy's answer.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // of the connection: no answer at all
}

// code is error.code of the envelope.
func (a answer) code() string {
	var v struct{ Error struct{ Code string } }
	_ = json.Unmarshal([]byte(a.body), &v)
	return v.Error.Code
}

// get sends a GET line by line, so that no client tidies it up.
func (h *house) get(uri string, lines ...string) answer { return h.send("GET", uri, lines...) }

func (h *house) send(method, uri string, lines ...string) answer {
	h.t.Helper()
	head := method + " " + uri + " HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n" + strings.Join(lines, "\r\n")
	if len(lines) > 0 {
		head += "\r\n"
	}
	return h.raw(head + "\r\n")
}

// raw sends bytes as they are and reads the first answer.
func (h *house) raw(request string) answer {
	h.t.Helper()
	c, err := net.Dial("tcp", h.proxy)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, request); err != nil {
		return answer{err: err}
	}
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: strings.Fields(request)[0]})
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body), err}
}

func (h *house) bearer() string { return "Authorization: Bearer " + h.key }

// want fails unless the status is right, and unless the API got the request exactly where it passes.
func (h *house) want(what string, a answer, status int) answer {
	h.t.Helper()
	got := h.api.take()
	if a.err != nil || a.status != status {
		h.t.Errorf("%s: %d, %v, want %d: %s", what, a.status, a.err, status, a.body)
	}
	if passed := len(got) == 1; passed != (status == 200) {
		h.t.Errorf("%s: the API got %d requests: %v", what, len(got), got)
	}
	return a
}

func (s seen) String() string { return fmt.Sprintf("%s %s %v", s.method, s.uri, s.header) }
