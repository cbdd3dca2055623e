package acceptance_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/keyward/keyward/internal/rig"
)

// A message that names neither the setting nor the fault costs an evening.
func TestASettingThatCannotBeUsedIsNamedWithItsFault(t *testing.T) {
	t.Parallel()
	root := "kw_svc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA2ImIO6"
	for _, c := range []struct{ setting, says string }{
		{"KEYWARD_ROOT_KEY=" + root + "\n", "KEYWARD_ROOT_KEY: ends with a line break"},
		{"KEYWARD_OIDC_CLIENT_SECRET=hush\r\n", "KEYWARD_OIDC_CLIENT_SECRET: ends with a line break"},
		{"KEYWARD_REDIS_URL=redis://:hush@127.0.0.1:6379\n", "KEYWARD_REDIS_URL: ends with a line break"},
		{"KEYWARD_DATABASE_URL=postgres://u:hush@127.0.0.1/kw\n", "KEYWARD_DATABASE_URL: ends with a line break"},
		{"KEYWARD_DATABASE_URL=postgres://u:hush@127.0.0.1/kw?sslmode=bogus",
			"KEYWARD_DATABASE_URL: sslmode=bogus: want disable, allow"},
		{"KEYWARD_DATABASE_URL=postgres://u:hush@127.0.0.1/kw?sslrootcert=/not/there.pem",
			"KEYWARD_DATABASE_URL: sslrootcert: open /not/there.pem: no such"},
		{"KEYWARD_DATABASE_URL=postgres://u:hush@127.0.0.1/kw?connect_timeout=soon",
			"KEYWARD_DATABASE_URL: connect_timeout=soon: want a whole number"},
		{"KEYWARD_TRUSTED_PROXIES_FILE=/not/there", "KEYWARD_TRUSTED_PROXIES_FILE: open /not/there: no such"},
	} {
		p, _, done := begin(t, c.setting)
		var exit *exec.ExitError
		if err := <-done; !errors.As(err, &exit) || exit.ExitCode() != 78 {
			t.Errorf("%q: %v", c.setting, err)
		}
		if said := p.output.String(); !strings.Contains(said, c.says) || strings.Contains(said, "hush") ||
			strings.Contains(said, root[10:]) {
			t.Errorf("%q: %s", c.setting, said)
		}
	}
	p, at, _ := begin(t, "KEYWARD_PEPPER=c2l4dGVlbi1ieXRlcy1vZi1wZXBwZXI\n")
	answers(t, at, "/readyz", 200, "ready")
	rig.WaitFor(t, "a warning of the pepper", func() error {
		if said := p.output.String(); !strings.Contains(said, "KEYWARD_PEPPER: ends with a line break") {
			return errors.New(said)
		}
		return nil
	})
}

// The files that settings name belong to root here, and the server is another user.
func TestAFileOfAnotherUserIsNamedWithItsSettingAndOwner(t *testing.T) {
	t.Parallel()
	cert, key, _ := rig.Certificate(t)
	dir, err := os.MkdirTemp("", "keyward-owner-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	program := filepath.Join(dir, "keyward")
	copied(t, binary, program, 0o755)
	put := func(name, from string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		copied(t, from, path, mode)
		return path
	}
	cert, key = put("cert.pem", cert, 0o444), put("key.pem", key, 0o400)
	catalogue := filepath.Join(dir, "catalogue.yaml")
	must(t, os.WriteFile(catalogue, []byte("permissions: []\n"), 0o400))
	for says, settings := range map[string][]string{
		"KEYWARD_TLS_KEY: open " + key:              {"KEYWARD_TLS_CERT=" + cert, "KEYWARD_TLS_KEY=" + key},
		"KEYWARD_CATALOGUE: open " + catalogue:      {"KEYWARD_CATALOGUE=" + catalogue},
		"KEYWARD_ROUTES: open " + catalogue:         {"KEYWARD_ROUTES=" + catalogue},
		"KEYWARD_CONFIG: open " + catalogue:         {"KEYWARD_CONFIG=" + catalogue},
		"KEYWARD_IMPORT_SECRETS: open " + catalogue: {"KEYWARD_IMPORT_SECRETS=@" + catalogue},
	} {
		c := exec.Command(program, "serve")
		c.Dir = dir
		c.Env = append(settings, "PATH="+os.Getenv("PATH"), "KEYWARD_ADDR=127.0.0.1:0")
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := c.CombinedOutput()
		if err == nil ||
			!strings.Contains(
				string(out),
				says+": permission denied: it belongs to user 0 and has mode 0400, and this process runs as user 65534",
			) {
			t.Errorf("%s: %v: %s", says, err, out)
		}
	}
}

func copied(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	raw, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, raw, mode))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
