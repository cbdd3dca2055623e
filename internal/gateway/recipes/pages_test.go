package recipes_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/gateway/recipes"
)

var shown = regexp.MustCompile("(?s)<!-- recipe: (\\S+) -->\n```[a-z]+\n(.*?)```\n")

func TestThePagesShowTheRecipesAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, r := range recipes.All() {
		page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "gateways", r.Name+".md"))
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, m := range shown.FindAllStringSubmatch(string(page), -1) {
			found[m[1]] = m[2]
		}
		for _, file := range r.Files {
			want, err := recipes.Fill(file, recipes.Default())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, found[file]); diff != "" {
				t.Errorf("%s.md, %s (-the recipe +the page):\n%s", r.Name, file, diff)
			}
		}
		if says := strings.Contains(string(page), "**Not run here.**"); says == r.Tested {
			t.Errorf("%s.md says that it is not run: %v", r.Name, says)
		}
	}
}

// T65: no part of a recipe lets a request pass without a decision.
func TestT65NoRecipeFailsOpen(t *testing.T) {
	t.Parallel()
	for _, r := range recipes.All() {
		for _, file := range r.Files {
			text, err := recipes.Fill(file, recipes.Default())
			if err != nil {
				t.Fatal(err)
			}
			for _, open := range []string{"failure_mode_allow: true", "satisfy any", "trustForwardHeader: true",
				"insecure: true", "proxy_add_x_forwarded_for"} {
				if strings.Contains(text, open) {
					t.Errorf("%s holds %q", file, open)
				}
			}
		}
	}
}

func TestAValueCannotEndADirective(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"", "x", "a:1; }", "a:b", "a b:1", "a\n:1", `"a":1`, "a#:1", "$a:1"} {
		v := recipes.Default()
		v.Backend = wrong
		if text, err := recipes.Fill("nginx.conf", v); err == nil {
			t.Errorf("%q was taken: %s", wrong, text[:100])
		}
	}
	v := recipes.Default()
	v.Permissions = []string{"a b\n;", "calls:read"}
	text, err := recipes.Fill("Caddyfile", v)
	if err != nil ||
		!strings.Contains(text, "rewrite /check?environment=live&permission=a+b%0A%3B&permission=calls%3Aread #") {
		t.Errorf("%v: %s", err, text)
	}
}
