package cli_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
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

// oldLog writes events n of them, so many days ago.
func oldLog(t *testing.T, file string, n int, days int) {
	t.Helper()
	at := time.Now().AddDate(0, 0, -days)
	inLog(t, file, at, func(db *store.DB) error {
		ids := id.NewGenerator(func() time.Time { return at }, rand.Reader)
		_, err := db.Update(context.Background(), func(tx *store.Tx) error {
			for i := range n {
				err := tx.Record(audit.Event{ID: id.Event(ids.Next()), Type: audit.SessionStarted, Workspace: "w", ActorID: "ada",
					Description: fmt.Sprintf("event %d <of> \u2028 %d days", i, days), Metadata: `{"target":"<s&>","note":{"x":1.50}}`,
					Target: "<s&>"})
				if err != nil {
					return err
				}
			}
			return nil
		})
		return err
	})
}

// inLog opens a database at a time.
func inLog(t *testing.T, file string, at time.Time, fn func(*store.DB) error) {
	t.Helper()
	_, err := os.Stat(file)
	d, err := sqlite.Open(file, sqlite.Options{Lock: true, Init: err != nil})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), d, store.Options{Now: func() time.Time { return at }, Catalogue: perm.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	if err := fn(db); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// says runs a command and holds its status and words.
func says(t *testing.T, ok bool, want string, args ...string) {
	t.Helper()
	code, out, errs := run(t, "", args...)
	if (code == 0) != ok || !strings.Contains(out+errs, want) {
		t.Errorf("%s: status %d, %s%s, want %q", strings.Join(args, " "), code, out, errs, want)
	}
}

func TestT84LogIsVerifiedOverItsArchives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "keyward.db")
	url := "--database-url=sqlite:" + file
	first, second := filepath.Join(dir, "1.ndjson"), filepath.Join(dir, "2.ndjson")
	oldLog(t, file, 300, 30)
	oldLog(t, file, 20, 20)
	oldLog(t, file, 10, 1)
	says(t, true, "events 1 to 300", "logs", "archive", "--before=25d", "--to="+first, url)
	says(t, true, "events 1 to 300 are in archives", "logs", "verify", url)
	says(t, true, "331 events, each as it was written", "logs", "verify", url, "--archive="+first)
	says(t, true, "events 301 to 320", "logs", "archive", "--before=10d", "--to="+second, url)
	both := []string{"logs", "verify", url, "--archive=" + first, "--archive=" + second}
	says(t, true, "332 events, each as it was written", both...)
	says(t, false, "nothing to archive", "logs", "archive", "--before=10d", "--to="+filepath.Join(dir, "3.ndjson"), url)
	says(
		t, true, "events 301 to 320", "logs", "archive", "--before=10d", "--to="+second, url,
	) // repeated, it changes nothing
	says(t, true, "332 events", both...)
	says(
		t, false, "nothing was removed", "logs", "archive", "--before=10d", "--to="+first, url,
	) // an older archive is none of this range
	says(t, false, "name all archives", "logs", "verify", url, "--archive="+first)
	says(t, false, "name all archives", "logs", "verify", url, "--archive="+second)
	says(t, false, "name all archives", "logs", "verify", url, "--archive="+second, "--archive="+first)

	whole, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	for name, harm := range map[string]string{
		"a changed word": strings.Replace(string(whole), "event 7 ", "event 8 ", 1),
		"a space":        strings.Replace(string(whole), `{"seq":9,`, `{"seq": 9,`, 1),
		"a line less":    strings.Join(append(append([]string{}, lines[:5]...), lines[6:]...), ""),
		"cut short":      strings.Join(lines[:len(lines)-3], ""),
		"empty":          "",
	} {
		if err := os.WriteFile(first, []byte(harm), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		says(t, false, "the archive is not what was written", both...)
	}
	if err := os.WriteFile(first, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, true, "332 events", both...)
}

func TestT84StoppedArchivingIsRepeated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "keyward.db")
	url := "--database-url=sqlite:" + file
	to := filepath.Join(dir, "1.ndjson")
	oldLog(t, file, 900, 30)
	oldLog(t, file, 10, 1)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	archive := []string{"logs", "archive", "--before=25d", "--to=" + to, url}
	says(t, true, "events 1 to 900", archive...)

	// A crash after the file was written leaves the database as it was.
	for _, beside := range []string{"-wal", "-shm"} {
		if err := os.Remove(file + beside); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, before, 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, true, "910 events", "logs", "verify", url)

	// So does a file that was damaged meanwhile: its missing part would be lost.
	whole, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	harmed := map[string]string{
		"a line short": strings.Join(lines[:len(lines)-2], ""), "cut within a line": string(whole[:len(whole)-40]),
		"the header alone": lines[0],
		"half":             strings.Join(lines[:450], ""), "empty": "",
		"a line twice": strings.Join(lines[:9], "") + strings.Join(lines[8:], ""),
	}
	for at := 150; at < len(whole); at += len(whole) / 40 { // a byte here and there
		harmed[fmt.Sprintf("byte %d", at)] = string(whole[:at]) + string(whole[at]^1) + string(whole[at+1:])
	}
	for name, harm := range harmed {
		if err := os.WriteFile(to, []byte(harm), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := run(t, "", archive...); code == 0 || !strings.Contains(out+errs, "not what was written") {
			t.Errorf("%s: status %d, %s%s", name, code, out, errs)
		}
	}
	says(t, true, "910 events", "logs", "verify", url)
	if err := os.WriteFile(to, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, true, "events 1 to 900", archive...)
	says(t, true, "911 events", "logs", "verify", url, "--archive="+to)

	// A crash between two batches: some of the archived events are still there.
	second := filepath.Join(dir, "2.ndjson")
	inLog(t, file, time.Now(), func(db *store.DB) error {
		cut, err := db.LastCut(t.Context())
		if err == nil && cut.To != 900 {
			err = fmt.Errorf("cut up to %d", cut.To)
		}
		return err
	})
	oldLog(t, file, 5, 0)
	says(t, true, "events 901 to 910", "logs", "archive", "--before=0s", "--to="+second, url)
	says(t, true, "917 events", "logs", "verify", url, "--archive="+to, "--archive="+second)
}
