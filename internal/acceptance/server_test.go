package acceptance_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/rig"
)

// publicURL is where browsers would reach the servers.
const publicURL = "https://keys.example.com"

// patience is how long a server may take to start or to stop.
const patience = 30 * time.Second

// process is a running `keyward serve` with a database of its own.
type process struct {
	url      string // http://127.0.0.1:port
	root     string // the root key
	dir      string // holds the database and nothing else
	database string // KEYWARD_DATABASE_URL
	output   *rig.Output

	command *exec.Cmd
	ended   chan struct{}
	err     error // of the process; read it after ended
}

// start runs a server with a file of its own.
func start(t *testing.T) *process {
	t.Helper()
	dir := t.TempDir()
	return startOn(t, "sqlite:"+filepath.Join(dir, "keyward.db"), dir)
}

// startOn runs a server on a port of its choice. It is stopped at the end of the test, and must stop in order.
func startOn(t *testing.T, database, dir string) *process {
	t.Helper()
	p := &process{root: mintedRoot(t), dir: dir, database: database}
	return p.again(t, "KEYWARD_LOG_LEVEL=debug", "KEYWARD_ACCESS_LOG=all", "KEYWARD_PUBLIC_URL="+publicURL)
}

func mintedRoot(t *testing.T) string {
	t.Helper()
	root, err := format.Mint(rand.Reader, keyfmt.Service)
	if err != nil {
		t.Fatal(err)
	}
	return root.Reveal()
}

// again starts a server on the database of one that has ended.
func (p *process) again(t *testing.T, settings ...string) *process {
	t.Helper()
	p = &process{root: p.root, dir: p.dir, database: p.database, output: &rig.Output{}, ended: make(chan struct{})}
	p.command = exec.Command(binary, "serve")
	p.command.Env = p.environment(
		append(settings, "KEYWARD_ROOT_KEY="+p.root, "KEYWARD_ADDR=127.0.0.1:0", "KEYWARD_LOG_FORMAT=json")...)
	p.command.Stdout, p.command.Stderr = p.output, p.output
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.err = p.command.Wait(); close(p.ended) }()
	t.Cleanup(func() { p.stop(t) })
	p.ready(t)
	return p
}

// environment is a clean one: a setting of the tests' caller must not reach the server.
func (p *process) environment(settings ...string) []string {
	env := []string{"KEYWARD_DATABASE_URL=" + p.database}
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "KEYWARD_") {
			env = append(env, e)
		}
	}
	return append(env, settings...)
}

var listening = regexp.MustCompile(`http://127\.0\.0\.1:[1-9][0-9]*`)

// ready waits until the server has said where it listens and answers there.
func (p *process) ready(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		select {
		case <-p.ended:
			t.Fatalf("the server ended at once: %v\n%s", p.err, p.output)
		default:
		}
		if p.url == "" {
			p.url = listening.FindString(p.output.String())
			continue
		}
		if answer, err := http.Get(p.url + "/readyz"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
	}
	t.Fatalf("the server is not ready after %s\n%s", patience, p.output)
}

// stop ends the server as an operator would. It may be called more than once.
func (p *process) stop(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
		return
	default:
	}
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop the server: %v", err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.command.Process.Kill()
		<-p.ended
		t.Errorf("the server did not stop within %s", patience)
	}
	if p.err != nil {
		t.Errorf("the server ended with %v\n%s", p.err, p.output)
	}
}

// kill ends the server as a crash would.
func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Kill(); err != nil {
		t.Errorf("kill the server: %v", err)
	}
	<-p.ended
}

// keyward runs another command of the binary on the server's database and returns its output.
func (p *process) keyward(ctx context.Context, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, binary, args...)
	c.Env = p.environment()
	out, err := c.CombinedOutput()
	if err != nil {
		return out, fmt.Errorf("keyward %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return out, nil
}
