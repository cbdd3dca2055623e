package provider_test

import (
	"os"
	"testing"

	"github.com/keyward/keyward/internal/archtest"
)

// module is the directory of the provider's module.
const module = "../.."

// mostIndefinite bounds the share of sentences with an indefinite pronoun in percent, as in the main module.
const mostIndefinite = 5

func TestTheModuleKeepsTheRulesOfTheHouse(t *testing.T) {
	t.Parallel()
	tree, err := archtest.Load(os.DirFS(module))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Packages) < 4 {
		t.Fatalf("only %d packages were read", len(tree.Packages))
	}
	for _, wrong := range (archtest.House{LinesOfFile: 600, LinesOfFunction: 100}).Lengths(tree) {
		t.Error(wrong)
	}
	sentences, err := archtest.Sentences(os.DirFS(module))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, s := range sentences {
		if s.Indefinite() {
			t.Logf("%s:%d: %s", s.Path, s.Line, s.Text)
			found++
		}
	}
	if len(sentences) < 100 || 100*found > mostIndefinite*len(sentences) {
		t.Errorf("%d of %d sentences have an indefinite pronoun", found, len(sentences))
	}
}
