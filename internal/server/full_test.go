package server_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/server"
)

// readiness is the answer of /readyz.
func readiness(t *testing.T, s *server.Server) (status int, state string) {
	t.Helper()
	r, err := http.Get(s.URL() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	var body struct {
		Data struct{ Result struct{ Status string } }
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, body.Data.Result.Status
}

func TestT82AFullDiskDegradesTheNodeWhichVerifiesOnAndHealsByItself(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("not root, who alone may mount a small file system: the driver's own test stands for this one")
		return
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=700"); err != nil {
		t.Fatalf("mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	cfg := settings(t)
	cfg.Database = filepath.Join(dir, "keyward.db")
	s, stop := start(t, cfg, server.Options{})
	defer func() { _ = stop() }()
	root := s.Minted().Reveal()
	connect := func() *keyward.Client {
		c, err := keyward.New(s.URL(), keyward.WithToken(root), keyward.WithRetry(0))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := connect()
	w, err := c.CreateWorkspace(t.Context(), keyward.CreateWorkspaceRequest{Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	create := func() (keyward.CreatedKey, error) {
		return c.CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: w.ID, UserID: "ada", Name: "k"})
	}
	k, err := create()
	if err != nil {
		t.Fatal(err)
	}
	if status, state := readiness(t, s); status != 200 || state != "ready" {
		t.Errorf("before: %d %s", status, state)
	}

	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	_ = f.Close()
	for err = error(nil); err == nil; {
		_, err = create()
	}
	var refused *keyward.Error
	if !errors.Is(err, keyward.ErrUnavailable) || !errors.As(err, &refused) || refused.Message != "storage is full: nothing was changed" {
		t.Errorf("a change on a full disk: %v", err)
	}
	if status, state := readiness(t, s); status != 200 || state != "degraded" {
		t.Errorf("while it is full: %d %s", status, state)
	}
	if v, err := c.Verify(t.Context(), keyward.VerifyRequest{Key: k.Key.Reveal()}); err != nil || !v.Valid {
		t.Errorf("a verification on a full disk: %s, %v", v.Code, err)
	}
	if err := stop(); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("a stop that can keep nothing: %v", err)
	}
	s, stop = start(t, cfg, server.Options{})
	c = connect()
	if v, err := c.Verify(t.Context(), keyward.VerifyRequest{Key: k.Key.Reveal()}); err != nil || !v.Valid {
		t.Errorf("a verification after a start on a full disk: %s, %v", v.Code, err)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for state := ""; state != "ready"; _, state = readiness(t, s) {
		if time.Now().After(deadline) {
			t.Fatal("there is room, and the node does not notice by itself")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if _, err := create(); err != nil {
		t.Errorf("after there was room: %v", err)
	}
}
