//go:build tofu

// Package tofutest runs OpenTofu itself over the examples, with the provider of this tree and a real server. It is not
// part of CI, because the build of OpenTofu takes longer than all the rest: make test-terraform.
package tofutest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/terraform/internal/realserver"
)

// root is the directory of the main module, and module that of the provider.
const (
	root   = "../../.."
	module = "../.."
)

// providers is the directory with the built providers: that of Keyward, and the store of these tests.
var providers string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "keyward-provider-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	defer realserver.Remove()
	for name, pkg := range map[string]string{"keyward": ".", "store": "./internal/tofutest/store"} {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, "terraform-provider-"+name), pkg)
		build.Dir, build.Env = module, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			panic(string(out))
		}
	}
	providers = dir
	return m.Run()
}

// project is a directory in which OpenTofu runs.
type project struct {
	*realserver.Server
	t   *testing.T
	dir string
	env []string
}

// newProject copies an example, or takes a configuration.
func newProject(t *testing.T, s *realserver.Server, files map[string]string) *project {
	t.Helper()
	tofu := os.Getenv("KEYWARD_TOFU")
	if tofu == "" {
		t.Fatal("KEYWARD_TOFU names no tofu: make test-terraform builds it")
	}
	p := &project{Server: s, t: t, dir: t.TempDir()}
	files["tofu.rc"] = fmt.Sprintf(`provider_installation {
  dev_overrides {
    "keyward/keyward" = %[1]q
    "keyward/store"   = %[1]q
  }
  direct {}
}
`, providers)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+filepath.Join(p.dir, "tofu.rc"), "TF_IN_AUTOMATION=1", "TF_INPUT=0",
		"KEYWARD_URL="+s.URL, "KEYWARD_TOKEN="+s.RootKey, "TF_LOG=TRACE", "TF_LOG_PATH="+filepath.Join(p.dir, "trace.log"))
	return p
}

func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(module, "examples", name, "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// run runs OpenTofu, and returns its output and its exit status.
func (p *project) run(args ...string) (output string, status int) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), os.Getenv("KEYWARD_TOFU"), append(args, "-no-color")...)
	cmd.Dir, cmd.Env = p.dir, p.env
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// try is run, and fails if the value of a key is left in a file or in the output.
func (p *project) try(args ...string) (output string, status int) {
	p.t.Helper()
	out, status := p.run(args...)
	p.holdsNoValue()
	if log, err := os.Stat(filepath.Join(p.dir, "trace.log")); err != nil || log.Size() == 0 {
		p.t.Errorf("there is no trace of the run (%v)", err)
	}
	if aKey.MatchString(out) {
		p.t.Errorf("tofu %s prints the value of a key", args[0])
	}
	return out, status
}

// tofu is try for a run that must succeed.
func (p *project) tofu(args ...string) string {
	p.t.Helper()
	out, status := p.try(args...)
	if status != 0 {
		p.t.Fatalf("tofu %s ends with %d:\n%s", strings.Join(args, " "), status, out)
	}
	return out
}

// holdsNoValue fails if a file of the project holds the value of a key: but for the files *.key, which the examples
// write on purpose.
func (p *project) holdsNoValue() {
	p.t.Helper()
	found, err := filesWithValues(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, name := range found {
		p.t.Errorf("%s holds the value of a key", name)
	}
}

// value reads a file *.key that an example wrote.
func (p *project) value(name string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	info, err := os.Stat(path)
	if err != nil {
		p.t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		p.t.Errorf("%s has the mode %v", name, info.Mode())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

func (p *project) verdict(value string, permission string) keyward.VerdictCode {
	p.t.Helper()
	v, err := p.Client.Verify(p.t.Context(), keyward.VerifyRequest{
		Key: value, Permissions: keyward.Demand{All: []string{permission}}, Environment: keyward.EnvironmentLive,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return v.Code
}

func (p *project) unchanged(args ...string) {
	p.t.Helper()
	if out, status := p.try(append([]string{"plan", "-detailed-exitcode"}, args...)...); status != 0 {
		p.t.Errorf("a second plan ends with %d:\n%s", status, out)
	}
}

// has fails unless a text has all the parts.
func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

func TestT113TheFirstExample(t *testing.T) {
	t.Parallel()
	p := newProject(t, realserver.Start(t, root), map[string]string{"main.tf": example(t, "first")})
	p.tofu("plan", "-out=first.plan")
	p.tofu("apply", "first.plan")
	first := p.value("report.key")
	if got := p.verdict(first, "calls:read"); got != keyward.VerdictValid {
		t.Errorf("the key is %s", got)
	}
	p.unchanged()

	other := []string{"-var", `permissions=["calls:read","calls:write"]`}
	out := p.tofu(append([]string{"plan", "-out=second.plan"}, other...)...)
	has(t, out, "must be replaced", "forces replacement", "its permissions are frozen")
	p.tofu("apply", "second.plan")
	second := p.value("report.key")
	if p.verdict(second, "calls:write") != keyward.VerdictValid ||
		p.verdict(first, "calls:read") != keyward.VerdictNotFound {
		t.Error("the key was not replaced")
	}
	p.unchanged(other...)
	p.tofu(append([]string{"apply", "-auto-approve", "-var", "value_version=2"}, other...)...)
	third := p.value("report.key")
	if p.verdict(third, "calls:write") != keyward.VerdictValid ||
		p.verdict(second, "calls:read") != keyward.VerdictNotFound {
		t.Error("another version of the value did not replace the key")
	}

	// A key that was disabled outside stays so, and one that was deleted is made again.
	now := append([]string{"-var", "value_version=2"}, other...)
	id := strings.TrimSpace(p.tofu("state", "show", "keyward_api_key.report"))
	id = regexp.MustCompile(`(?m)^    id +\= "([^"]+)"`).FindStringSubmatch(id)[1]
	if _, err := p.Client.UpdateKeys(t.Context(),
		[]keyward.KeyUpdate{{ID: id, IsActive: keyward.Set(false)}}); err != nil {
		t.Fatal(err)
	}
	out = p.tofu(append([]string{"plan"}, now...)...)
	has(t, out, "The API key is disabled", "is_active")
	if strings.Contains(out, "will be updated in-place") {
		t.Error("the plan enables a key that was disabled outside")
	}
	if _, err := p.Client.DeleteKey(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	has(t, p.tofu(append([]string{"plan"}, now...)...), "keyward_api_key.report will be created")
	p.tofu(append([]string{"apply", "-auto-approve"}, now...)...)
	if got := p.verdict(p.value("report.key"), "calls:write"); got != keyward.VerdictValid {
		t.Errorf("the key that was made again is %s", got)
	}
	p.tofu(append([]string{"destroy", "-auto-approve"}, now...)...)
	if got := p.verdict(p.value("report.key"), "calls:read"); got != keyward.VerdictNotFound {
		t.Errorf("the destroyed key is %s", got)
	}
}

// TestTheFirstMinute runs the commands of the README in a copy of the tree, with a home of their own.
func TestTheFirstMinute(t *testing.T) {
	t.Parallel()
	s := realserver.Start(t, root)
	page, err := os.ReadFile(filepath.Join(module, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## The first minute")
	_, script, _ := strings.Cut(section, "```sh\n")
	script, _, ok := strings.Cut(script, "```")
	if !ok || !strings.Contains(script, "kw_svc_...") {
		t.Fatal("the README has no first minute")
	}
	p := newProject(t, s, map[string]string{"first.sh": strings.Replace(script, "kw_svc_...", "$ROOT_KEY", 1)})
	tree, home, bin := filepath.Join(p.dir, "tree"), filepath.Join(p.dir, "home"), filepath.Join(p.dir, "bin")
	for _, dir := range []string{tree, home, bin} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(os.Getenv("KEYWARD_TOFU"), filepath.Join(bin, "tofu")); err != nil {
		t.Fatal(err)
	}
	known := "git ls-files -z --cached --others --exclude-standard go.mod go.sum '*.go' terraform | xargs -0 cp --parents -t "
	shell := func(dir, script string, more ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), more...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	shell(root, known+"'"+tree+"'")
	shell(tree, ". ../first.sh", "HOME="+home, "PATH="+bin+":"+os.Getenv("PATH"), "ROOT_KEY="+s.RootKey,
		"KEYWARD_URL="+s.URL,
		"TF_CLI_CONFIG_FILE=", "TF_CLI_ARGS_apply=-auto-approve", "GOCACHE="+goEnv(t, "GOCACHE"), "GOMODCACHE="+goEnv(t,
			"GOMODCACHE"))
	p.dir = filepath.Join(tree, "terraform", "examples", "first")
	p.holdsNoValue()
	if got := p.verdict(p.value("report.key"), "calls:read"); got != keyward.VerdictValid {
		t.Errorf("the key is %s", got)
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestTheExampleOfServices(t *testing.T) {
	t.Parallel()
	s := realserver.Start(t, root)
	w, err := s.Client.CreateWorkspace(t.Context(), keyward.CreateWorkspaceRequest{
		Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t, s, map[string]string{"main.tf": example(t, "services")})
	p.env = append(p.env, "TF_VAR_workspace_id="+w.ID)
	p.tofu("plan", "-out=services.plan")
	if made := p.ephemeralKeys(w.ID); made != 1 {
		t.Errorf("the plan made %d ephemeral keys", made)
	}
	out := p.tofu("apply", "services.plan")
	has(t, out, "Owner", "Viewer")
	verifier, err := keyward.New(s.URL, keyward.WithToken(p.value("verifier.key")))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := verifier.Verify(t.Context(), keyward.VerifyRequest{Key: "kw_live_unknown"}); err != nil || v.Valid {
		t.Errorf("the service key says %v (%v)", v.Code, err)
	}
	p.unchanged()
	if made := p.ephemeralKeys(w.ID); made < 2 {
		t.Errorf("two plans made %d ephemeral keys", made)
	}
	p.tofu("destroy", "-auto-approve")
	for k, err := range s.Client.AllKeys(t.Context(), keyward.ListKeysOptions{WorkspaceID: w.ID}) {
		t.Errorf("the ephemeral key %s is there after its run (%v)", k.Name, err)
	}
	if _, err := verifier.Verify(t.Context(), keyward.VerifyRequest{Key: "kw_live_unknown"}); err == nil {
		t.Error("the destroyed service key works")
	}
}

const required = `
terraform {
  required_providers {
    keyward = { source = "keyward/keyward" }
  }
}
`

func TestImportById(t *testing.T) {
	t.Parallel()
	s := realserver.Start(t, root)
	w, err := s.Client.CreateWorkspace(t.Context(), keyward.CreateWorkspaceRequest{
		Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	role, err := s.Client.CreateRole(t.Context(), w.ID,
		keyward.CreateRoleRequest{Name: "Support", Permissions: []string{"calls:read"}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := s.Client.CreateKey(t.Context(), keyward.CreateKeyRequest{
		WorkspaceID: w.ID, UserID: "ada", Name: "by hand", Permissions: keyward.Permissions("calls:read"),
	})
	if err != nil {
		t.Fatal(err)
	}
	service, err := s.Client.CreateServiceKey(t.Context(), keyward.CreateServiceKeyRequest{
		Name: "verifier", Scopes: []keyward.Scope{keyward.ScopeVerify},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t, s, map[string]string{"main.tf": required + `
resource "keyward_workspace" "w" {
  name = "Acme"
}
resource "keyward_role" "r" {
  workspace_id = keyward_workspace.w.id
  name         = "Support"
  permissions  = ["calls:read"]
}
data "keyward_role" "owner" {
  workspace_id = keyward_workspace.w.id
  name         = "Owner"
}
resource "keyward_member" "m" {
  workspace_id = keyward_workspace.w.id
  user_id      = "ada"
  email        = "ada@example.com"
  role_id      = data.keyward_role.owner.id
}
resource "keyward_api_key" "k" {
  workspace_id = keyward_workspace.w.id
  user_id      = "ada"
  name         = "by hand"
}
resource "keyward_service_key" "s" {
  name   = "verifier"
  scopes = ["verify"]
}
`})
	for address, id := range map[string]string{
		"keyward_workspace.w": w.ID, "keyward_role.r": w.ID + "/" + role.ID, "keyward_member.m": w.ID + "/ada",
		"keyward_api_key.k": key.APIKey.ID, "keyward_service_key.s": service.ServiceKey.ID,
	} {
		p.tofu("import", address, id)
	}
	p.unchanged()
	if got := p.verdict(key.Key.Reveal(), "calls:read"); got != keyward.VerdictValid {
		t.Errorf("the imported key is %s", got)
	}
}

func TestARefusalPointsAtTheLine(t *testing.T) {
	t.Parallel()
	s := realserver.Start(t, root)
	p := newProject(t, s, map[string]string{"main.tf": required + `
resource "keyward_workspace" "w" {
  name  = "Acme"
  owner = { user_id = "ada", email = "nowhere" }
}
`})
	out, status := p.try("apply", "-auto-approve")
	if status == 0 {
		t.Error("the apply succeeds")
	}
	has(t, out, "with keyward_workspace.w", "owner", "email")
	p = newProject(t, s, map[string]string{"main.tf": required + `
resource "keyward_api_key" "k" {
  workspace_id = "019a5c3e-7b10-7a44-9c1d-2f6b8e0d4a11"
  user_id      = "ada"
  name         = "without a value"
}
`})
	out, status = p.try("plan")
	if status == 0 {
		t.Error("the plan succeeds")
	}
	has(t, out, "The value is missing")
	p = newProject(t, s, map[string]string{"main.tf": required + `
ephemeral "keyward_api_key" "k" {
  workspace_id       = "019a5c3e-7b10-7a44-9c1d-2f6b8e0d4a11"
  user_id            = "ada"
  permissions        = []
  expires_in_seconds = 3601
}
`})
	out, status = p.try("plan")
	if status == 0 {
		t.Error("the plan succeeds")
	}
	has(t, out, "with ephemeral.keyward_api_key.k", "expires_in_seconds", "3600")
}
