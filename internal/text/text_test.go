package text_test

import (
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/text"
)

// T49: names that lie to the eye or steer a terminal are refused; people's names are not.
func TestT49Lines(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"deploy", "Ünïcode ключ 鍵", "👩‍💻 laptop", "naïve", "quote \" and <tag>", "e\u0301"} {
		if _, err := text.Name(good, 100); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "  ", "\u00a0", "a\nb", "a\rb", "a\x00b", "a\x1b[31mb", "a\u202eb", "a\u2066b",
		"a\u200bb", "a\ufeffb", "a\u2028b",
		"a" + strings.Repeat("\u0302", 64), strings.Repeat("a", 101), "\xff", "a\u200db", "a\u00adb", "\ue000"} {
		if got, err := text.Name(bad, 100); err == nil {
			t.Errorf("%q is let through as %q", bad, got)
		}
	}
}

func TestT49NamesAreNormalisedAndFolded(t *testing.T) {
	t.Parallel()
	composed, _ := text.Line("e\u0301", 10)
	if composed != "\u00e9" {
		t.Errorf("got %+q", composed)
	}
	if text.Fold("E\u0301COLE ") != text.Fold("\u00e9cole") || text.Fold("Straße") != text.Fold("STRASSE") {
		t.Error("folding tells the same names apart")
	}
}

func TestEmail(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a@b", "first.last+tag@example.org", `"odd@local"@example.org`} {
		if _, err := text.Email(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a", "@b", "a@", "a b@c", "a@b\n", "a@b c"} {
		if _, err := text.Email(bad); err == nil {
			t.Errorf("%q is let through", bad)
		}
	}
}
