package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// copied makes an installation with n events and gives a copy of its database and its log, made as a server that was
// killed leaves them: the last events are in the log alone.
func copied(t *testing.T, n int) (file string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "served.db")
	d, err := sqlite.Open(path, sqlite.Options{Lock: true})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(context.Background(), d, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ids := id.NewGenerator(time.Now, rand.Reader)
	for range n {
		_, err := db.Update(context.Background(), func(tx *store.Tx) error {
			return tx.Record(audit.Event{ID: id.Event(ids.Next()), Type: audit.SessionStarted, Metadata: "{}"})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	file = filepath.Join(dir, "copy.db")
	for _, part := range []string{"", "-wal", "-shm"} {
		if out, err := exec.Command("cp", path+part, file+part).CombinedOutput(); err != nil {
			t.Fatal(err, string(out))
		}
	}
	return file
}

// restored restores a file into a folder of its own, and counts the events there.
func restored(t *testing.T, file string) (events int64, err error) {
	t.Helper()
	target := filepath.Join(t.TempDir(), "keyward.db")
	url := "sqlite:" + target
	var out bytes.Buffer
	c := restoreCmd{databaseFlags: databaseFlags{DatabaseURL: &url}, File: file, Confirm: true}
	if err := c.Run(context.Background(), &app{Streams: Streams{Out: &out, Err: &out}}); err != nil {
		if left, _ := os.ReadDir(filepath.Dir(target)); len(left) > 0 {
			t.Errorf("a refused restore left %v", left)
		}
		return 0, err
	}
	d, err := sqlite.Open(target, sqlite.Options{Lock: true})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(context.Background(), d, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	events, err = db.VerifyLog(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return events, nil
}

func sums(t *testing.T, file string) string {
	t.Helper()
	var all strings.Builder
	for _, part := range []string{"", "-wal", "-shm", "-journal", ".lock"} {
		text, err := os.ReadFile(file + part)
		if err == nil {
			fmt.Fprintf(&all, "%s %x\n", part, sha256.Sum256(text))
		} else if !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return all.String()
}

func TestT102ACopyOfTheFilesIsRestoredWithItsLogAndLeftAsItIs(t *testing.T) {
	t.Parallel()
	const n = 7
	file := copied(t, n)
	before := sums(t, file)
	if got, err := restored(t, file); err != nil || got != n {
		t.Errorf("%d events, %v, want %d", got, err, n)
	}
	if after := sums(t, file); after != before {
		t.Errorf("the source was changed:\n%s\nafter:\n%s", before, after)
	}
	if got, err := restored(t, link(t, file)); err != nil || got != n {
		t.Errorf("by a link to it: %d events, %v, want %d", got, err, n)
	}
}

func link(t *testing.T, file string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(file, name); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestT102WhatCannotBeReadWholeIsRefused(t *testing.T) {
	t.Parallel()
	edit := func(part string, change func([]byte) []byte) func(string) error {
		return func(file string) error {
			text, err := os.ReadFile(file + part)
			if err != nil {
				return err
			}
			return os.WriteFile(file+part, change(text), 0o600)
		}
	}
	for what, c := range map[string]struct {
		do   func(file string) error
		want string
	}{
		"the log's last byte is missing": {edit("-wal", func(b []byte) []byte { return b[:len(b)-1] }),
			"damaged or cut short"},
		"the log's last page is missing": {edit("-wal", func(b []byte) []byte { return b[:len(b)-4096-24] }),
			"within a change"},
		"a bit in the middle of the log": {edit("-wal", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }),
			"damaged or cut short"},
		"a bit at the beginning of the log": {edit("-wal", func(b []byte) []byte { b[9] ^= 1; return b }),
			"damaged at its beginning"},
		"the log is noise": {edit("-wal", func(b []byte) []byte { return bytes.Repeat([]byte("noise"), len(b)/5) }),
			"damaged at its beginning"},
		"the database is empty": {edit("", func([]byte) []byte { return nil }), "empty"},
		"the database is cut short, without a log": {func(f string) error {
			run := exec.Command("python3", "-c",
				"import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('pragma wal_checkpoint(truncate)')", f)
			return errors.Join(run.Run(), os.Truncate(f, 40960))
		}, "cut short"},
		"an unfinished journal": {func(f string) error {
			return os.WriteFile(f+"-journal", []byte("x"), 0o600)
		}, "-journal"},
		// it holds nothing then
		"the log is missing, the database not": {func(f string) error { return os.Remove(f + "-wal") },
			"no database of Keyward"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			file := copied(t, 9)
			if err := c.do(file); err != nil {
				t.Fatal(err)
			}
			before := sums(t, file)
			if got, err := restored(t, file); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d events, %v, want an error with %q", got, err, c.want)
			}
			if after := sums(t, file); after != before {
				t.Errorf("the source was changed")
			}
		})
	}
}
