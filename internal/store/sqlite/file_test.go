package sqlite_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// start opens the store on a driver with the real clock.
func start(t *testing.T, d store.Driver) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), d, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestEveryFileIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := start(t, open(t, filepath.Join(dir, "a ?#%b.db")))
	defer db.Close()
	if err := db.Backup(context.Background(), filepath.Join(dir, "copy")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 5 {
		t.Fatalf("%v, %v: want the database, its -wal, -shm and .lock, and the copy", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode() != fs.FileMode(0o600) {
			t.Errorf("%s has mode %v (%v)", e.Name(), info.Mode(), err)
		}
	}
}

func TestT95AFileThatEverybodyCanReadIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyward.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []fs.FileMode{0o604, 0o602, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlite.Open(path, sqlite.Options{Lock: true}); err == nil ||
			!strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
}

func TestASecondServerIsRefusedAndACopyIsNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "keyward.db")
	db := start(t, open(t, path))
	if _, err := sqlite.Open(path, sqlite.Options{Lock: true}); !errors.Is(err, sqlite.ErrLocked) {
		t.Errorf("a second server: %v, want ErrLocked", err)
	}
	beside, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(beside.Backup(context.Background(), filepath.Join(dir, "copy")), beside.Close()); err != nil {
		t.Error(err)
	}
	secret := db.Secret()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keyward.db", "copy"} {
		again := start(t, open(t, filepath.Join(dir, name)))
		if string(again.Secret()) != string(secret) {
			t.Errorf("%s is another database", name)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAFileThatIsNotThereIsMadeByAServerOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyward.db")
	if _, err := sqlite.Open(path, sqlite.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want ErrNotExist", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file was made: %v", err)
	}
}

func TestWhatIsNoDatabaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "letter.txt")
	text := strings.Repeat("Dear Sir or Madam, ", 1000)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(path, sqlite.Options{Lock: true}); err == nil {
		t.Error("a letter was opened as a database")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Error("the letter was changed")
	}
}

func TestABackupIsNotWrittenOverAFileAndTheWorkGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := start(t, open(t, filepath.Join(dir, "keyward.db")))
	defer db.Close()
	ctx, path := context.Background(), filepath.Join(dir, "copy")
	err := errors.Join(settle(db), insert(db, "k1", ""), db.Backup(ctx, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Backup(ctx, path); err == nil {
		t.Error("a backup was written over another")
	}
	if _, err := db.VerifyLog(ctx); err != nil {
		t.Error(err)
	}
	if err := insert(db, "k2", ""); err != nil {
		t.Error(err)
	}
}

func TestABackupBrokenOffLeavesNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := start(t, open(t, filepath.Join(dir, "keyward.db")))
	defer db.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := db.Backup(ctx, filepath.Join(dir, "copy")); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(filepath.Join(dir, "copy")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a copy is there: %v", err)
	}
}
