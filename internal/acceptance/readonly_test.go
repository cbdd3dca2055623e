package acceptance_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/rig"
)

// refusing has the system refuse each write of a server to its log of changes and to its lock with an error, as a file
// system does that has become read-only, or a quota that is used up. heal ends that.
func (p *process) refusing(t *testing.T, code string) (heal func()) {
	t.Helper()
	file := filepath.Join(p.dir, "keyward.db")
	tracer := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-P", file+"-wal", "-P", file+".lock",
		"-e", "trace=pwrite64", "-e", "inject=pwrite64:error="+code, "-p", strconv.Itoa(p.command.Process.Pid))
	var said bytes.Buffer
	tracer.Stderr = &said
	must(t, tracer.Start())
	healed := false
	heal = func() {
		healed = true
		_ = tracer.Process.Signal(os.Interrupt) // it lets go of the server
		_ = tracer.Wait()
	}
	t.Cleanup(func() {
		if !healed { // an interrupt may have strace wait for ever for a server that has ended
			_ = tracer.Process.Kill()
			_ = tracer.Wait()
		}
	})
	rig.WaitFor(t, "strace to hold the server", func() error {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.command.Process.Pid))
		if err != nil || len(tasks) == 0 {
			return errors.Join(err, errors.New("no threads"))
		}
		for _, task := range tasks {
			text, err := os.ReadFile(task)
			if err == nil && strings.Contains(string(text), "TracerPid:\t0\n") {
				return fmt.Errorf("%s is free: %s", task, said.String())
			}
		}
		return nil
	})
	return heal
}

// A disk that takes no writes for a while refuses changes, serves verifications, says so, and heals.
func TestT82ADiskThatTakesNoWritesRefusesChangesAndHeals(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("not root, who alone may trace a process that is no child")
		return
	}
	for code, want := range map[string]struct{ storage, says string }{
		"EROFS":  {"read_only", "storage is read-only: nothing was changed"},
		"EDQUOT": {"full", "storage is full: nothing was changed"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			ws, value := company(t, p)
			heal := p.refusing(t, code)
			made := `{"workspaceId":"` + ws + `","userId":"ana","name":"refused"}`
			for range 3 {
				status, body := p.ask(t, "POST", "/api/v2/api-keys", made)
				if status != 503 || !strings.Contains(body, `"code":"unavailable"`) || !strings.Contains(body, want.says) {
					t.Fatalf("a change is answered %d %s", status, body)
				}
			}
			if got := p.verdict(t, value); got != "VALID" {
				t.Errorf("the key is %s", got)
			}
			at := strings.TrimPrefix(p.url, "http://")
			answers(t, at, "/readyz", 200, `"status":"degraded"`)
			answers(t, at, "/readyz", 200, `"storage":"`+want.storage+`"`)
			heal()
			answers(t, at, "/readyz", 200, `"status":"ready"`) // by itself
			second := keyOf(t, p, ws, "second")
			for _, v := range []string{value, second} {
				if got := p.verdict(t, v); got != "VALID" {
					t.Errorf("afterwards a key is %s", got)
				}
			}
			p.stop(t)
			if _, err := p.keyward(t.Context(), "logs", "verify"); err != nil {
				t.Error(err)
			}
		})
	}
}

// ask sends a request as the root key, and gives the status and the body of the answer.
func (p *process) ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+p.root)
	r.Header.Set("Content-Type", "application/json")
	answer, err := plain.Do(r)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer.StatusCode, string(text)
}
