package portal_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// plurals are the forms that a language has (CLDR), in the order of the alphabet.
var plurals = map[string][]string{
	"ar": {"few", "many", "one", "other", "two", "zero"}, "de": {"one", "other"}, "es": {"many", "one", "other"},
	"fr": {"many", "one", "other"}, "ja": {"other"}, "pt-BR": {"many", "one", "other"},
}

// english gives the words of the element by their id, each as it stands in the source.
func english(t *testing.T) map[string]string {
	t.Helper()
	source, err := os.ReadFile("assets/element/words.js")
	if err != nil {
		t.Fatal(err)
	}
	table, _, ok := strings.Cut(string(source), "\n};\n")
	if !ok {
		t.Fatal("words.js has no table")
	}
	words := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^  (\w+): (.*),$`).FindAllStringSubmatch(table, -1) {
		words[line[1]] = line[2]
	}
	if len(words) < 100 || len(words) != strings.Count(table, "\n")-2 {
		t.Fatalf("%d words in %d lines: each stands in a line of its own", len(words), strings.Count(table, "\n"))
	}
	return words
}

// placeholders are the names of values in a text, in order and once.
func placeholders(text string) []string {
	found := regexp.MustCompile(`\{\w+\}`).FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestEveryLanguageSaysEveryWord(t *testing.T) {
	t.Parallel()
	want := english(t)
	for language, forms := range plurals {
		text, err := os.ReadFile("assets/words/" + language + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var table map[string]any
		if err := json.Unmarshal(text, &table); err != nil {
			t.Fatalf("%s: %v", language, err)
		}
		for id := range table {
			if want[id] == "" {
				t.Errorf("%s: %s is no word of the element", language, id)
			}
		}
		for id, said := range want {
			switch said := said; word := table[id].(type) {
			case string:
				if strings.HasPrefix(said, "{ ") {
					t.Errorf("%s: %s has no forms of a plural", language, id)
				}
				if word == "" || !slices.Equal(placeholders(word), placeholders(said)) {
					t.Errorf("%s: %s is %q for %s", language, id, word, said)
				}
			case map[string]any:
				sameForms(t, language+": "+id, word, forms, placeholders(said))
			default:
				t.Errorf("%s does not say %s", language, id)
			}
		}
	}
	files, err := filepath.Glob("assets/words/*")
	if err != nil || len(files) != len(plurals) {
		t.Errorf("files %v, %v", files, err)
	}
}

// sameForms holds the forms of a plural against those of the language. Forms for one number may say it in words.
func sameForms(t *testing.T, what string, word map[string]any, forms, values []string) {
	t.Helper()
	var got []string
	for form, said := range word {
		got = append(got, form)
		text, _ := said.(string)
		exact := form == "zero" || form == "one" || form == "two"
		if text == "" || !slices.Equal(placeholders(text), values) && !(exact && len(placeholders(text)) == 0) {
			t.Errorf("%s, %s: %q", what, form, text)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(forms, got); diff != "" {
		t.Errorf("%s: forms: %s", what, diff)
	}
}

func TestEveryWordIsSaidSomewhere(t *testing.T) {
	t.Parallel()
	words := english(t)
	joined := string(element(t).Content)
	for _, found := range regexp.MustCompile(`\bsay\('(\w+)'`).FindAllStringSubmatch(joined, -1) {
		if words[found[1]] == "" {
			t.Errorf("%s is said, and stands in no table", found[1])
		}
	}
	for id := range words {
		if strings.Contains(id, "_") { // by the code of an answer
			continue
		}
		base := regexp.MustCompile(`(Title|Help)$`).ReplaceAllString(id, "")
		if strings.Count(joined, "'"+id+"'") == 0 && strings.Count(joined, "'"+base+"'") == 0 {
			t.Errorf("%s is said nowhere", id)
		}
	}
}
