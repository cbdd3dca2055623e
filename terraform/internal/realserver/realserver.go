// Package realserver builds the keyward command of this tree, and starts it for the tests of the provider. It owns no
// imitation of a server.
package realserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/keyfmt"
)

// patience bounds the start of a server on a busy machine.
const patience = 60 * time.Second

// Server is a running server with an empty database.
type Server struct {
	URL     string
	RootKey string // a service key with all scopes
	Client  *keyward.Client
	Binary  string
}

// built is the binary, for all tests of a process.
var built = struct {
	sync.Once
	path string
	err  error
}{}

// Build builds the command into a directory that outlives the test, because other tests use it as well. root is the
// directory of the main module.
func Build(tb testing.TB, root string) string {
	tb.Helper()
	built.Do(func() {
		dir, err := os.MkdirTemp("", "keyward-terraform-")
		if err != nil {
			built.err = err
			return
		}
		built.path = filepath.Join(dir, "keyward")
		cmd := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace", "-o", built.path, "./cmd/keyward")
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("build the command: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		tb.Fatal(built.err)
	}
	return built.path
}

// Remove deletes the binary. It is for TestMain.
func Remove() {
	if built.path != "" {
		_ = os.RemoveAll(filepath.Dir(built.path))
	}
}

// Start starts a server, and stops it at the end of the test. settings are further environment variables.
func Start(tb testing.TB, root string, settings ...string) *Server {
	tb.Helper()
	binary := Build(tb, root)
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := format.Mint(rand.Reader, keyfmt.Service)
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{URL: "http://" + freeAddress(tb), RootKey: key.Reveal(), Binary: binary}
	start(tb, binary, "serve", s.URL, append([]string{"KEYWARD_ROOT_KEY=" + s.RootKey}, settings...))
	if s.Client, err = keyward.New(s.URL, keyward.WithToken(s.RootKey)); err != nil {
		tb.Fatal(err)
	}
	return s
}

// Follow starts a follower of the server, and returns a client of it. token is a service key with the scopes follow and
// verify.
func (s *Server) Follow(tb testing.TB, token string) *keyward.Client {
	tb.Helper()
	url := "http://" + freeAddress(tb)
	start(tb, s.Binary, "follow", url, []string{"KEYWARD_SOURCE_URL=" + s.URL, "KEYWARD_SOURCE_TOKEN=" + token})
	client, err := keyward.New(url, keyward.WithToken(token))
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

// start runs a command of the binary that listens at url, and waits until it is ready.
func start(tb testing.TB, binary, command, url string, settings []string) {
	tb.Helper()
	dir := tb.TempDir()
	cmd := exec.Command(binary, command)
	cmd.Dir = dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "KEYWARD_ADDR=" + url[len("http://"):], "KEYWARD_LOG_FORMAT=text",
		"KEYWARD_DATABASE_URL=sqlite:" + filepath.Join(dir, "keyward.db"),
	}, settings...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := <-ended; tb.Failed() {
			tb.Logf("keyward %s ended with %v\n%s", command, err, log.String())
		}
	})
	if err := ready(tb.Context(), url); err != nil {
		tb.Fatal(err)
	}
}

// ready waits until the server can verify.
func ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
