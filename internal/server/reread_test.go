package server_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/server"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTheTrustedProxiesOfAFileAreReadAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "proxies")
	write(t, file, "# the balancers\n10.0.0.0/8 192.0.2.1\n")
	cfg := settings(t)
	cfg.TrustedProxiesFile = file
	log := &rig.Output{}
	s, _ := start(t, cfg, server.Options{Log: log})
	c := client(t, s, s.Minted().Reveal())
	w, err := c.CreateWorkspace(
		t.Context(),
		keyward.CreateWorkspaceRequest{Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.CreateKey(
		t.Context(),
		keyward.CreateKeyRequest{WorkspaceID: w.ID, UserID: "ada", Name: "k", AllowedIPs: []string{"203.0.113.0/24"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	admitted := func(path string) bool {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+k.Key.Reveal())
		r.Header.Set("X-Forwarded-For", "203.0.113.7")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}
	want := func(when string, is bool) {
		t.Helper()
		for _, path := range []string{"/check", "/api/v2/permissions"} {
			if admitted(path) != is {
				t.Errorf("%s: the forwarded address is believed at %s: %v, want %v", when, path, !is, is)
			}
		}
	}
	want("at first", false)
	write(t, file, "10.0.0.0/8\n127.0.0.0/8, ::1 # this machine\n")
	s.Reload()
	want("after a reload", true)
	write(t, file, "127.0.0.0/8\nlan\n")
	s.Reload()
	want("with a broken file", true)
	if said := log.String(); !strings.Contains(said, "the list of trusted proxies was read again") ||
		!strings.Contains(said, file+`:2: \"lan\"`) {
		t.Error(said)
	}
}

// The route table is read again when its file changes, without a signal; a broken one changes nothing.
func TestTheRouteTableIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "routes.yaml")
	public := func(path string) string { return "routes:\n  - {method: GET, path: " + path + ", public: true}\n" }
	write(t, file, public("/first"))
	cfg := settings(t)
	cfg.Routes, cfg.TrustedProxies = file, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	log := &rig.Output{}
	s, _ := start(t, cfg, server.Options{Log: log})
	passes := func(path string) bool {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/check", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-Method", "GET")
		r.Header.Set("X-Forwarded-Uri", path)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}
	for _, step := range []struct{ when, table, open, shut string }{
		{"at first", public("/first"), "/first", "/later"},
		{"when it has changed", public("/later"), "/later", "/first"},
		{"when it is broken", "routes: 7\n", "/later", "/first"},
		{"when it is gone", "", "/later", "/first"},
		{"when it is whole again", public("/first") + "# again\n", "/first", "/later"},
	} {
		if write(t, file, step.table); step.table == "" {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		s.LookAtFiles()
		if !passes(step.open) || passes(step.shut) {
			t.Errorf("%s: %s passes: %v, %s: %v", step.when, step.open, passes(step.open), step.shut, passes(step.shut))
		}
	}
	said := log.String()
	if strings.Count(said, "the route table was read again") != 3 ||
		strings.Count(said, "the route table was not read again") != 2 {
		t.Error(said)
	}
}

func TestRedisIsReachedWithThePasswordOfTheMomentT37(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	write(t, file, "first\n")
	r := rig.StartRedis(t)
	r.CLI("CONFIG", "SET", "requirepass", "first")
	cfg := settings(t)
	cfg.Redis, cfg.RedisPasswordFile = keyfmt.NewSecret("redis://"+r.Addr), file
	log := &rig.Output{}
	s, _ := start(t, cfg, server.Options{Log: log})
	up := func(password string) {
		t.Helper()
		eventually(t, "a connection with the password "+password, func() bool {
			return strings.Contains(r.CLI("-a", password, "--no-auth-warning", "CLIENT", "LIST"), "name=keyward")
		})
	}
	up("first")
	r.CLI("-a", "first", "--no-auth-warning", "CONFIG", "SET", "requirepass", "second")
	r.CLI("-a", "second", "--no-auth-warning", "CLIENT", "KILL", "TYPE", "normal")
	write(t, file, "two\nlines\n")
	s.Reload()
	if said := log.String(); !strings.Contains(said, "what Redis is reached with was not read again") ||
		strings.Contains(said, "lines\\n") {
		t.Error(said)
	}
	write(t, file, "second\n")
	s.Reload()
	up("second")
	if said := log.String(); strings.Contains(said, "second") || strings.Contains(said, "first") {
		t.Error("the log shows a password")
	}
}

func TestRedisIsCheckedByTheAuthoritiesOfTheMoment(t *testing.T) {
	t.Parallel()
	cert, key, _ := rig.Certificate(t)
	other, _, _ := rig.Certificate(t)
	port := rig.FreePort(t)
	r := rig.StartRedis(
		t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no",
	)
	file := filepath.Join(t.TempDir(), "ca.pem")
	copyFile(t, other, file)
	cfg := settings(t)
	cfg.Redis, cfg.RedisCAFile = keyfmt.NewSecret(fmt.Sprintf("rediss://127.0.0.1:%d", port)), file
	s, _ := start(t, cfg, server.Options{})
	isUp := func() bool { return strings.Contains(r.CLI("CLIENT", "LIST"), "name=keyward") }
	for range 20 {
		if time.Sleep(100 * time.Millisecond); isUp() {
			t.Fatal("a certificate of an unknown authority is taken")
		}
	}
	copyFile(t, cert, file)
	s.Reload()
	eventually(t, "with the right authority", isUp)
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it does not come to be", what)
		}
	}
}
