package cli_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyward/keyward/internal/cli"
	"github.com/keyward/keyward/keywardtest"
)

// bad are words that no flag of a form takes, by the word that stands for the value in help. A form that is missing
// here fails the test, so a new flag is held to it.
var bad = map[string][]string{
	"SPAN": {"1x", "soon", "-1h", "1d2h"}, "WHEN": {"soon", "2030-13-01", "-1h", "1x"}, "TIME": {"soon", "1x"},
	"N": {"many", "1.5", "0x10", "9999999999999999999"}, "JSON": {"{", "[]", "1", "null"}, "bool": {"perhaps"},
	"DURATION": {"1x", "soon"},
}

// free are forms that the command itself takes as they are: the server, a file system or another flag judges them.
var free = []string{
	"", "URL", "NAME", "FILE", "TEXT", "USER", "WORKSPACE", "ID", "NAME,...", "CIDR,...", "SCOPE,...", "NOUN.VERBED",
	"CAPABILITY,...", "ORIGIN,...", "PERMISSION,...", "ID,...", "WORKSPACE,...", "WORD", "TAG", "ADDRESS", "WHAT",
	"ID=WHAT,...", "TYPE,...", "STATUS", "HOST:PORT", "DIR",
}

// Every flag of every command that has a form refuses a word that has another, before anything else is looked at, and
// names itself.
func TestEveryFlagThatHasAFormNamesItself(t *testing.T) {
	t.Parallel()
	tried := map[string]int{}
	each(cli.Tree(), func(path []string, f *pflag.Flag) {
		form := f.Value.Type()
		settings := path[0] == "serve" || path[0] == "follow" || path[len(path)-1] == "look"
		words, formed := bad[form]
		switch {
		case settings && form != "bool": // config judges settings: TestASettingIsNamedAsItWasGiven and its like
			return
		case !formed && !slices.Contains(free, form) && !own(f) && !enum(f):
			t.Errorf("%s --%s: no bad words are known for %s", strings.Join(path, " "), f.Name, form)
		}
		if enum(f) && path[0] != "rootkey" {
			words = []string{"nonsense"}
		}
		for _, word := range words {
			code, out, errs := run(t, "", append(slices.Clone(path), "--"+f.Name+"="+word)...)
			first, rest, _ := strings.Cut(errs, "\n")
			if code != 2 || out != "" || !strings.HasPrefix(first, "keyward: --"+f.Name) ||
				!strings.HasPrefix(rest, "See keyward "+strings.Join(path, " ")+" --help") {
				t.Errorf("%s --%s=%s: status %d, %s%s", strings.Join(path, " "), f.Name, word, code, out, errs)
			}
			tried[form]++
		}
	})
	for _, form := range []string{"SPAN", "WHEN", "TIME", "N", "JSON", "bool"} {
		if tried[form] < 3 {
			t.Errorf("%d words were tried for %s", tried[form], form)
		}
	}
}

// own tells whether a flag's form is its own name, as where no other word stands for the value.
func own(f *pflag.Flag) bool {
	return strings.EqualFold(strings.TrimSuffix(f.Value.Type(), ",..."), f.Name)
}

// enum tells whether a flag takes one of few words alone.
func enum(f *pflag.Flag) bool {
	for _, placeholder := range []string{"MODE", "WORD", "FORMAT", "LENGTH"} {
		if f.Value.Type() == placeholder || f.Value.Type() == placeholder+",..." {
			return true
		}
	}
	return false
}

// each visits the flags of every command that runs.
func each(cmd *cobra.Command, visit func(path []string, f *pflag.Flag)) {
	for _, c := range cmd.Commands() {
		if c.Name() == "help" || c.Name() == "completion" || c.Name() == "__complete" {
			continue
		}
		path := strings.Fields(c.CommandPath())[1:]
		if c.RunE != nil && !c.HasAvailableSubCommands() {
			c.LocalFlags().VisitAll(func(f *pflag.Flag) {
				if f.Name != "help" {
					visit(path, f)
				}
			})
		}
		each(c, visit)
	}
}

// A refusal of a server names the flag.
func TestARefusalOfAServerNamesTheFlag(t *testing.T) {
	t.Parallel()
	s := keywardtest.New(t)
	ws := s.Workspace(t, "Acme", "ada")
	key := []string{"keys", "create", "-w", ws, "--user=ada", "--name=k"}
	for _, c := range []struct {
		words []string
		label string
	}{
		{append(slices.Clone(key), "--allow-ip=300.1.1.1"), "--allow-ip: "},
		{append(slices.Clone(key), "--permission=no:such"), "--permission: "},
		{append(slices.Clone(key), "--expires=2001-01-01"), "--expires: "},
		{append(slices.Clone(key), "--per-minute=0"), "--per-minute: "},
		{append(slices.Clone(key), "--per-day=-5"), "--per-day: "},
		{[]string{"keys", "create", "-w", ws, "--user=ada", "--name="}, "--name: "},
		{[]string{"keys", "list", "-w", ws, "--permission=no such"}, "--permission: "},
		{[]string{"members", "add", "bob", "-w", ws, "--role=Member", "--email=nonsense"}, "--email: "},
		{[]string{"roles", "create", "R", "-w", ws, "--permission=no:such"}, "--permission: "},
		{[]string{"roles", "create", "", "-w", ws}, "<name>: "},
		{[]string{"service-keys", "create", "x", "--scope=verify", "--allowed-ip=nonsense"}, "--allowed-ip: "},
		{[]string{"service-keys", "create", "x", "--scope=verify", "--expires=2001-01-01"}, "--expires: "},
		{[]string{"service-keys", "create", "x", "--scope=verify", "--workspace=nonsense"}, "--workspace: "},
		{[]string{"workspaces", "create", "X", "--owner=ada", "--email=ada@example.com", "--max-key-lifetime=0s"},
			"--max-key-lifetime: "},
		{[]string{"workspaces", "plan", ws, "--max-keys=-1"}, "--max-keys: "},
		{[]string{"workspaces", "plan", ws, "--key-per-minute=-1"}, "--key-per-minute: "},
		{[]string{"workspaces", "plan", ws, "--per-minute=-1"}, "--per-minute: "},
		{[]string{"webhooks", "create", "https://example.com/x", "-w", ws, "--event=no.such"}, "--event: "},
		{[]string{"webhooks", "create", "nonsense", "-w", ws}, "<target>: "},
	} {
		code, _, errs := run(t, "", append(c.words, at(t, s)...)...)
		if code == 0 || !strings.Contains(errs, c.label) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: status %d, %swant %s", c.words, code, errs, c.label)
		}
	}
}
