package recipes_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keyward/keyward"
)

// examine runs doctor against the proxy, and gives its status and what it says.
func (h *house) examine(path string) (int, string) {
	h.t.Helper()
	dir := h.t.TempDir()
	bound, _ := h.mint(func(q *keyward.CreateKeyRequest) { q.AllowedIPs = []string{"192.0.2.1/32"} })
	for name, content := range map[string]string{"key": h.key, "bound": bound, "routes.yaml": table} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	c := exec.Command(
		binary, "doctor", "gateway", "http://"+h.proxy+path, "--key-file", filepath.Join(dir, "key"), "--routes",
		filepath.Join(dir, "routes.yaml"), "--bound-key-file", filepath.Join(dir, "bound"), "--from", "127.0.0.2",
	)
	c.Dir, c.Env = dir, append(os.Environ(), "KEYWARD_URL="+h.url, "KEYWARD_TOKEN="+h.root)
	out, _ := c.CombinedOutput()
	if strings.Contains(string(out), h.key) || strings.Contains(string(out), bound) {
		h.t.Error("the key is shown")
	}
	return c.ProcessState.ExitCode(), string(out)
}

func TestDoctorFindsNothingWrongWithTheRecipes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, _ string) {
		status, said := h.examine("/v1/calls/42")
		if status != 0 || strings.Count(said, "ok  ") != 4 || strings.Contains(said, "warn") ||
			!strings.Contains(said, "says the client's address (127.0.0.2), and believes no forged one") {
			t.Errorf("status %d:\n%s", status, said)
		}
		if status, said := h.examine("/status"); status != 0 || !strings.Contains(said, "makes GET /status public") {
			t.Errorf("a public route: status %d:\n%s", status, said)
		}
	})
}

// A proxy that appends the client's address says it as well as one that sets it; one that says nothing has the server
// see the proxy.
func TestDoctorKnowsAnAppendedAddressFromNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		value  string
		status int
		says   string
	}{
		"appended": {"$proxy_add_x_forwarded_for", 0, "says the client's address (127.0.0.2), and believes no forged one"},
		"none": {`""`, 1,
			"has the server take no address for the client's address, and this machine asks from 127.0.0.2"},
		"another": {`"203.0.113.9"`, 1, "has the server take 203.0.113.9"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(
				t, "nginx",
				nginxBut(`(proxy_set_header X-Forwarded-For +)\$remote_addr;`, "${1}"+strings.ReplaceAll(c.value, "$", "$$")+";"),
			)
			if status, said := h.examine("/v1/calls/42"); status != c.status || !strings.Contains(said, c.says) {
				t.Errorf("status %d:\n%s", status, said)
			}
		})
	}
}

// nginxWithout starts nginx with the recipe but for the lines that match.
func nginxWithout(lines string) func(t *testing.T, dir, listen string) *process {
	return nginxBut(`(?m)^.*(?:`+lines+`).*;.*$`, "")
}

// nginxBut starts nginx with the recipe and replacements in it.
func nginxBut(expression, replacement string) func(t *testing.T, dir, listen string) *process {
	return func(t *testing.T, dir, listen string) *process {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(dir, "*.conf"))
		if err != nil {
			t.Fatal(err)
		}
		changed := false
		for _, file := range files {
			conf, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			other := regexp.MustCompile(expression).ReplaceAll(conf, []byte(replacement))
			changed = changed || string(other) != string(conf)
			if err := os.WriteFile(file, other, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if !changed {
			t.Fatalf("nothing in the recipe matches %s", expression)
		}
		return nginx(t, dir, listen)
	}
}

func TestDoctorFindsWhatAProxyDoesNotSay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ without, says string }{
		"for which request it asks": {`proxy_set_header +X-(Original|Forwarded)-(Method|URI|Uri)`,
			"answers 403 with the key, although the route table has a rule for GET /v1/calls/42"},
		"what clients say of it": {`proxy_set_header +X-(Original|Forwarded)-(Method|URI|Uri)`,
			"each client chooses what is asked about it"},
		"from where it was asked": {`proxy_set_header +X-Forwarded-For`,
			"answers 200 to a client that says X-Forwarded-For: 192.0.2.1 itself"},
		"anything at all": {`auth_request `, "asks nobody whether the request may pass"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, "nginx", nginxWithout(c.without))
			if status, said := h.examine("/v1/calls/42"); status != 1 || !strings.Contains(said, c.says) {
				t.Errorf("status %d:\n%s", status, said)
			}
		})
	}
}
