package archtest_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/archtest"
)

const root = "../.."

func load(t *testing.T) archtest.Tree {
	t.Helper()
	tree, err := archtest.Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func none(t *testing.T, wrong []string) {
	t.Helper()
	for _, w := range wrong {
		t.Error(w)
	}
}

func TestTheTreeIsFound(t *testing.T) {
	t.Parallel()
	tree := load(t)
	found := slices.ContainsFunc(tree.Packages, func(p archtest.Package) bool { return p.Path == "internal/archtest" })
	if !found {
		t.Fatalf("of %d packages none is this one: the rules look at nothing", len(tree.Packages))
	}
}

func TestTheTableLeansDownwards(t *testing.T) {
	t.Parallel()
	none(t, keyward.Leaning())
}

func TestEveryRoomImportsWhatItsRowSaysAndNothingElse(t *testing.T) {
	t.Parallel()
	none(t, keyward.Imports(load(t)))
}

func TestNoRoomImportsWhatItNeverMay(t *testing.T) {
	t.Parallel()
	none(t, keyward.Banned(load(t)))
}

func TestNoPackageIsADrawer(t *testing.T) {
	t.Parallel()
	none(t, keyward.Drawers(load(t)))
}

func TestOnlyTheCompositionReadsTheClock(t *testing.T) {
	t.Parallel()
	none(t, keyward.Clock(load(t)))
}

func TestFilesAndFunctionsCanBeReadAtOneGo(t *testing.T) {
	t.Parallel()
	none(t, keyward.Lengths(load(t)))
}

func TestNoLineIsWiderThanAPage(t *testing.T) {
	t.Parallel()
	none(t, keyward.Widths(load(t)))
}

func TestCommentsBeginWithTheNames(t *testing.T) {
	t.Parallel()
	none(t, keyward.Comments(load(t)))
}

func TestEveryDependencyHasItsReasonAndEveryReasonItsDependency(t *testing.T) {
	t.Parallel()
	none(t, archtest.Dependencies(read(t, "go.mod"), read(t, "docs/dependencies.md")))
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(root + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(text)) == "" {
		t.Fatalf("%s is empty", name)
	}
	return string(text)
}
