package main_test

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

var (
	task = regexp.MustCompile("(?s)<!-- task -->\n```sh\n(.*?)```")
	// indented finds a command in a block of the older form.
	indented = regexp.MustCompile("(?m)^ {4,}(?:keyward|openssl|PGPASSWORD=|curl|kill|systemctl) .*$")
	inside   = regexp.MustCompile("(?s)(<!-- [a-z]+ -->\n)?```sh\n(.*?)```")
)

// elsewhere are the blocks of commands of the page that are run by other tests, each by its first word and why.
var elsewhere = map[string]string{
	"keyward logs archive": "needs events of an earlier day",
	"openssl genpkey":      "signs an archive, which needs events of an earlier day",
	"KEYWARD_ROOT_KEY=":    "is a file of settings, not a command",
}

// The tasks of the page for operators do what they say, one after the other in one shell, against the binary that is
// built.
func TestTheTasksOfOperatorsWorkAsTheyStand(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range inside.FindAllSubmatch(page, -1) {
		known := string(m[1]) == "<!-- task -->\n"
		for begins := range elsewhere {
			known = known || strings.HasPrefix(string(m[2]), begins)
		}
		if !known {
			t.Errorf("a block of commands is run by no test: mark it as a task\n%s", m[2])
		}
	}
	if m := indented.Find(task.ReplaceAll(page, nil)); m != nil {
		t.Errorf("a command stands outside of the blocks that are run: %s", m)
	}
	blocks := task.FindAllSubmatch(page, -1)
	if len(blocks) < 12 {
		t.Fatalf("the page has %d tasks", len(blocks))
	}
	script := "set -euo pipefail\n"
	for _, b := range blocks {
		script += string(b[1])
	}
	database, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	first := fmt.Sprintf("127.0.0.1:%d", rig.FreePort(t))
	script = strings.NewReplacer("127.0.0.1:8080", first, "127.0.0.1:8090", fmt.Sprintf("127.0.0.1:%d", rig.FreePort(t)),
		"127.0.0.1:8091", fmt.Sprintf("127.0.0.1:%d", rig.FreePort(t)),
		"postgres://keyward@db.internal/keyward?sslmode=verify-full", database.String()).Replace(script)
	bin := build(t)
	dir := t.TempDir()
	cmd := exec.Command("timeout", "300", "bash", "-c", script)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = []string{
		"PATH=" + filepath.Dir(bin) + ":" + os.Getenv("PATH"), "HOME=" + dir, "KEYWARD_ADDR=" + first,
		"KEYWARD_URL=http://" + first,
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the server that is up at the end
	if err != nil && !strings.Contains(err.Error(), "WaitDelay") {
		log, _ := os.ReadFile(filepath.Join(dir, "keyward.log"))
		t.Fatalf("%v\n%s\nthe log:\n%s", err, out.Bytes(), log)
	}
	for _, want := range []string{" is ready\n", "max-age=31536000", "the certificate was read again",
		"INSUFFICIENT_PERMISSIONS", "IP_FORBIDDEN", "DISABLED", "VALID",
		"102 permissions", "invoices:read", "keyward_replica_ready 1", `"status":"ready"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.Bytes())
		}
	}
}
