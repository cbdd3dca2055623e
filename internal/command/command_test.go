package command_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/keyward/keyward/internal/command"
)

type word string

type common struct {
	TokenFile string `type:"existingfile" placeholder:"FILE" help:"A file."`
}

type set struct {
	ID    string        `arg:"" help:"The thing."`
	More  []string      `arg:"" optional:"" help:"More of them."`
	Name  string        `required:"" help:"What it is called."`
	Size  string        `required:"" placeholder:"N" help:"How large it is."`
	Kind  []word        `sep:"," enum:"red,blue" placeholder:"KIND" help:"${enum}."`
	Path  []string      `sep:"none" help:"Paths."`
	Limit int           `default:"7" short:"l" help:"At most so many. Default: ${default}."`
	Count *int64        `help:"A count."`
	On    *bool         `xor:"state" help:"On."`
	Off   bool          `xor:"state" help:"Off."`
	Wait  time.Duration `env:"COMMAND_TEST_WAIT" default:"1s" help:"How long."`
	common
}

type show struct {
	Limit int `default:"3" help:"At most so many."`
}

// Help says more.
func (show) Help() string { return "Examples:\n  thing show" }

type words struct {
	Set  set `cmd:"" group:"all" help:"Set a thing."`
	Logs struct {
		Show    show     `cmd:"" default:"withargs" help:"Show the log."`
		Archive struct{} `cmd:"" help:"Archive the log."`
	} `cmd:"" group:"all" help:"The log."`
	Roles struct {
		List   struct{} `cmd:"" help:"List."`
		Secret struct{} `cmd:"" hidden:"" help:"A secret."`
		Create struct{} `cmd:"" help:"Create."`
	} `cmd:"" group:"all" help:"Roles."`
}

// run runs a command line, and returns the command that ran, where an error sends the reader, and the output.
func run(t *testing.T, line ...string) (ran any, where, out string, err error) {
	t.Helper()
	var b strings.Builder
	root := command.New(new(words), command.Spec{
		Name: "thing", Help: "Things.", Library: "all", Groups: []*cobra.Group{{ID: "all", Title: "All:"}},
		Run: func(_ context.Context, cmd any) error {
			ran = cmd
			return nil
		},
	})
	root.SetOut(&b)
	where, err = command.Execute(t.Context(), root, line)
	return ran, where, b.String(), err
}

func TestTheFieldsAreFilledAsTheirTagsSay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("COMMAND_TEST_WAIT", "90s")
	on, count := false, int64(-4)
	for _, tc := range []struct {
		line []string
		want any
	}{
		{
			[]string{"set", "a", "--name=n", "--size", "3", "b,c", "-l", "9", "d"},
			&set{ID: "a", More: []string{"b,c", "d"}, Name: "n", Size: "3", Limit: 9, Wait: 90 * time.Second},
		},
		{
			[]string{"set", "--name=n", "--size=", "--kind=red,blue", "--kind", "red", "--path=a,b", "--path", "c", "--wait=2s",
				"--", "-x"},
			&set{ID: "-x", Size: "", Name: "n", Kind: []word{"red", "blue", "red"}, Path: []string{"a,b", "c"}, Limit: 7,
				Wait: 2 * time.Second},
		},
		{
			[]string{"set", "a", "--name=n", "--size=1", "--on=no", "--count=-4", "--token-file", file, "--kind="},
			&set{ID: "a", Name: "n", Size: "1", Kind: []word{}, Limit: 7, On: &on, Count: &count, Wait: 90 * time.Second,
				common: common{file}},
		},
		{[]string{"set", "a", "--name=n", "--size=1", "--off"},
			&set{ID: "a", Name: "n", Size: "1", Limit: 7, Off: true, Wait: 90 * time.Second}},
		{[]string{"logs"}, &show{3}},
		{[]string{"logs", "--limit", "8"}, &show{8}},
		{[]string{"logs", "show", "--limit", "8"}, &show{8}},
		{[]string{"roles", "secret"}, &struct{}{}},
	} {
		got, _, _, err := run(t, tc.line...)
		if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(set{})); diff != "" || err != nil {
			t.Errorf("%q: %v\n%s", tc.line, err, diff)
		}
	}
}

func TestAWrongUseIsSaidInOneSentenceAndRunsNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("COMMAND_TEST_WAIT", "soon")
	whole := []string{"set", "a", "--name=n", "--size=1"}
	for _, tc := range []struct {
		line        []string
		want, where string
	}{
		{[]string{"nonsense"}, "unexpected argument nonsense", "thing"},
		{[]string{"sett"}, `unexpected argument sett, did you mean "set"?`, "thing"},
		{[]string{"set", "a"}, "--name NAME and --size N are missing", "thing set"},
		{[]string{"set", "a", "--name=n"}, "--size N is missing", "thing set"},
		{[]string{"set", "--name=n", "--size=1", "--wait=1s"}, `expected "<id>"`, "thing set"},
		{append(whole, "--token", "x"), `unknown flag --token, did you mean "--token-file"?`, "thing set"},
		{append(whole, "-x"), "unknown flag -x", "thing set"},
		{append(whole, "--count"), "--count: expected a value", "thing set"},
		{append(whole, "--limit", "--off"), `--limit: expected a value but got "--off"; perhaps try --limit="--off"?`,
			"thing set"},
		{append(whole, "-l", "-1"), `--limit: expected a value but got "-1"; perhaps try --limit="-1"?`, "thing set"},
		{append(whole, "--limit=x"), `--limit: expected a valid 64 bit int but got "x"`, "thing set"},
		{append(whole, "--on=x"), `--on: bool value must be true, 1, yes, false, 0 or no but got "x"`, "thing set"},
		{append(whole, "--kind=red,green"), `--kind must be one of "red","blue" but got "green"`, "thing set"},
		{append(whole, "--wait=1s", "--on", "--off"), "--on and --off can't be used together", "thing set"},
		{append(whole, "--token-file", dir), `--token-file: "` + dir + `" exists but is a directory: name a file in it`,
			"thing set"},
		{append(whole, "--token-file", dir+"/no"), "--token-file: stat " + dir + "/no: no such file or directory: " +
			"correct the path, or put the file there", "thing set"},
		{whole, `COMMAND_TEST_WAIT: expected duration but got "soon": time: invalid duration "soon"`, "thing set"},
		{[]string{"logs", "arch"}, `unexpected argument arch, did you mean "archive"?`, "thing logs"},
		{[]string{"roles"}, `expected one of "list", "create"`, "thing roles"},
		{[]string{"roles", "lst"}, `unexpected argument lst, did you mean "list"?`, "thing roles"},
		{[]string{"roles", "list", "x"}, "unexpected argument x", "thing roles list"},
		{[]string{"completion", "tcsh"}, `unexpected argument tcsh, did you mean one of "bash", "zsh", "fish"?`,
			"thing completion"},
	} {
		ran, where, _, err := run(t, tc.line...)
		if err == nil || err.Error() != tc.want || where != tc.where || ran != nil {
			t.Errorf("%q: %v, see %s, ran %v; want %s, see %s", tc.line, err, where, ran, tc.want, tc.where)
		}
	}
}

func TestHelpShowsEveryFlagArgumentAndCommandThatIsNotHidden(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"--help": {"Usage: thing <command>\n", "\nAll:\n", "  set           Set a thing.\n",
			"  logs          The log.\n"},
		"set --help": {"Usage: thing set <id> [<more> ...] [flags]\n\nSet a thing.\n", "    <id>         The thing.\n",
			"  -l, --limit LIMIT", "--kind KIND,...     red,blue.\n", "[COMMAND_TEST_WAIT] (default 1s)",
			"At most so many. Default: 7.\n"},
		"logs --help": {"\nCommands:\n  show          Show the log.\n",
			"--limit LIMIT   At most so many. (default 3)\n"},
		"logs show --help": {"Show the log.\n\nExamples:\n\n    thing show\n"},
	} {
		_, _, help, err := run(t, strings.Fields(line)...)
		for _, part := range want {
			if !strings.Contains(help, part) || err != nil {
				t.Errorf("%s: %v, no %q in\n%s", line, err, part, help)
			}
		}
	}
	if _, _, help, _ := run(t, "roles", "--help"); strings.Contains(help, "secret") {
		t.Error("help lists a hidden command")
	}
}
