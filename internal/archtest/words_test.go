package archtest_test

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/archtest"
)

// mostIndefinite bounds the share of sentences with an indefinite pronoun, in percent.
const mostIndefinite = 5

func TestCommentsNameTheThing(t *testing.T) {
	t.Parallel()
	all, err := archtest.Sentences(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 5000 {
		t.Fatalf("only %d sentences were read", len(all))
	}
	found := indefiniteOf(all)
	if 100*len(found) > mostIndefinite*len(all) {
		t.Errorf(
			"%d of %d sentences of comments have an indefinite pronoun, more than %d %%", len(found), len(all), mostIndefinite,
		)
		for _, s := range found {
			t.Logf("%s:%d: %s", s.Path, s.Line, s.Text)
		}
	}
}

func TestASentenceWithAnIndefinitePronounIsFound(t *testing.T) {
	t.Parallel()
	const source = `package p

// Give gives what somebody asked for. The lease ends at noon: whoever holds it
// returns it.
//
//	who := "not a sentence of the text"
//
//go:noinline
func Give() {} // Nobody sees this.
`
	all, err := archtest.Sentences(fstest.MapFS{"p/p.go": &fstest.MapFile{Data: []byte(source)}})
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, s := range indefiniteOf(all) {
		texts = append(texts, s.Text)
	}
	want := []string{"Give gives what somebody asked for", "whoever holds it returns it", "Nobody sees this."}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("sentences (-want +got):\n%s", diff)
	}
	if len(all) != 4 {
		t.Errorf("%d sentences, want 4", len(all))
	}
}

func indefiniteOf(all []archtest.Sentence) (found []archtest.Sentence) {
	for _, s := range all {
		if s.Indefinite() {
			found = append(found, s)
		}
	}
	return found
}
