package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/store"
)

// A start on a full disk that cannot serve says in one line what to free, leaves the database as it was, and goes on
// once there is room: where a migration is pending, and where nothing is reserved for the index of the log.
func TestAStartOnAFullDiskSaysWhatToFree(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("not root, who alone may mount a small file system")
		return
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m,mode=700"); err != nil {
		t.Fatalf("mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		// Detached, because a child that another test forks at this moment has the files open until it runs its program.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "keyward.db")
	all, err := steps(migrations)
	if err != nil {
		t.Fatal(err)
	}
	before := all[:len(all)-1]
	d := mustOpen(t, path)
	if err := d.migrate(t.Context(), time.Now(), before); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	ballast := filepath.Join(dir, "ballast")
	d = mustOpen(t, path)
	fill(t, ballast)
	err = d.migrate(t.Context(), time.Now(), all)
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("a migration on a full disk: %v", err)
	}
	for _, word := range []string{path, "make room", "Nothing was changed"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the line lacks %q: %v", word, err)
		}
	}
	has := func(version int) (there bool) {
		if err := d.Read(t.Context(), func(q store.SQL) (err error) {
			there, err = applied(t.Context(), q, version)
			return err
		}); err != nil {
			t.Error(err)
		}
		return there
	}
	if newest := all[len(all)-1].version; has(newest) || !has(before[len(before)-1].version) {
		t.Error("the migration is half done")
	}
	_ = d.Close()

	if err := os.Truncate(path+lockSuffix, 0); err != nil {
		t.Fatal(err)
	}
	fill(t, ballast)
	if d, err = Open(path, Options{Lock: true}); err == nil {
		t.Fatal("a start without room for the index of the log reads the database")
	}
	if text := err.Error(); !strings.Contains(text, "free 64 KiB at least on the disk of "+path) ||
		strings.Contains(text, "\n") {
		t.Errorf("without a reserve: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	d = mustOpen(t, path)
	if err := d.Migrate(context.Background(), time.Now()); err != nil {
		t.Errorf("once there is room: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func mustOpen(t *testing.T, path string) *Driver {
	t.Helper()
	d, err := Open(path, Options{Lock: true})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// fill takes the last byte of the file system that a file lies on.
func fill(t *testing.T, ballast string) {
	t.Helper()
	f, err := os.OpenFile(ballast, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	_ = f.Close()
}
