package server_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/server"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
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
		// Detached, because a child that another test forks at this moment has the files open until it runs its program.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
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
	w, err := c.CreateWorkspace(
		t.Context(),
		keyward.CreateWorkspaceRequest{Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"}},
	)
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
	fillUp(t, ballast)
	for err = error(nil); err == nil; {
		_, err = create()
	}
	var refused *keyward.Error
	if !errors.Is(err, keyward.ErrUnavailable) || !errors.As(err, &refused) ||
		refused.Message != "storage is full: nothing was changed" {
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
	fillUp(t, ballast) // what the stop has left
	cfg.KeyPrefix = "other"
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.RootKey, err = format.Mint(rand.Reader, keyfmt.Service); err != nil {
		t.Fatal(err)
	}
	s, stop = start(t, cfg, server.Options{})
	c = connect()
	if _, err := create(); !errors.Is(err, keyward.ErrUnavailable) {
		t.Errorf("a change after a start on a full disk: %v", err)
	}
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
	if made, err := create(); err != nil || !strings.HasPrefix(made.Key.Reveal(), "other_") {
		t.Errorf("after there was room: %v", err)
	}
	root = cfg.RootKey.Reveal()
	for c = connect(); ; time.Sleep(50 * time.Millisecond) {
		if _, err = c.Me(t.Context(), ""); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("there is room, and the root key of the environment is not good: %v", err)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	known := prefixes(t, cfg.Database)
	if !slices.Contains(known, "other") {
		t.Errorf("the prefixes that are remembered are %v", known)
	}
}

// fillUp takes the last byte of the file system that a file lies on.
func fillUp(t *testing.T, ballast string) {
	t.Helper()
	f, err := os.OpenFile(ballast, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	_ = f.Close()
}

// prefixes reads the remembered ones from a database that is not served.
func prefixes(t *testing.T, file string) []string {
	t.Helper()
	d, err := sqlite.Open(file, sqlite.Options{Lock: true})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), d, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	known, err := db.KeyPrefixes(t.Context())
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return known
}
