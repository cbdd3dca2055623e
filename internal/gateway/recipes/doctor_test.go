package recipes_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// examine runs doctor against the proxy, and gives its status and what it says.
func (h *house) examine(path string) (int, string) {
	h.t.Helper()
	dir := h.t.TempDir()
	for name, content := range map[string]string{"key": h.key, "routes.yaml": table} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	c := exec.Command(binary, "doctor", "gateway", "http://"+h.proxy+path, "--key-file", filepath.Join(dir, "key"), "--routes", filepath.Join(dir, "routes.yaml"))
	c.Dir = dir
	out, _ := c.CombinedOutput()
	if strings.Contains(string(out), h.key) {
		h.t.Error("the key is shown")
	}
	return c.ProcessState.ExitCode(), string(out)
}

func TestDoctorFindsNothingWrongWithTheRecipes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house, _ string) {
		status, said := h.examine("/v1/calls/42")
		if status != 0 || strings.Count(said, "ok  ") != 3 || strings.Contains(said, "warn") {
			t.Errorf("status %d:\n%s", status, said)
		}
		if status, said := h.examine("/status"); status != 0 || !strings.Contains(said, "makes GET /status public") {
			t.Errorf("a public route: status %d:\n%s", status, said)
		}
	})
}

// nginxWithout starts nginx with the recipe but for the lines that match.
func nginxWithout(lines string) func(t *testing.T, dir, listen string) *process {
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
			left := regexp.MustCompile(`(?m)^.*(?:`+lines+`).*;.*$`).ReplaceAll(conf, nil)
			changed = changed || len(left) < len(conf)
			if err := os.WriteFile(file, left, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if !changed {
			t.Fatalf("no line of the recipe matches %s", lines)
		}
		return nginx(t, dir, listen)
	}
}

func TestDoctorFindsWhatAProxyDoesNotSay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ without, says string }{
		"for which request it asks": {`proxy_set_header +X-(Original|Forwarded)-(Method|URI|Uri)`, "answers 403 with the key, although the route table has a rule for GET /v1/calls/42"},
		"what clients say of it":    {`proxy_set_header +X-(Original|Forwarded)-(Method|URI|Uri)`, "each client chooses what is asked about it"},
		"anything at all":           {`auth_request `, "asks nobody whether the request may pass"},
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
