package followers_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

// buildService builds the program in testdata/service as a module of its own, with the versions that this module has.
func buildService(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	check(t, err)
	dir := t.TempDir()
	own, err := os.ReadFile(filepath.Join(root, "go.mod"))
	check(t, err)
	mod := strings.Replace(string(own), "module github.com/keyward/keyward\n", "module example.com/service\n", 1) +
		"\nrequire github.com/keyward/keyward v0.0.0\n\nreplace github.com/keyward/keyward => " + root + "\n"
	check(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600))
	for from, to := range map[string]string{
		filepath.Join(root, "go.sum"): "go.sum", "testdata/service/main.go": "main.go",
	} {
		text, err := os.ReadFile(from)
		check(t, err)
		check(t, os.WriteFile(filepath.Join(dir, to), text, 0o600))
	}
	binary := filepath.Join(dir, "service")
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-trimpath", "-o", binary, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return binary
}

// service is a running program, asked over HTTP.
type service struct {
	t    *testing.T
	addr string
}

func startService(t *testing.T, source, token string) *service {
	t.Helper()
	cmd := exec.Command(buildService(t))
	cmd.Env = append(os.Environ(), "SOURCE=http://"+source, "TOKEN="+token)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	check(t, err)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	check(t, err)
	return &service{t, strings.TrimSpace(line)}
}

func (s *service) get(path, key string) (status int, body string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.addr+path, nil)
	check(s.t, err)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(r)
	check(s.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(s.t, err)
	return resp.StatusCode, string(text)
}

func (s *service) eventually(status int, key, when string) {
	s.t.Helper()
	rig.WaitFor(s.t, when, func() error {
		if got, body := s.get("/calls", key); got != status {
			return fmt.Errorf("%d %s", got, body)
		}
		return nil
	})
}

// A program of another module guards its handlers with packages verifier and keyhttp: it decides by itself, also about
// limits, hears of a revocation within the bound, and lets nobody in once its copy may be too old.
func TestAProgramOfAnotherModuleFollowsACore(t *testing.T) {
	t.Parallel()
	c := startCore(t, "", limit)
	link := rig.NewLink(t, c.addr)
	id, value := c.key()
	s := startService(t, link.Addr, c.service().Key.Reveal())
	s.eventually(http.StatusOK, value, "a key of before")
	if _, body := s.get("/calls", value); body != "calls for ada" {
		t.Error(body)
	}
	for what, key := range map[string]string{"none": "", "no key": "kw_live_nonsense"} {
		if status, body := s.get("/calls", key); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	limited := c.limited(c.ws, 5, 100)
	s.eventually(http.StatusOK, limited, "a key with limits")
	for range 4 {
		s.get("/calls", limited)
	}
	if status, body := s.get("/calls", limited); status != http.StatusTooManyRequests {
		t.Errorf("beyond the limit: %d %s", status, body)
	}
	weak, err := c.client.CreateKey(t.Context(), keyward.CreateKeyRequest{
		WorkspaceID: c.ws, UserID: "ada", Name: "weak", Permissions: keyward.Permissions("calls:write"),
	})
	check(t, err)
	s.eventually(http.StatusForbidden, weak.Key.Reveal(), "a key without the permission")

	c.disable(id)
	answered := time.Now()
	rig.WaitFor(t, "the revocation", func() error {
		asked := time.Now()
		status, _ := s.get("/calls", value)
		switch {
		case status == http.StatusUnauthorized:
			return nil
		case asked.Sub(answered) > limit:
			t.Fatalf("%d %s after the answer to the revocation", status, asked.Sub(answered))
		}
		return errors.New("it is let in")
	})
	other, value := c.key()
	s.eventually(http.StatusOK, value, "a key of later")
	c.disable(other, keyward.WaitAll())
	if status, _ := s.get("/calls", value); status != http.StatusUnauthorized {
		t.Errorf("after wait=all: %d", status)
	}
	_, value = c.key()
	s.eventually(http.StatusOK, value, "the last key")
	link.Cut()
	s.eventually(http.StatusServiceUnavailable, value, "the copy is too old")
	link.Mend()
	s.eventually(http.StatusOK, value, "the link is back")
	if _, body := s.get("/stats", ""); !strings.Contains(body, "loaded 1 times") {
		t.Errorf("it went on after the cut with a copy that was %s", body)
	}
}
