package sqlite_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

func TestT79WhatWasAcknowledgedSurvivesSIGKILL(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyward.db")
	var all []id.Key
	for round := range 30 {
		cmd := command(t, path, 8, 1<<30)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		enough := 1 + round*37%150
		keys := acknowledged(bufio.NewReader(pipe), func(n int) {
			if n == enough {
				_ = cmd.Process.Kill()
			}
		})
		_ = cmd.Wait()
		if len(keys) < enough {
			t.Fatalf("the child ended by itself after %d keys: %s", len(keys), &stderr)
		}
		all = append(all, keys...)
		if round%5 == 4 { // the children in between recover by themselves, and write on
			audited(t, path, all)
		}
	}
	t.Logf("%d keys were acknowledged in 30 lives", len(all))
}

// traced is a system call of the child: its name, the file or the text it is about, and whether it succeeded.
var traced = regexp.MustCompile(`^(\d+) +(?:(\w+)\((\d+)<([^>]*)>(.*)|<\.\.\. (\w+) resumed>(.*))$`)

func TestT80NobodyIsAnsweredBeforeTheDiskHasIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	cmd := command(t, filepath.Join(dir, "keyward.db"), 1, 25,
		"strace", "-f", "-y", "-o", trace, "-e", "trace=write,pwrite64,fsync,fdatasync")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	answers, synced, dirty := 0, false, false
	resumes := map[string]bool{} // threads that are inside a sync of the log
	for line := range strings.Lines(string(text)) {
		m := traced.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		thread, call, file, rest := m[1], m[2], m[4], m[5]
		if call == "" {
			call, rest = m[6], m[7]
			if !resumes[thread] {
				continue
			}
			file = "-wal"
		}
		switch isSync := call == "fsync" || call == "fdatasync"; {
		case call == "pwrite64" && strings.HasSuffix(file, "-wal"):
			synced, dirty = false, true
		case isSync && strings.HasSuffix(file, "-wal"):
			resumes[thread] = strings.Contains(rest, "unfinished")
			if strings.HasSuffix(rest, "= 0") {
				synced, dirty = true, false
			}
		case call == "write" && strings.Contains(rest, `"ok `):
			answers++
			if !synced || dirty {
				t.Errorf("answer %d came before the write-ahead log was synced", answers)
			}
			synced = false
		}
	}
	if answers != 25 {
		t.Errorf("%d answers were seen, want 25", answers)
	}
}

func TestT81AFailedFsyncEndsTheProcessAndNobodyIsToldOfSuccess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyward.db")
	cmd := command(
		t, path, 8, 1<<30, "strace", "-f", "-o", "/dev/null", "-P", path+"-wal", "-e", "trace=fsync,fdatasync", "-e",
		"inject=fsync,fdatasync:error=EIO:when=20+",
	)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != childFatal ||
		!strings.Contains(stderr.String(), "fatal: commit: "+store.ErrDurability.Error()) {
		t.Fatalf("%v, want exit code %d: %s", err, childFatal, &stderr)
	}
	audited(t, path, acknowledged(bufio.NewReader(&stdout), func(int) {}))
}

// disk is one that gets full soon, and how room is made on it again.
type disk struct {
	shrink func(t *testing.T, d *sqlite.Driver)
	grow   func(t *testing.T, d *sqlite.Driver)
}

func TestT82AFullDiskRefusesWritersServesReadersAndHeals(t *testing.T) {
	t.Parallel()
	disks := map[string]func(t *testing.T, dir string) disk{"few pages": fewPages}
	if os.Geteuid() == 0 {
		disks["small file system"] = smallFileSystem
	} else {
		t.Log("not root, who alone may mount a small file system: the limit of pages alone is tried")
	}
	for name, make := range disks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			fillAndHeal(t, filepath.Join(dir, "keyward.db"), make(t, dir))
		})
	}
}

// fewPages lets SQLite's own limit of pages stand for the disk: a statement fails, not the commit.
func fewPages(*testing.T, string) disk {
	limit := func(pages int) func(*testing.T, *sqlite.Driver) {
		return func(t *testing.T, d *sqlite.Driver) {
			err := d.Write(context.Background(), func(q store.SQL) error {
				texts(t, q, 1, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return disk{shrink: limit(200), grow: limit(1000)}
}

// smallFileSystem puts one of 2 MiB on the directory, with a file in it that can be removed: the commit fails, not a
// statement.
func smallFileSystem(t *testing.T, dir string) disk {
	mountSmall(t, dir, "2m")
	ballast := filepath.Join(dir, "ballast")
	return disk{
		shrink: func(t *testing.T, _ *sqlite.Driver) {
			if err := os.WriteFile(ballast, make([]byte, 768<<10), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		grow: func(t *testing.T, _ *sqlite.Driver) {
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func mountSmall(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
		t.Fatalf("mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		// Detached, because a child that another test forks at this moment has the files open until it runs its program.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fillUp takes the last byte of the file system that dir lies on.
func fillUp(t *testing.T, dir string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(dir, "ballast")
	f, err := os.OpenFile(ballast, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	_ = f.Close() // some file systems say here that there was no room
	return ballast
}

// A start needs an index of the log of changes, which takes room: also after a stop that has removed the last one, and
// time after time.
func TestT82AStartOnADiskThatIsFullToTheLastByteReads(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("not root, who alone may mount a small file system")
		return
	}
	for name, killed := range map[string]bool{"after a stop": false, "after a kill": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			mountSmall(t, dir, "8m")
			path := filepath.Join(dir, "keyward.db")
			keys := live(t, path)
			if !killed {
				if err := start(t, open(t, path)).Close(); err != nil {
					t.Fatal(err)
				}
			}
			ballast := ""
			for range 3 {
				ballast = fillUp(t, dir)
				db := start(t, open(t, path))
				finds(t, db, keys)
				if err := insert(db, id.Key(ids.Next()), strings.Repeat("x", 20_000)); !errors.Is(err, store.ErrFull) {
					t.Errorf("a change on a full disk: %v", err)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			}
			fillUp(t, dir)
			db := start(t, open(t, path))
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			k := id.Key(ids.Next())
			if err := insert(db, k, ""); err != nil {
				t.Errorf("once there is room: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			audited(t, path, append(keys, k))
		})
	}
}

// finds checks that every key is there.
func finds(t *testing.T, db *store.DB, keys []id.Key) {
	t.Helper()
	err := db.View(t.Context(), func(v *store.View) error {
		for _, k := range keys {
			if _, err := v.Key(k); err != nil {
				t.Errorf("key %s was acknowledged: %v", k, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("reading: %v", err)
	}
}

// live has another process write keys until it is killed.
func live(t *testing.T, path string) []id.Key {
	t.Helper()
	cmd := command(t, path, 2, 1<<30)
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	keys := acknowledged(bufio.NewReader(pipe), func(n int) {
		if n == 20 {
			_ = cmd.Process.Kill()
		}
	})
	_ = cmd.Wait()
	return keys
}

func fillAndHeal(t *testing.T, path string, on disk) {
	d := open(t, path)
	db, err := store.Open(context.Background(), d, store.Options{Now: time.Now, Catalogue: perm.Builtin(),
		Fatal: func(err error) { t.Errorf("Fatal was called: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := settle(db); err != nil {
		t.Fatal(err)
	}
	on.shrink(t, d)
	keys := fill(t, db)
	holds(t, db, len(keys))
	on.grow(t, d)
	k := id.Key(ids.Next())
	if err := insert(db, k, ""); err != nil {
		t.Errorf("once there is room: %v", err)
	}
	keys = append(keys, k)
	holds(t, db, len(keys))
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	audited(t, path, keys)
}

// holds checks that reading works and finds as many keys as were acknowledged.
func holds(t *testing.T, db *store.DB, want int) {
	t.Helper()
	err := db.View(context.Background(), func(v *store.View) error {
		got, err := v.Keys(store.KeyFilter{Workspace: workspace, User: user})
		if len(got) != want {
			t.Errorf("%d keys are there, %d were acknowledged", len(got), want)
		}
		return err
	})
	if err != nil {
		t.Errorf("reading: %v", err)
	}
}

// fill inserts keys until the disk is full, and returns the acknowledged ones.
func fill(t *testing.T, db *store.DB) (keys []id.Key) {
	t.Helper()
	for range 1000 {
		k := id.Key(ids.Next())
		err := insert(db, k, strings.Repeat("x", 20_000))
		switch {
		case errors.Is(err, store.ErrFull):
			return keys
		case err != nil:
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	t.Fatal("the disk does not get full")
	return nil
}

func BenchmarkUpdate(b *testing.B) {
	for _, writers := range []int{1, 32} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			d, err := sqlite.Open(filepath.Join(b.TempDir(), "keyward.db"), sqlite.Options{Lock: true})
			if err != nil {
				b.Fatal(err)
			}
			db, err := store.Open(context.Background(), d, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			if err := settle(db); err != nil {
				b.Fatal(err)
			}
			work := make(chan id.Key)
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for k := range work {
						if err := insert(db, k, ""); err != nil {
							b.Error(err)
						}
					}
				})
			}
			b.ResetTimer()
			for range b.N {
				work <- id.Key(ids.Next())
			}
			close(work)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "keys/s")
		})
	}
}
