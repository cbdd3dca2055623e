package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyward/keyward/keywardtest"
)

// Beside a server each command for a database either works, or says that the server is to be stopped first. None
// changes anything then.
func TestEachCommandForADatabaseBesideItsServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url := "sqlite:" + filepath.Join(dir, "keyward.db")
	_ = keywardtest.New(t, keywardtest.WithDatabase(filepath.Join(dir, "keyward.db")))
	backup := filepath.Join(dir, "backup.db")
	for _, c := range []struct {
		words []string
		works bool
	}{
		{[]string{"backup", backup}, true},
		{[]string{"backup", "--verify", backup}, true},
		{[]string{"backup", "--record"}, true},
		{[]string{"logs", "verify"}, true},
		{[]string{"time", "reset", "--yes"}, false},
		{[]string{"logs", "archive", "--before=1d", "--to=" + filepath.Join(dir, "archive.ndjson")}, false},
		{[]string{"migrate"}, false},
		{[]string{"restore", backup, "--force", "--confirm"}, false},
		{[]string{"serve", "--addr=127.0.0.1:0"}, false},
	} {
		code, _, errs := run(t, "", append(c.words, "--database-url="+url)...)
		refused := code != 0 && strings.HasSuffix(errs, "another process is using it: stop the server first\n")
		if c.works && code != 0 || !c.works && !refused {
			t.Errorf("%v: status %d, %s", c.words, code, errs)
		}
	}
}

// A database that is not there, because its name was mistyped or its volume is not mounted, is named by every command
// for one that exists. Nothing is made in its place: an empty file would keep a later first start from its work.
func TestNoCommandMakesADatabaseOfAWrongName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "in", "keyward.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{
		{"backup", filepath.Join(dir, "backup.db")},
		{"backup", "--record"},
		{"logs", "verify"},
		{"time", "reset", "--yes"},
		{"logs", "archive", "--before=1d", "--to=" + filepath.Join(dir, "archive.ndjson")},
	} {
		code, _, errs := run(t, "", append(words, "--database-url=sqlite:"+path)...)
		if code == 0 || !strings.Contains(errs, "there is no database at "+path) {
			t.Errorf("%v: status %d, %s", words, code, errs)
		}
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
			t.Fatalf("%v made %v, %v", words, left, err)
		}
	}
}

// A backup that cannot be written names the remedy.
func TestABackupThatCannotBeWrittenNamesTheRemedy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url := "--database-url=sqlite:" + filepath.Join(dir, "keyward.db")
	if code, _, errs := run(t, "", "migrate", url); code != 0 {
		t.Fatal(errs)
	}
	there := filepath.Join(dir, "there.db")
	if err := os.WriteFile(there, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]string{
		dir:                                     "is a folder: name a file in it",
		there:                                   "exists already, and is not written over: name another file",
		filepath.Join(dir, "none", "backup.db"): "is not there: make it",
	} {
		if code, _, errs := run(t, "", "backup", to, url); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: status %d, %s, want %q", to, code, errs, want)
		}
	}
	if text, err := os.ReadFile(there); err != nil || string(text) != "kept" {
		t.Errorf("%s: %q, %v", there, text, err)
	}
}

// A file that is no backup is named itself, and not by the private copy that was looked at.
func TestAFileThatIsNoBackupIsNamedByItsOwnPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"text.db": strings.Repeat("no database at all\n", 500), "short.db": "x", "empty.db": "",
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, words := range [][]string{
			{"restore", file, "--confirm", "--database-url=sqlite:" + filepath.Join(dir, "keyward.db")},
			{"backup", "--verify", file, "--database-url=sqlite:" + filepath.Join(dir, "keyward.db")},
		} {
			code, _, errs := run(t, "", words...)
			if code != 1 || !strings.Contains(errs, file) || strings.Contains(errs, "keyward-restore-") ||
				strings.Contains(errs, "keyward-drill-") || !strings.Contains(errs, ": name a") || strings.Count(errs, "\n") != 1 {
				t.Errorf("%v: status %d, %s", words, code, errs)
			}
		}
	}
}
