package acceptance_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/rig"
)

// What operators do to the files of a server out of habit: what they read, and what becomes of the data.

// company makes a workspace with a member and a key, and gives its value.
func company(t *testing.T, p *process) (ws, value string) {
	t.Helper()
	made := p.result(t, "POST", "/api/v2/workspaces", "", `{"name":"W","owner":{"userId":"ana","email":"ana@acme.test"}}`)
	ws = text(object(made["workspace"])["id"])
	return ws, keyOf(t, p, ws, "first")
}

func keyOf(t *testing.T, p *process, ws, name string) string {
	t.Helper()
	return text(
		p.result(t, "POST", "/api/v2/api-keys", "", `{"workspaceId":"`+ws+`","userId":"ana","name":"`+name+`"}`)["key"],
	)
}

// refused starts a server that must end by itself, as another user where uid is above 0, and gives what it says.
func (p *process) refused(t *testing.T, program string, uid uint32, settings ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, program, "serve")
	c.Env = p.environment(
		append(settings, "KEYWARD_ROOT_KEY="+p.root, "KEYWARD_ADDR=127.0.0.1:0", "KEYWARD_LOG_FORMAT=json")...,
	)
	if uid > 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	out, err := c.CombinedOutput()
	if err == nil || ctx.Err() != nil {
		t.Fatalf("it is not refused: %s", out)
	}
	return string(out)
}

// T102: a log of changes that is removed after a crash held revocations. The start is refused, and goes on when the log
// is back.
func TestT102ALogThatWasRemovedAfterACrashIsMissed(t *testing.T) {
	t.Parallel()
	for what, take := range map[string]func(log string) error{
		"removed": func(log string) error { return os.Rename(log, log+".away") },
		"emptied": func(log string) error {
			all, err := os.ReadFile(log)
			if err == nil {
				err = os.WriteFile(log+".away", all, 0o600)
			}
			if err == nil {
				err = os.Truncate(log, 0)
			}
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			ws, value := company(t, p)
			p.stop(t) // so that the key is in the file
			p = p.again(t)
			listed := list(p.result(t, "GET", "/api/v2/api-keys?workspaceId="+ws, "", "")["apiKeys"])
			p.result(t, "DELETE", "/api/v2/api-keys/"+text(object(listed[0])["id"]), "", "")
			if code := p.verdict(t, value); code != "NOT_FOUND" {
				t.Fatalf("a deleted key is %s", code)
			}
			time.Sleep(2500 * time.Millisecond) // a look each second notes how long the log is
			p.kill(t)
			log := filepath.Join(p.dir, "keyward.db-wal")
			if err := take(log); err != nil {
				t.Fatal(err)
			}
			said := p.refused(t, binary, 0)
			if !strings.Contains(said, "keyward.db-wal is missing or empty") || !strings.Contains(said, "put it back") {
				t.Errorf("it says %s", said)
			}
			if err := os.Rename(log+".away", log); err != nil {
				t.Fatal(err)
			}
			p = p.again(t)
			if code := p.verdict(t, value); code != "NOT_FOUND" {
				t.Errorf("the deleted key is %s", code)
			}
			// A server that was stopped in order leaves no log, and one that another program has folded is not missed.
			p.stop(t)
			p = p.again(t)
			time.Sleep(1500 * time.Millisecond)
			keyOf(t, p, ws, "second")
			time.Sleep(1500 * time.Millisecond)
			p.kill(t)
			if _, err := p.keyward(t.Context(), "logs", "verify"); err != nil {
				t.Error(err)
			}
			p = p.again(t)
			p.stop(t)
		})
	}
}

// A log that is cut under a running server gets holes by the next commit, and the whole database would be lost.
func TestT101ALogThatIsCutUnderAServerLosesNothingOfTheDatabase(t *testing.T) {
	t.Parallel()
	p := start(t)
	ws, value := company(t, p)
	p.stop(t)
	p = p.again(t)
	keyOf(t, p, ws, "second")
	if err := os.Truncate(filepath.Join(p.dir, "keyward.db-wal"), 0); err != nil {
		t.Fatal(err)
	}
	made := `{"workspaceId":"` + ws + `","userId":"ana","name":"late"}`
	r, err := http.NewRequest(http.MethodPost, p.url+"/api/v2/api-keys", strings.NewReader(made))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.root)
	r.Header.Set("Content-Type", "application/json")
	answer, err := plain.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a change is answered %d %s", answer.StatusCode, body)
	}
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if err := os.Remove(filepath.Join(p.dir, "keyward.db.lock")); err != nil { // as the refusal says
		t.Fatal(err)
	}
	p = p.again(t)
	if code := p.verdict(t, value); code != "VALID" {
		t.Errorf("what was in the file before is %s", code)
	}
}

// A command that was run as root leaves files that the service cannot open. The line names the file and the remedy.
func TestFilesOfAnotherUserAreNamed(t *testing.T) {
	t.Parallel()
	const other = 54321
	if os.Getuid() != 0 {
		t.Fatal("run the tests as root, as CI does: this one starts a server as another user")
	}
	dir, err := os.MkdirTemp("", "keyward-owner-") // that the other user can enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "keyward")
	if err := os.WriteFile(mine, program, 0o755); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	p := startOn(t, "sqlite:"+filepath.Join(data, "keyward.db"), data)
	p.stop(t)
	own := func(path string, uid int) {
		t.Helper()
		if err := os.Chown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	own(data, other)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keyward.db", "keyward.db.lock"} {
		own(filepath.Join(data, name), other)
	}
	for _, name := range []string{"keyward.db", "keyward.db.lock", "keyward.db-wal", "keyward.db-shm"} {
		path := filepath.Join(data, name)
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		own(path, 0)
		said := p.refused(t, mine, other)
		if !strings.Contains(said, path) || name != "keyward.db" && !strings.Contains(said, "chown") {
			t.Errorf("%s of root: it says %s", name, said)
		}
		own(path, other)
	}
	own(data, 0)
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if said := p.refused(t, mine, other); !strings.Contains(said, "files cannot be made beside the database") {
		t.Errorf("a folder of root: it says %s", said)
	}
}

// A look at the database of another program leaves nothing beside it.
func TestT102ALookAtAStrangersDatabaseLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "songs.db")
	out, err := exec.Command(
		"python3", "-c", "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('CREATE VIEW v AS SELECT 1')",
		path,
	).CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{root: mintedRoot(t), dir: dir, database: "sqlite:" + path, output: &rig.Output{}}
	for _, args := range [][]string{
		{"doctor"}, {"backup", filepath.Join(t.TempDir(), "b.db")}, {"migrate"}, {"logs", "verify"},
		{"time", "reset", "--yes"},
		{"restore", path, "--confirm", "--force"}, {"backup", "--verify", path},
		{"logs", "archive", "--before", "1d", "--to", filepath.Join(t.TempDir(), "a.ndjson")},
	} {
		if out, err := p.keyward(t.Context(), args...); err == nil {
			t.Errorf("%s passes: %s", strings.Join(args, " "), out)
		}
		after, err := os.ReadFile(path)
		entries, _ := os.ReadDir(dir)
		if err != nil || !bytes.Equal(before, after) || len(entries) != 1 {
			t.Errorf("%s: the file is another, or %v lies there", strings.Join(args, " "), entries)
		}
	}
}
