package config_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/config"
)

var update = flag.Bool("update", false, "write the table of settings into the page for operators")

const page = "../../docs/operations.md"

// Around the table of settings on the page.
const (
	tableBegins = "<!-- settings: go test ./internal/config -run TestTheSettingsOnThePage -update -->\n"
	tableEnds   = "<!-- end of settings -->\n"
)

func TestTheSettingsOnThePageAreThoseOfTheProgram(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	got, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s has no table of settings: want it between %q and %q", page, tableBegins, tableEnds)
	}
	want := settingsTable()
	if *update {
		if err := os.WriteFile(page, []byte(before+tableBegins+want+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s does not say what the settings are (-the program's +the page's), run with -update:\n%s", page, d)
	}
}

// settingsTable is the table in Markdown.
func settingsTable() string {
	var b strings.Builder
	b.WriteString("| environment | default | meaning |\n|---|---|---|\n")
	for _, s := range config.Settings() {
		standard, meaning := "none", s.Help
		switch {
		case s.Default != "":
			standard = "`" + s.Default + "`"
		case s.Unset != "":
			standard = s.Unset
		}
		if s.Secret {
			meaning += " A secret: it has no flag."
		}
		if s.Reloaded {
			meaning += " The file is read again when it changes, and at SIGHUP."
		}
		b.WriteString("| `" + s.Env + "` | " + standard + " | " + strings.ReplaceAll(meaning, "|", "\\|") + " |\n")
	}
	b.WriteString("| `KEYWARD_CONFIG` | none | The file with settings, YAML. |\n")
	return b.String()
}

func TestEverySettingIsDescribedAndItsDefaultIsRead(t *testing.T) {
	t.Parallel()
	config.Default() // panics where a default is not one
	seen := map[string]bool{}
	for _, s := range config.Settings() {
		if seen[s.Env] || !strings.HasPrefix(s.Env, "KEYWARD_") {
			t.Errorf("the name %q stands twice, or is none", s.Env)
		}
		seen[s.Env] = true
		if !strings.HasSuffix(s.Help, ".") {
			t.Errorf("%s: want sentences as help, not %q", s.Env, s.Help)
		}
		if s.Default != "" && s.Unset != "" {
			t.Errorf("%s has two defaults", s.Env)
		}
	}
}
