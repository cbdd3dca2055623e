package sdk_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

// TestQuickstarts does what the pages under docs/quickstart say, against a real server: the route of each page answers
// a good key, and no other request.
func TestQuickstarts(t *testing.T) {
	t.Parallel()
	server := startServer(t)
	for page, prepare := range map[string]func(t *testing.T, dir string) []string{
		"node":    withNodePackage,
		"python":  withPythonPackage,
		"fastapi": withPythonPackage,
		"go":      withGoModule,
		"php":     func(*testing.T, string) []string { return nil },
	} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			server.try(t, page, prepare)
		})
	}
}

// product is a running server with a key that may read calls, and one that may do nothing.
type product struct {
	binary, url, root string
	workspace         string
	good, poor        string
}

func startServer(t *testing.T) *product {
	t.Helper()
	p := &product{binary: binary(t)}
	out, err := exec.Command(p.binary, "rootkey").Output()
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(out))
	p.root = fields[len(fields)-1]
	dir := t.TempDir()
	address := fmt.Sprintf("127.0.0.1:%d", rig.FreePort(t))
	p.url = "http://" + address
	cmd := exec.Command(p.binary, "serve")
	cmd.Dir = dir
	cmd.Env = append(
		os.Environ(), "KEYWARD_ADDR="+address, "KEYWARD_DATABASE_URL=sqlite:"+dir+"/keyward.db", "KEYWARD_ROOT_KEY="+p.root,
		"KEYWARD_PUBLIC_URL="+p.url, "KEYWARD_WEBHOOK_ALLOW_NETWORKS=127.0.0.0/8",
	)
	rig.StartProcess(t, cmd, dir+"/log")
	client, err := keyward.New(p.url, keyward.WithToken(p.root))
	if err != nil {
		t.Fatal(err)
	}
	rig.WaitFor(t, "the server", func() error { return client.Ready(t.Context()) })
	ws, err := client.CreateWorkspace(t.Context(), keyward.CreateWorkspaceRequest{
		Name: "Acme", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.workspace = ws.ID
	for permission, into := range map[string]*string{"calls:read": &p.good, "agents:read": &p.poor} {
		made, err := client.CreateKey(t.Context(), keyward.CreateKeyRequest{
			Name: permission, UserID: "ada", WorkspaceID: ws.ID, Permissions: keyward.Permissions(permission),
		})
		if err != nil {
			t.Fatal(err)
		}
		*into = made.Key.Reveal()
	}
	return p
}

var (
	files  = regexp.MustCompile("(?s)<!-- file: (\\S+) -->\n```\\w+\n(.*?)```")
	serves = regexp.MustCompile("(?s)<!-- serve -->\n```sh\n(.*?)```")
)

func (p *product) try(t *testing.T, page string, prepare func(*testing.T, string) []string) {
	text, err := os.ReadFile("../../docs/quickstart/" + page + ".md")
	if err != nil {
		t.Fatal(err)
	}
	p.tryRoute(t, page, p.start(t, page, string(text), prepare), "/calls")
}

// tryRoute asks a guarded route with good keys and bad ones.
func (p *product) tryRoute(t *testing.T, page string, e example, path string) {
	t.Helper()
	url := e.url + path
	rig.WaitFor(t, page, func() error {
		if _, _, err := ask(url, ""); err != nil {
			return fmt.Errorf("%w\n%s", err, e.log())
		}
		return nil
	})
	for key, want := range map[string]int{"": 401, "nonsense": 401, p.poor: 403, p.good: 200} {
		status, body, err := ask(url, key)
		if err != nil || status != want {
			t.Errorf("%s answers %d (%v), want %d: %s\n%s", page, status, err, want, body, e.log())
		}
		if (status == 200) != strings.Contains(body, p.workspace) {
			t.Errorf("%s answers %q with status %d", page, body, status)
		}
	}
}

// example is a program of a page that runs.
type example struct {
	url, port string
	log       func() string
}

// start writes the files of a page's text, each with a free port in the place of 8000, and starts its program. more are
// settings of the program.
func (p *product) start(
	t *testing.T, page, text string, prepare func(*testing.T, string) []string, more ...string,
) example {
	t.Helper()
	dir, port := t.TempDir(), fmt.Sprint(rig.FreePort(t))
	writeFiles(t, dir, text, port)
	more = append(more, prepare(t, dir)...)
	found := serves.FindStringSubmatch(text)
	if found == nil {
		t.Fatal("the page does not say how its program is started")
	}
	command := strings.ReplaceAll(found[1], "8000", port)
	cmd := exec.Command("sh", "-c", "exec "+strings.TrimSpace(command))
	cmd.Dir, cmd.Env = dir, p.environment(more)
	return example{"http://127.0.0.1:" + port, port, rig.StartProcess(t, cmd, dir+"/log").Log}
}

// environment is that of a page's program, with more settings.
func (p *product) environment(more []string) []string {
	own := []string{"KEYWARD_URL=" + p.url, "KEYWARD_TOKEN=" + p.root, "PYTHONDONTWRITEBYTECODE=1"}
	return slices.Concat(os.Environ(), own, more)
}

// writeFiles writes the files of a page's text, each with a port in the place of 8000.
func writeFiles(t *testing.T, dir, text, port string) {
	t.Helper()
	written := files.FindAllStringSubmatch(text, -1)
	if len(written) == 0 {
		t.Fatal("the page has no file")
	}
	for _, f := range written {
		writeFile(t, filepath.Join(dir, f[1]), strings.ReplaceAll(f[2], "8000", port))
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func ask(url, key string) (status int, body string, err error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(all), err
}

const typescript = "../../sdk/typescript"

// withNodePackage installs the packed package and Express.
func withNodePackage(t *testing.T, dir string) []string {
	t.Helper()
	own, err := filepath.Abs(typescript)
	if err != nil {
		t.Fatal(err)
	}
	built.Do(func() { run(t, "", typescript, "npm", "run", "--silent", "build") })
	var packed []struct{ Filename string }
	out := run(t, "", typescript, "npm", "pack", "--silent", "--json", "--pack-destination", dir)
	if err := json.Unmarshal([]byte(out), &packed); err != nil {
		t.Fatalf("npm pack: %v\n%s", err, out)
	}
	into := filepath.Join(dir, "node_modules/keyward")
	if err := os.MkdirAll(into, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "", dir, "tar", "-xzf", packed[0].Filename, "-C", into, "--strip-components=1")
	if err := os.Symlink(own+"/node_modules/express", filepath.Join(dir, "node_modules/express")); err != nil {
		t.Fatal(err)
	}
	return nil
}

// withPythonPackage puts the built wheel on Python's path.
func withPythonPackage(t *testing.T, dir string) []string {
	t.Helper()
	run(t, "", "../../sdk/python", "/usr/bin/python3", "scripts/build.py", dir+"/dist")
	wheels, err := filepath.Glob(dir + "/dist/*.whl")
	if err != nil || len(wheels) != 1 {
		t.Fatalf("wheels: %v, %v", wheels, err)
	}
	return []string{"PYTHONPATH=" + wheels[0], "PATH=/usr/bin:" + os.Getenv("PATH")}
}

// withGoModule makes a module that takes this one from its folder.
func withGoModule(t *testing.T, dir string) []string {
	t.Helper()
	own, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	module := "module example.com/service\n\ngo 1.26\n\nrequire github.com/keyward/keyward v0.0.0\n\nreplace github.com/keyward/keyward => " + own + "\n"
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(module), 0o644); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{"GOFLAGS=-mod=mod"}
}
