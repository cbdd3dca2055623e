package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// childCloses has the child write a key, wait for a line, and close. Its value is how many bytes the key's description
// has: 1000 pages have SQLite fold its log with the commit.
const childCloses = "KEYWARD_TEST_CHILD_CLOSES"

// childUnfolded has the child write one more key, and do nothing about the file in a quiet time.
const childUnfolded = "KEYWARD_TEST_CHILD_UNFOLDED"

// closes is the child's life. All calls of the system for Close come from one thread, so that strace can count them.
func closes(path string, bytes int) error {
	runtime.LockOSThread()
	const setPtracer, anyProcess = 0x59616d61, ^uintptr(0)
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setPtracer, anyProcess, 0)
	ctx := context.Background()
	d, err := sqlite.Open(path, sqlite.Options{Lock: true})
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, d, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
	if err != nil {
		return err
	}
	k := id.Key(ids.Next())
	if err := errors.Join(settle(db), insert(db, k, strings.Repeat("x", bytes))); err != nil {
		return err
	}
	if os.Getenv(childUnfolded) != "" {
		if err := insert(db, id.Key(ids.Next()), ""); err != nil {
			return err
		}
	} else if _, err := db.Look(ctx); err != nil {
		return err
	}
	fmt.Println("ok", k)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	return d.Close()
}

// A kill at any step of Close leaves a database that the next start takes, and a log that is removed after such a kill
// is missed where a change was in it alone.
func TestT102AKillWithinCloseIsNoMissingLog(t *testing.T) {
	t.Parallel()
	made := filepath.Join(t.TempDir(), "keyward.db")
	if err := start(t, open(t, made)).Close(); err != nil { // so that the log has few pages
		t.Fatal(err)
	}
	for what, bytes := range map[string]int{"with a log to fold": 10, "with nothing left to fold": 5 << 20} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for step := 1; ; step++ {
				path := filepath.Join(t.TempDir(), "keyward.db")
				run(t, "cp", made, path)
				key, ended := killedClosing(t, path, bytes, step)
				alone := filepath.Join(t.TempDir(), "keyward.db")
				run(t, "cp", path, alone)
				removed := filepath.Join(t.TempDir(), "wal")
				if os.Rename(path+"-wal", removed) == nil && !hasKey(t, alone, key) {
					refused(t, fmt.Sprintf("step %d, and the log removed", step), path, "is missing or empty")
				}
				if err := os.Rename(removed, path+"-wal"); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
				if !hasKey(t, path, key) {
					t.Errorf("step %d: the key was acknowledged, and is not there", step)
				}
				if ended {
					t.Logf("%d steps", step-1)
					if step < 8 {
						t.Error("want a kill at each write, sync, lock and removal")
					}
					return
				}
			}
		})
	}
}

// hasKey opens a database as its server, and tells whether it has the key.
func hasKey(t *testing.T, path string, key id.Key) bool {
	t.Helper()
	d, err := sqlite.Open(path, sqlite.Options{Lock: true})
	if err != nil {
		t.Logf("a start: %v", err)
		return false
	}
	db := start(t, d)
	defer db.Close()
	found := false
	err = db.View(t.Context(), func(v *store.View) error {
		_, err := v.Key(key)
		found = err == nil
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return found
}

// killedClosing has a child close, and kills it as it enters the call of the system with this number. ended tells that
// it closed in fewer.
func killedClosing(t *testing.T, path string, bytes, step int) (key id.Key, ended bool) {
	t.Helper()
	cmd := command(t, path, 1, 1)
	cmd.Env = append(cmd.Env, fmt.Sprint(childCloses, "=", bytes))
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the child: %v", err)
	}
	const calls = "pwrite64,write,unlink,unlinkat,ftruncate,fsync,fdatasync,flock,fcntl,close"
	tracer := exec.Command("strace", "-f", "-p", fmt.Sprint(cmd.Process.Pid), "-e", "trace="+calls, "-e",
		fmt.Sprintf("inject=%s:signal=KILL:when=%d", calls, step))
	said, err := tracer.StderrPipe()
	if err == nil {
		err = tracer.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	errs := bufio.NewReader(said)
	first, err := errs.ReadString('\n')
	if err != nil || !strings.Contains(first, "attached") {
		t.Fatalf("strace: %v, %q", err, first)
	}
	go func() { _, _ = errs.WriteTo(new(strings.Builder)) }()
	_, _ = in.Write([]byte("\n"))
	ended = cmd.Wait() == nil
	_ = tracer.Wait()
	return id.Key(strings.TrimSpace(strings.TrimPrefix(line, "ok "))), ended
}

// The removal of a log and its index after a kill is refused, also where SQLite folded an earlier part of the log a
// moment before.
func TestT102ALogOfFilesRemovedAfterAKillIsMissed(t *testing.T) {
	t.Parallel()
	for what, bytes := range map[string]int{"nothing was folded": 10, "the commit before was folded": 5 << 20} {
		path := filepath.Join(t.TempDir(), "keyward.db")
		cmd := command(t, path, 1, 1)
		cmd.Env = append(cmd.Env, fmt.Sprint(childCloses, "=", bytes), childUnfolded+"=1")
		pipe, err1 := cmd.StdoutPipe()
		in, err2 := cmd.StdinPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(pipe).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = in.Close()
		aside := filepath.Join(t.TempDir(), "wal")
		if err := errors.Join(os.Rename(path+"-wal", aside), os.Remove(path+"-shm")); err != nil {
			t.Fatal(err)
		}
		refused(t, what, path, "is missing or empty")
		if err := os.Rename(aside, path+"-wal"); err != nil {
			t.Fatal(err)
		}
		audited(t, path, nil)
	}
}
