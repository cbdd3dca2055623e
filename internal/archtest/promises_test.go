package archtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	promiseItem = regexp.MustCompile(`(?m)^- \*\*`)
	promiseRow  = regexp.MustCompile(`(?m)^\| (R\d+) \|.*$`)
	namedTest   = regexp.MustCompile("`([a-z][a-z0-9/]*) ((?:Test|Fuzz)\\w+)`")
	testOf      = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
)

// Every promise of SECURITY.md, and every numbered one of docs/limits.md, names a test, and each that is named is
// there.
func TestEveryPromiseNamesItsTests(t *testing.T) {
	t.Parallel()
	security, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	limits, err := os.ReadFile("../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	all := append(promisesOf(string(security)), promiseRow.FindAllString(string(limits), -1)...)
	if len(all) < 18 {
		t.Errorf("only %d promises are found", len(all))
	}
	for _, wrong := range unproved(all, testsIn(t)) {
		t.Error(wrong)
	}
}

func TestAPromiseWithoutATestIsNamed(t *testing.T) {
	t.Parallel()
	page := "## What Keyward promises\n\n- **A.** a\n  Tests: `a TestA`.\n- **B.** b `c`\n- **C.** c `a TestA`, `a TestB`\n\n## Next\n- **D.** d\n"
	got := unproved(promisesOf(page), map[string]bool{"a TestA": true})
	if len(got) != 2 || !strings.Contains(got[0], "B.") || !strings.Contains(got[1], "a TestB") {
		t.Errorf("%q", got)
	}
}

// promisesOf gives the items of the page's list of promises.
func promisesOf(page string) []string {
	_, section, _ := strings.Cut(page, "## What Keyward promises\n")
	section, _, _ = strings.Cut(section, "\n## ")
	at := promiseItem.FindAllStringIndex(section, -1)
	var all []string
	for i := range at {
		end := len(section)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		all = append(all, section[at[i][0]:end])
	}
	return all
}

// unproved names promises without a test, and tests that are not there.
func unproved(promises []string, there map[string]bool) (wrong []string) {
	for _, p := range promises {
		named := namedTest.FindAllStringSubmatch(p, -1)
		if len(named) == 0 {
			wrong = append(wrong, fmt.Sprintf("no test is named for: %.60s", p))
		}
		for _, m := range named {
			if test := m[1] + " " + m[2]; !there[test] {
				wrong = append(wrong, fmt.Sprintf("there is no %s, which proves: %.60s", test, p))
			}
		}
	}
	return wrong
}

// testsIn lists the tests of the tree, each with its package before it.
func testsIn(t *testing.T) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	for _, p := range load(t).Packages {
		for _, f := range p.Files {
			if !f.Test {
				continue
			}
			text, err := os.ReadFile(filepath.Join(root, f.Path))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range testOf.FindAllStringSubmatch(string(text), -1) {
				there[p.Path+" "+m[1]] = true
			}
		}
	}
	return there
}
