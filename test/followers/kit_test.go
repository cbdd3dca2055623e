// Package followers_test runs the real binary as a core with followers, and with followers of those, breaks the links
// and the processes, and compares the answers with the promises.
package followers_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

var binary string

func TestMain(m *testing.M) {
	built, remove, err := rig.Build()
	if err != nil {
		log.Fatal(err)
	}
	binary = built
	code := pgtest.Main(m)
	remove()
	removeStepped()
	os.Exit(code)
}

// process is a server or a follower, which can be killed and started again at the same address.
type process struct {
	t      testing.TB
	binary string
	args   []string
	env    []string
	log    string
	addr   string // host:port, or the path of a socket
	client *keyward.Client
	*rig.Process
}

// launch starts the binary, whose settings are added to an environment without those of this process.
func launch(t testing.TB, binary, addr, token string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, binary: binary, args: args, addr: addr, log: filepath.Join(t.TempDir(), "keyward.log")}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "KEYWARD_") {
			p.env = append(p.env, e)
		}
	}
	p.env = append(append(p.env, "KEYWARD_LOG_FORMAT=json", "KEYWARD_LOG_LEVEL=info", "KEYWARD_ACCESS_LOG=off"), env...)
	p.client = p.as(token)
	p.start()
	return p
}

// as makes a client of the process for a credential.
func (p *process) as(token string) *keyward.Client {
	p.t.Helper()
	network, url := "tcp", "http://"+p.addr
	if strings.HasPrefix(p.addr, "/") {
		network, url = "unix", "http://localhost"
	}
	var dialer net.Dialer
	transport := &http.Transport{MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, p.addr)
		}}
	client, err := keyward.New(url, keyward.WithToken(token), keyward.WithRetry(0),
		keyward.WithHTTPClient(&http.Client{Timeout: 30 * time.Second, Transport: transport}))
	check(p.t, err)
	p.t.Cleanup(transport.CloseIdleConnections)
	return client
}

func (p *process) start() {
	p.t.Helper()
	cmd := exec.Command(p.binary, p.args...)
	cmd.Env = p.env
	p.Process = rig.StartProcess(p.t, cmd, p.log)
}

// ready waits until the process answers verifications.
func (p *process) ready() *process {
	p.t.Helper()
	rig.WaitFor(p.t, strings.Join(p.args, " ")+" to be ready", func() error {
		select {
		case <-p.Done():
			p.t.Fatalf("it has ended: %s", p.Log())
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return p.client.Ready(ctx)
	})
	return p
}

func (p *process) again() {
	p.t.Helper()
	p.start()
	p.ready()
}

// stop ends it in order.
func (p *process) stop() {
	p.Signal(syscall.SIGTERM)
	<-p.Done()
}

func (p *process) freeze() { p.Signal(syscall.SIGSTOP) }
func (p *process) thaw()   { p.Signal(syscall.SIGCONT) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// core is a server with a workspace.
type core struct {
	*process
	limit       time.Duration
	ws          string
	followerEnv []string // more settings of its followers
}

// startCore starts a server on a database of its own: SQLite, or PostgreSQL.
func startCore(t testing.TB, database string, limit time.Duration, env ...string) *core {
	t.Helper()
	return startCoreBy(t, binary, database, limit, env...)
}

// startCoreBy is startCore with another program.
func startCoreBy(t testing.TB, binary, database string, limit time.Duration, env ...string) *core {
	t.Helper()
	root := newRoot(t)
	addr := "127.0.0.1:" + strconv.Itoa(rig.FreePort(t))
	if database == "" {
		database = "sqlite:" + filepath.Join(t.TempDir(), "keyward.db")
	}
	env = append(settings(addr, root, database, limit), env...)
	c := &core{process: launch(t, binary, addr, root, env, "serve").ready(), limit: limit}
	c.ws = c.workspace("W")
	return c
}

// settings are those of every server.
func settings(addr, root, database string, limit time.Duration) []string {
	return []string{
		"KEYWARD_ADDR=" + addr, "KEYWARD_ROOT_KEY=" + root, "KEYWARD_DATABASE_URL=" + database,
		"KEYWARD_MAX_STALENESS=" + limit.String(),
	}
}

func newRoot(t testing.TB) string {
	t.Helper()
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	check(t, err)
	root, err := format.Mint(rand.Reader, keyfmt.Service)
	check(t, err)
	return root.Reveal()
}

func (c *core) workspace(name string) string {
	c.t.Helper()
	w, err := c.client.CreateWorkspace(c.t.Context(), keyward.CreateWorkspaceRequest{
		Name: name, Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"},
	})
	check(c.t, err)
	return w.ID
}

// service makes a service key with follow and verify, bound to workspaces.
func (c *core) service(workspaces ...string) keyward.CreatedServiceKey {
	c.t.Helper()
	k, err := c.client.CreateServiceKey(c.t.Context(), keyward.CreateServiceKeyRequest{
		Name: "s", Scopes: []keyward.Scope{"follow", "verify"}, WorkspaceIDs: workspaces,
	})
	check(c.t, err)
	return k
}

// networked makes one that is bound to a network.
func (c *core) networked(network string) keyward.CreatedServiceKey {
	c.t.Helper()
	k, err := c.client.CreateServiceKey(c.t.Context(), keyward.CreateServiceKeyRequest{
		Name: "n", Scopes: []keyward.Scope{"follow", "verify"}, AllowedIPs: []string{network},
	})
	check(c.t, err)
	return k
}

// key makes a key.
func (c *core) key() (id, value string) { return c.keyIn(c.ws) }

func (c *core) keyIn(workspace string) (id, value string) {
	c.t.Helper()
	k, err := c.client.CreateKey(c.t.Context(), keyward.CreateKeyRequest{WorkspaceID: workspace, UserID: "ada", Name: "k"})
	check(c.t, err)
	return k.APIKey.ID, k.Key.Reveal()
}

// follow starts a follower of an address.
func (c *core) follow(source, token string, args ...string) *process {
	c.t.Helper()
	return c.followAt("127.0.0.1:"+strconv.Itoa(rig.FreePort(c.t)), source, token, args...).ready()
}

func (c *core) followAt(addr, source, token string, args ...string) *process {
	c.t.Helper()
	own := addr
	if strings.HasPrefix(addr, "/") {
		own = "unix:" + addr
	}
	return launch(c.t, c.binary, addr, token, append([]string{
		"KEYWARD_ADDR=" + own, "KEYWARD_SOURCE_URL=http://" + source, "KEYWARD_SOURCE_TOKEN=" + token,
		"KEYWARD_MAX_STALENESS=" + c.limit.String(),
	}, c.followerEnv...), append([]string{"follow"}, args...)...)
}

// says asks for a verdict, "" where there is none.
func (p *process) says(value string) keyward.VerdictCode {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	v, err := p.client.Verify(ctx, keyward.VerifyRequest{Key: value})
	switch {
	case err == nil:
		return v.Code
	case errors.Is(err, keyward.ErrUnavailable):
		return ""
	}
	return keyward.VerdictCode(err.Error())
}

func (p *process) must(value string, want keyward.VerdictCode, when string) {
	p.t.Helper()
	if got := p.says(value); got != want {
		p.t.Errorf("%s: %q, want %q", when, got, want)
	}
}

// eventually waits until a process gives a verdict.
func (p *process) eventually(value string, want keyward.VerdictCode, when string) {
	p.t.Helper()
	rig.WaitFor(p.t, when, func() error {
		if got := p.says(value); got != want {
			return errors.New("it says " + strconv.Quote(string(got)))
		}
		return nil
	})
}

// never holds that a process says anything but VALID.
func (p *process) never(value, when string) {
	p.t.Helper()
	if got := p.says(value); got == keyward.VerdictValid {
		p.t.Errorf("%s: VALID", when)
	}
}

// disable takes a key's effect away, and answers once that is true everywhere if it waits.
func (c *core) disable(id string, opts ...keyward.ChangeOption) keyward.Revocation {
	c.t.Helper()
	done, err := c.client.UpdateKeys(
		c.t.Context(), []keyward.KeyUpdate{{ID: id, IsActive: keyward.Set(false)}}, opts...,
	)
	if err != nil || len(done.Errors) > 0 || done.Revocation == nil {
		c.t.Fatalf("disable a key: %+v, %v", done, err)
	}
	return *done.Revocation
}
