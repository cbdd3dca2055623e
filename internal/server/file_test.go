package server_test

import (
	"bufio"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/server"
)

// logged is a log that can be read while it is written.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

// until waits for something to become true.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !true(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

func unavailable(t *testing.T, what string, err error) {
	t.Helper()
	var refused *keyward.Error
	if !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable || refused.Code != "unavailable" {
		t.Errorf("%s: %v, want 503 unavailable", what, err)
	}
}

func TestT101AServerWhoseFileHasGoneAnswersNothingAnyMore(t *testing.T) {
	t.Parallel()
	for what, do := range map[string]func(path string) error{
		"moved":   func(p string) error { return os.Rename(p, p+".moved") },
		"removed": os.Remove,
	} {
		cfg := settings(t)
		var log logged
		s, stop := start(t, cfg, server.Options{Log: &log})
		c := client(t, s, s.Minted().Reveal())
		key := limited(t, c, 0, 0)
		codes(t, c, key, 1)
		if err := do(cfg.Database); err != nil {
			t.Fatal(err)
		}
		_, err := c.CreateWorkspace(
			t.Context(), keyward.CreateWorkspaceRequest{Name: "Late", Owner: &keyward.Owner{UserID: "ada"}},
		)
		unavailable(t, what+": a change", err)
		until(t, what+": /readyz says no", func() bool { status, _ := get(t, s.URL()+"/readyz"); return status == 503 })
		_, err = c.Verify(t.Context(), keyward.VerifyRequest{Key: key})
		unavailable(t, what+": a verification", err)
		if _, body := get(t, s.URL()+"/readyz"); !strings.Contains(body, "moved, removed, replaced or written over") {
			t.Errorf("%s: /readyz says %s", what, body)
		}
		time.Sleep(2 * time.Second) // a few looks
		if n := log.count(`"level":"ERROR","msg":"the database`); n != 1 {
			t.Errorf("%s: %d lines of level ERROR about it: %s", what, n, log.text.String())
		}
		_ = stop()
	}
}

func TestT101AnIdleServerNoticesWithinSecondsThatItsFileWasReplaced(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	s, _ := start(t, cfg, server.Options{})
	c := client(t, s, s.Minted().Reveal())
	key := limited(t, c, 0, 0)
	if out, err := exec.Command("cp", cfg.Database, cfg.Database+".new").CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	if err := os.Rename(cfg.Database+".new", cfg.Database); err != nil {
		t.Fatal(err)
	}
	until(t, "verifications end", func() bool {
		_, err := c.Verify(t.Context(), keyward.VerifyRequest{Key: key})
		return errors.Is(err, keyward.ErrUnavailable)
	})
}

func TestT101ACommitOfAnotherProcessIsSeenByVerifications(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	s, _ := start(t, cfg, server.Options{})
	c := client(t, s, s.Minted().Reveal())
	key := limited(t, c, 0, 0)
	codes(t, c, key, 1)
	script := "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute('UPDATE api_keys SET is_active = 0')"
	if out, err := exec.Command("python3", "-c", script, cfg.Database).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	until(t, "the key is DISABLED", func() bool {
		v, err := c.Verify(t.Context(), keyward.VerifyRequest{Key: key})
		return err == nil && v.Code == "DISABLED"
	})
	if fresh := limited(t, c, 0, 0); codes(t, c, fresh, 1) != "VALID" {
		t.Error("a key that was made afterwards is not VALID")
	}
	if status, state := readiness(t, s); status != 200 || state != "ready" {
		t.Errorf("afterwards: %d %s", status, state)
	}
}

func TestALockOfAnotherProgramIs503WithinTwoSeconds(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	s, _ := start(t, cfg, server.Options{})
	c := client(t, s, s.Minted().Reveal())
	key := limited(t, c, 0, 0)
	cmd := exec.Command("python3", "-c", "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"+
		"c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()", cfg.Database)
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := c.CreateWorkspace(
		t.Context(),
		keyward.CreateWorkspaceRequest{Name: "Late", Owner: &keyward.Owner{UserID: "ada", Email: "a@example.com"}},
	)
	unavailable(t, "a change", err)
	if took := time.Since(began); took > 2500*time.Millisecond { // 1.5 s, and a machine that is busy
		t.Errorf("the answer took %s", took)
	}
	if got := codes(t, c, key, 1); got != "VALID" {
		t.Errorf("a verification meanwhile: %s", got)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
}

func TestT101ALinkToARunningServersFileStartsNoSecondOne(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	start(t, cfg, server.Options{})
	other := settings(t)
	if err := os.Symlink(cfg.Database, other.Database); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(cfg.Database + ".lock"); err != nil {
		t.Fatal(err)
	}
	if _, err := server.New(t.Context(), other, server.Options{}); err == nil ||
		!strings.Contains(err.Error(), "another process is using it") {
		t.Errorf("a second server: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(other.Database)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v: something was made beside the link", entries, err)
	}
}
