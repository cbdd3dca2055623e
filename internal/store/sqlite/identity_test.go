package sqlite_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// serving starts a child that has written a key to path and goes on, and returns a function that ends it.
func serving(t *testing.T, path string) (kill func()) {
	t.Helper()
	cmd := command(t, path, 1, 1<<30)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = out.WriteTo(new(strings.Builder)) }()
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// refused opens a file as its server and wants an error that says so.
func refused(t *testing.T, what, path, want string) {
	t.Helper()
	d, err := sqlite.Open(path, sqlite.Options{Lock: true})
	if err == nil {
		_ = d.Close()
	}
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: %v, want one line with %q", what, err, want)
	}
}

func TestT101EveryWayToAFileLeadsToItsOneServer(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "keyward.db")
	kill := serving(t, path)
	defer kill()
	links := map[string]func(to string) error{
		"a link to the file":   func(to string) error { return os.Symlink(path, to) },
		"another hard link":    func(to string) error { return os.Link(path, to) },
		"a link to the folder": func(to string) error { return os.Symlink(dir, filepath.Dir(to)) },
		"a link to a link": func(to string) error {
			return errors.Join(os.Symlink(path, to+"2"), os.Symlink(to+"2", to))
		},
		"the same name without its .lock": func(string) error { return os.Remove(path + ".lock") },
	}
	n := 0
	for what, link := range links {
		n++
		other := filepath.Join(elsewhere, fmt.Sprint("other", n), "keyward.db")
		if what != "a link to the folder" {
			if err := os.MkdirAll(filepath.Dir(other), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := link(other); err != nil {
			t.Fatal(err)
		}
		if what == "the same name without its .lock" {
			other = path
		}
		if _, err := sqlite.Open(other, sqlite.Options{Lock: true}); !errors.Is(err, sqlite.ErrLocked) {
			t.Errorf("a second server by %s: %v", what, err)
		}
		if _, err := sqlite.Lock(other); !errors.Is(err, sqlite.ErrLocked) {
			t.Errorf("its replacement by %s: %v", what, err)
		}
		if what == "another hard link" {
			_ = os.Remove(other)
		}
	}
}

func TestT101AMountOfTheFileAloneIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("not root, who alone may mount: TestT101ThePlaceIsJudgedByTheTableOfMounts stands for this one")
		return
	}
	path, other := filepath.Join(t.TempDir(), "keyward.db"), filepath.Join(t.TempDir(), "keyward.db")
	if err := start(t, open(t, path)).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(path, other, "", syscall.MS_BIND, ""); err != nil {
		t.Fatalf("bind the file: %v", err)
	}
	t.Cleanup(func() {
		// Detached, because a child that another test forks at this moment has the files open until it runs its program.
		if err := syscall.Unmount(other, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	refused(t, "a mount of a single file", other, "mount the folder, not the file")
	if entries, err := os.ReadDir(filepath.Dir(other)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v: something was made beside the mount", entries, err)
	}
}

func TestT101ASecondNameIsRefusedAtTheStartAndNamedLater(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyward.db")
	d := open(t, path)
	db := start(t, d)
	if err := os.Link(path, path+".copy"); err != nil {
		t.Fatal(err)
	}
	if names, err := db.Look(t.Context()); names != 2 || err != nil {
		t.Errorf("a look: %d names, %v", names, err)
	}
	if err := errors.Join(settle(db), db.Close()); err != nil {
		t.Errorf("a backup by hard links stops the server: %v", err)
	}
	refused(t, "a second name", path, "2 names (hard links)")
}

// detachments are operators' actions on files beneath a server.
var detachments = map[string]func(t *testing.T, path string) error{
	"moved":             func(_ *testing.T, path string) error { return os.Rename(path, path+".moved") },
	"removed":           func(_ *testing.T, path string) error { return os.Remove(path) },
	"its log removed":   func(_ *testing.T, path string) error { return os.Remove(path + "-wal") },
	"its index removed": func(_ *testing.T, path string) error { return os.Remove(path + "-shm") },
	"replaced by a copy": func(t *testing.T, path string) error {
		run(t, "cp", path, path+".new")
		return os.Rename(path+".new", path)
	},
	"its folder moved": func(_ *testing.T, path string) error {
		return os.Rename(filepath.Dir(path), filepath.Dir(path)+".moved")
	},
	"cut short":         func(_ *testing.T, path string) error { return os.Truncate(path, 4096) },
	"its log cut short": func(_ *testing.T, path string) error { return os.Truncate(path+"-wal", 4096) },
	"its log emptied":   func(_ *testing.T, path string) error { return os.Truncate(path+"-wal", 0) },
	"its log written over": func(t *testing.T, path string) error {
		noise := filepath.Join(t.TempDir(), "noise")
		if err := os.WriteFile(noise, bytes.Repeat([]byte{1}, 1<<20), 0o600); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond) // the clock of the file system is coarse
		run(t, "cp", noise, path+"-wal")
		return nil
	},
	"written over": func(t *testing.T, path string) error {
		other := filepath.Join(t.TempDir(), "other.db")
		if err := start(t, open(t, other)).Close(); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond) // the clock of the file system is coarse
		run(t, "cp", other, path)
		return nil
	},
}

func run(t *testing.T, words ...string) {
	t.Helper()
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", words, err, out)
	}
}

func TestT101NothingIsAcknowledgedOnceThePathLeadsElsewhere(t *testing.T) {
	t.Parallel()
	for what, do := range detachments {
		for _, finder := range []string{"the next commit", "a look"} {
			t.Run(what+", found by "+finder, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "in", "keyward.db")
				if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				db := start(t, open(t, path))
				told := 0
				db.OnDetached(func(error) { told++ })
				for i := range 20 {
					if err := errors.Join(settle(db), insert(db, id.Key(fmt.Sprint("k", i)), strings.Repeat("x", 5000))); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := db.Look(t.Context()); err != nil {
					t.Fatalf("before: %v", err)
				}
				if err := do(t, path); err != nil {
					t.Fatal(err)
				}
				if finder == "a look" {
					if _, err := db.Look(t.Context()); !errors.Is(err, store.ErrDetached) {
						t.Errorf("a look: %v, want ErrDetached", err)
					}
				}
				for range 2 {
					if err := insert(db, "late", ""); !errors.Is(err, store.ErrDetached) || !errors.Is(err, store.ErrUnavailable) {
						t.Errorf("a change: %v, want ErrDetached", err)
					}
				}
				if told != 1 {
					t.Errorf("it was told %d times", told)
				}
				_ = db.Close()
			})
		}
	}
}

func TestT101ALinkThatIsTurnedToAnotherFileIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real.db"), filepath.Join(dir, "keyward.db")
	for _, name := range []string{path, filepath.Join(dir, "other.db")} {
		if err := start(t, open(t, name)).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	db := start(t, open(t, link))
	defer db.Close()
	err := errors.Join(settle(db), os.Remove(link), os.Symlink(filepath.Join(dir, "other.db"), link))
	if err != nil {
		t.Fatal(err)
	}
	if err := insert(db, "k", ""); !errors.Is(err, store.ErrDetached) {
		t.Errorf("%v, want ErrDetached", err)
	}
}

func TestT101ACommitThatMeetsTheMoveIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyward.db")
	d := open(t, path)
	defer d.Close()
	db := start(t, d)
	if err := settle(db); err != nil {
		t.Fatal(err)
	}
	_, err := db.Update(context.Background(), func(tx *store.Tx) error {
		if err := os.Rename(path, path+".moved"); err != nil {
			return err
		}
		w, err := tx.Workspace(workspace)
		if err != nil {
			return err
		}
		w.Name = "late"
		return errors.Join(tx.PutWorkspace(w), tx.Record(eventOf("late")))
	})
	if !errors.Is(err, store.ErrDetached) {
		t.Errorf("%v, want ErrDetached", err)
	}
}

// sqlite3 runs a statement as another program does, in a process of its own.
func sqlite3(t *testing.T, path, script string) {
	t.Helper()
	run(
		t, "python3", "-c",
		"import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.executescript(sys.argv[2])", path,
		script,
	)
}

func TestT101ACommitOfAnotherProcessHasEverythingReadAnew(t *testing.T) {
	t.Parallel()
	for _, finder := range []string{"the next commit", "a look"} {
		path := filepath.Join(t.TempDir(), "keyward.db")
		db := start(t, open(t, path))
		told := 0
		db.OnAnotherHistory(func() { told++ })
		if err := errors.Join(settle(db), insert(db, "k1", "")); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Look(t.Context()); err != nil || told != 0 {
			t.Fatalf("before: told %d times, %v", told, err)
		}
		sqlite3(t, path, "UPDATE api_keys SET is_active = 0")
		var err error
		if finder == "a look" {
			_, err = db.Look(t.Context())
		} else {
			err = insert(db, "k2", "")
		}
		if err != nil || told != 1 {
			t.Errorf("%s: told %d times, %v", finder, told, err)
		}
		if _, err := db.Look(t.Context()); err != nil || told != 1 {
			t.Errorf("%s, and afterwards: told %d times, %v", finder, told, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestALockOfAnotherProgramIsAnAnswerWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyward.db")
	db := start(t, open(t, path))
	defer db.Close()
	if err := settle(db); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", "-c", "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"+
		"c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()", path)
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	answers := make(chan error)
	const callers = 5
	for i := range callers {
		go func() { answers <- insert(db, id.Key(fmt.Sprint("k", i)), "") }()
	}
	for range callers {
		if err := <-answers; !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%v, want ErrUnavailable", err)
		}
	}
	// Callers that arrived while the first waited are answered with it; one that arrived a moment later waits once
	// more.
	if took := time.Since(began); took > 2*1500*time.Millisecond+time.Second {
		t.Errorf("the answers took %s", took)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
	if err := insert(db, "after", ""); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

func TestT102NotThereIsNotNew(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		do   func(path string) error
		want string
		init bool // --init has it made
	}{
		"removed, and the log is there": {func(p string) error { return os.Remove(p) },
			"its log of changes keyward.db-wal is there", false},
		"emptied, and the log is there": {func(p string) error { return os.Truncate(p, 0) },
			"its log of changes keyward.db-wal is there", false},
		"removed, and the lock is there": {func(p string) error {
			return errors.Join(os.Remove(p), os.Remove(p+"-wal"), os.Remove(p+"-shm"))
		}, "keyward.db.lock", true},
		"emptied, and the lock is there": {func(p string) error {
			return errors.Join(os.Truncate(p, 0), os.Remove(p+"-wal"), os.Remove(p+"-shm"))
		}, "keyward.db.lock", true},
		"moved aside": {func(p string) error {
			return errors.Join(os.Rename(p, p+".old"), os.Remove(p+".lock"), os.Remove(p+"-wal"), os.Remove(p+"-shm"))
		}, "keyward.db.old", true},
		"cut short": {func(p string) error {
			return errors.Join(os.Truncate(p, 8192), os.Remove(p+"-wal"))
		}, "is cut short", false},
		"cut short, and the log is there": {func(p string) error { return os.Truncate(p, 8192) }, "is cut short", false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "keyward.db")
			if err := start(t, open(t, path)).Close(); err != nil { // so that the file holds something
				t.Fatal(err)
			}
			serving(t, path)() // killed, so that the log is left
			if err := c.do(path); err != nil {
				t.Fatal(err)
			}
			before := contents(t, filepath.Dir(path))
			refused(t, what, path, c.want)
			if after := contents(t, filepath.Dir(path)); after != before {
				t.Errorf("the refusal changed the folder:\n%s\nafter:\n%s", before, after)
			}
			d, err := sqlite.Open(path, sqlite.Options{Lock: true, Init: true})
			if (err == nil) != c.init {
				t.Errorf("with --init: %v", err)
			}
			if err == nil {
				_ = d.Close()
			}
		})
	}
	dangling := filepath.Join(t.TempDir(), "keyward.db")
	if err := os.Symlink(filepath.Join(t.TempDir(), "nowhere"), dangling); err != nil {
		t.Fatal(err)
	}
	refused(t, "a link that leads nowhere", dangling, "leads nowhere")
}

func TestT102ALogThatBelongsToAnotherFileIsNotApplied(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyward.db")
	db := start(t, open(t, path))
	copied := path + ".backup"
	if err := errors.Join(settle(db), db.Backup(t.Context(), copied), db.Close()); err != nil {
		t.Fatal(err)
	}
	serving(t, path)()
	whole := filepath.Join(t.TempDir(), "all")
	run(t, "cp", "-a", filepath.Dir(path), whole)
	if err := errors.Join(start(t, open(t, filepath.Join(whole, "keyward.db"))).Close()); err != nil {
		t.Errorf("a copy of the whole folder: %v", err)
	}
	if err := os.Rename(copied, path); err != nil {
		t.Fatal(err)
	}
	refused(t, "a backup put in place beside the log of the database before", path, "belongs to the database before")
}

// contents are the names and the sums of everything in a folder.
func contents(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %d %x\n", e.Name(), len(text), sha256.Sum256(text))
	}
	return b.String()
}

func TestT102ADatabaseOfAnotherProgramIsNeverWritten(t *testing.T) {
	t.Parallel()
	const left = "import sqlite3, sys, os\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.executescript(sys.argv[2])\nos._exit(0)"
	for what, script := range map[string]string{
		"with tables":                   "CREATE TABLE songs (name TEXT); INSERT INTO songs VALUES ('x')",
		"with a mark":                   "PRAGMA application_id = 17; VACUUM",
		"with a version":                "PRAGMA user_version = 7; VACUUM",
		"with a view alone":             "CREATE VIEW songs AS SELECT 1 AS x",
		"in write-ahead mode":           "PRAGMA journal_mode = WAL; CREATE TABLE songs (name TEXT)",
		"with a table of the same name": "CREATE TABLE schema_migrations (version TEXT); CREATE TABLE events (id INT)",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "keyward.db")
			run(t, "python3", "-c", left, path, script)
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
			_ = os.Remove(path + "-shm") // SQLite makes it anew to read
			before := contents(t, filepath.Dir(path))
			for _, o := range []sqlite.Options{{Lock: true}, {Lock: true, Init: true}, {}} {
				d, err := sqlite.Open(path, o)
				if err == nil {
					_ = d.Close()
				}
				if err == nil || !strings.Contains(err.Error(), "belongs to another program") {
					t.Errorf("%+v: %v", o, err)
				}
			}
			_ = os.Remove(path + "-shm")
			if after := contents(t, filepath.Dir(path)); after != before {
				t.Errorf("it was changed:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

func TestADatabaseOfBeforeTheMarkIsKnownByItsTables(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyward.db")
	if err := start(t, open(t, path)).Close(); err != nil {
		t.Fatal(err)
	}
	sqlite3(
		t, path, "PRAGMA application_id = 0; DROP TABLE key_prefixes; DELETE FROM schema_migrations WHERE version = 13",
	)
	if err := start(t, open(t, path)).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var mark int64
	if err := db.QueryRow("PRAGMA application_id").Scan(&mark); err != nil || mark != 0x4b575244 {
		t.Errorf("the mark is %x, %v", mark, err)
	}
}

// A program that takes no lock, such as sqlite3 or a move, may begin the log of changes anew: the database is the same.
func TestT102ALogThatAnotherProgramHasBegunIsNoReasonToRefuse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyward.db")
	if err := start(t, open(t, path)).Close(); err != nil {
		t.Fatal(err)
	}
	for n := range 20 { // one of them takes the inode of the log that is gone, so that the next log has another
		if err := os.WriteFile(fmt.Sprint(path, ".inode", n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Write(t.Context(), func(q store.SQL) error {
		_, err := q.Exec(t.Context(), "CREATE TABLE scratch (a INTEGER)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	db, err := sqlite.Open(path, sqlite.Options{Lock: true})
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	_ = db.Close()
}
