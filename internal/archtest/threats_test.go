package archtest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// threats is how many rows docs/threats.md has at least: the first are numbered without a gap.
const threats = 95

var (
	row      = regexp.MustCompile(`(?m)^\| (\d+) \| .* \| (.+) \|$`)
	inName   = regexp.MustCompile(`func (?:Test|Fuzz)(\w+)`)
	number   = regexp.MustCompile(`T(\d{1,3})(?:[A-Z_]|And|$)`)
	inText   = regexp.MustCompile(`\bT(\d{1,3})\b(?:[,.;)]|: | |$)`)
	proving  = regexp.MustCompile(`(_test\.go|/(storetest|limittest)/\w+\.go|\.txtar|\.mjs)$`)
	excepted = regexp.MustCompile(`\*\*(untested|not here)\*\*`)
)

// Every threat of docs/threats.md has a test that carries its number, or says why there is none.
func TestEveryThreatHasATestOrAReason(t *testing.T) {
	t.Parallel()
	proved := proofs(t, "../..")
	page, err := os.ReadFile("../../docs/threats.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := row.FindAllStringSubmatch(string(page), -1)
	if len(rows) < threats {
		t.Fatalf("%d rows, want %d or more", len(rows), threats)
	}
	last := 0
	for i, r := range rows {
		n, err := strconv.Atoi(r[1])
		if err != nil || n <= last || i < threats && n != i+1 { // later numbers come as they are proved
			t.Errorf("row %d is numbered %s", i+1, r[1])
		}
		last = n
		switch {
		case len(proved[r[1]]) == 0 && !excepted.MatchString(r[2]):
			t.Errorf("no test carries T%s, and docs/threats.md gives no reason", r[1])
		case strings.Contains(r[2], "**not here**") && len(proved[r[1]]) > 0:
			t.Errorf("threat %s is called not here, and tested in %s", r[1], proved[r[1]])
		}
	}
}

// proofs finds the files whose tests name a threat's number.
func proofs(t *testing.T, root string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "archtest"):
			return fs.SkipDir
		case d.IsDir() || !proving.MatchString(path):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, n := range numbers(string(text)) {
			found[n] = append(found[n], path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func numbers(text string) (all []string) {
	for _, name := range inName.FindAllStringSubmatch(text, -1) {
		for rest := name[1]; ; {
			at := number.FindStringSubmatchIndex(rest)
			if at == nil {
				break
			}
			all = append(all, rest[at[2]:at[3]])
			rest = rest[at[3]:]
		}
	}
	for _, m := range inText.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}
