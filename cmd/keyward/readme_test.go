package main_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var quickstart = regexp.MustCompile("(?s)<!-- quickstart -->\n```sh\n(.*?)```")

// The README's quick start does what it says, to the letter, against the binary that it builds.
func TestTheReadmesQuickStartWorksAsItStands(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	script := "set -euo pipefail\n"
	blocks := quickstart.FindAllSubmatch(readme, -1)
	if len(blocks) < 3 {
		t.Fatalf("the README has %d blocks of the quick start", len(blocks))
	}
	for _, b := range blocks {
		script += string(b[1])
	}
	bin := build(t)
	url, root := serve(t, bin)
	cmd := exec.Command("bash", "-c", script)
	cmd.Env = append(
		os.Environ(), "PATH="+filepath.Dir(bin)+":"+os.Getenv("PATH"), "KEYWARD_URL="+url, "KEYWARD_TOKEN="+root,
	)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"\nVALID\n", "INSUFFICIENT_PERMISSIONS", "\nDISABLED\n", "api_key.created",
		`"code":"DISABLED"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "keyward")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace", "-o", bin, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// serve starts the binary on a free port over a database of its own and reads its address and its root key off what it
// prints.
func serve(t *testing.T, bin string) (url, root string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, bin, "serve")
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"KEYWARD_ADDR=127.0.0.1:0", "PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir}
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for (url == "" || root == "") && lines.Scan() {
		for word := range strings.FieldsSeq(lines.Text()) {
			switch {
			case strings.HasPrefix(word, "http://127.0.0.1:") && url == "":
				url = word
			case strings.HasPrefix(word, "kw_svc_"):
				root = word
			}
		}
	}
	if url == "" || root == "" {
		t.Fatalf("the server printed no address or no root key; its log:\n%s", log.String())
	}
	go func() {
		for lines.Scan() {
		}
	}()
	return url, root
}
