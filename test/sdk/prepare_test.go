package sdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward"
)

var prepares = regexp.MustCompile("(?s)<!-- prepare -->\n```sh\n(.*?)```")

// prepared runs the commands of a page that come before its programs, and gives the variables that they set.
func (p *product) prepared(t *testing.T, page string, names ...string) map[string]string {
	t.Helper()
	found := prepares.FindSubmatch(read(t, page))
	if found == nil {
		t.Fatalf("%s does not say what comes before its programs", page)
	}
	script := strings.ReplaceAll(string(found[1]), "http://127.0.0.1:8080", p.url)
	script = strings.ReplaceAll(script, "kw_svc_...", p.root)
	for _, name := range names {
		script += "printf '%s\\n' \"$" + name + "\"\n"
	}
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/bin", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(p.binary, filepath.Join(dir, "bin/keyward")); err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(t.Context(), "sh", "-eu", "-c", script)
	path := "PATH=" + dir + "/bin:" + os.Getenv("PATH")
	shell.Dir, shell.Env = dir, append(os.Environ(), path, "KEYWARD_TOKEN="+p.root, "KEYWARD_WORKSPACE=")
	out, err := shell.Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != len(names) {
		t.Fatalf("%s: %v, %d lines of %d\n%s", page, err, len(lines), len(names), out)
	}
	values := map[string]string{}
	for i, name := range names {
		values[name] = lines[i]
	}
	return values
}

// The commands before the quickstarts give the keys with which the pages are tried.
func TestWhatComesBeforeTheQuickstarts(t *testing.T) {
	t.Parallel()
	p := startServer(t)
	given := p.prepared(t, "../../docs/quickstart/README.md", "KEY", "POOR", "KEYWARD_TOKEN")
	service, err := keyward.New(p.url, keyward.WithToken(given["KEYWARD_TOKEN"]))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]keyward.VerdictCode{
		"KEY": keyward.VerdictValid, "POOR": keyward.VerdictInsufficientPermissions,
	} {
		verdict, err := service.Verify(t.Context(), keyward.VerifyRequest{
			Key: given[name], Environment: "live", Permissions: keyward.Demand{All: []string{"calls:read"}},
		})
		if err != nil || verdict.Code != want {
			t.Errorf("%s is %s (%v)", name, verdict.Code, err)
		}
	}
	if _, err := service.ListServiceKeys(t.Context(), keyward.ListOptions{}); err == nil {
		t.Error("the service's key does more than verify")
	}
}

// The commands before the programs of docs/portal.md give those what they read.
func TestWhatComesBeforeThePortalsPrograms(t *testing.T) {
	t.Parallel()
	p := startServer(t)
	given := p.prepared(t, "../../docs/portal.md", "KEYWARD_WORKSPACE", "KEYWARD_ROLE", "KEYWARD_TOKEN")
	platform, err := keyward.New(p.url, keyward.WithToken(given["KEYWARD_TOKEN"]))
	if err != nil {
		t.Fatal(err)
	}
	made, err := platform.CreatePortalSession(t.Context(), keyward.CreatePortalSessionRequest{
		WorkspaceID: given["KEYWARD_WORKSPACE"], UserID: "carl",
		CreateMember:   &keyward.PortalMember{Email: "carl@example.com", RoleID: given["KEYWARD_ROLE"]},
		Capabilities:   []string{"keys:read", "keys:create", "keys:rotate", "usage:read"},
		Ceiling:        &keyward.PortalCeiling{Permissions: []string{"calls:read"}},
		AllowedOrigins: []string{"http://localhost:8000"},
	})
	if err != nil || made.ClientSecret.IsZero() {
		t.Errorf("%+v: %v", made, err)
	}
}
