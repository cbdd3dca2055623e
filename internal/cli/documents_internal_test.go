package cli

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// shells are the languages of blocks that hold commands.
var shells = []string{"", "sh", "bash", "shell", "console"}

// unread are folders without documents of this version; decisions tell of texts that are digested, too.
var unread = []string{"node_modules", "bin", ".git", ".terraform", "adr"}

// documents lists the Markdown files of the tree. The changelog tells of former versions.
func documents(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains(unread, entry.Name()) {
			return fs.SkipDir
		}
		if filepath.Ext(path) == ".md" && entry.Name() != "CHANGELOG.md" {
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

var (
	fence     = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```")
	inline    = regexp.MustCompile("`([^`\n]+)`")
	indented  = regexp.MustCompile(`(?m)^ {4,}.*$`)
	invoked   = regexp.MustCompile(`(?:^|[\s(|=$])(?:bin/)?keyward ([a-z][a-z-]*\b[^|;&)>\n]*)`)
	continued = regexp.MustCompile(`\\\n\s*`)
)

// commandsOf lists the words after "keyward" in a document's code: blocks of a shell, indented blocks, and code within
// sentences.
func commandsOf(text string) (all [][]string) {
	var code []string
	rest := fence.ReplaceAllStringFunc(continued.ReplaceAllString(text, " "), func(block string) string {
		if found := fence.FindStringSubmatch(block); slices.Contains(shells, found[1]) {
			code = append(code, found[2])
		}
		return ""
	})
	code = append(code, indented.FindAllString(rest, -1)...)
	for _, found := range inline.FindAllStringSubmatch(rest, -1) {
		code = append(code, found[1])
	}
	for _, block := range code {
		for line := range strings.Lines(block) {
			line, _, _ = strings.Cut(line, " #")
			for _, found := range invoked.FindAllStringSubmatch(line, -1) {
				all = append(all, strings.Fields(found[1]))
			}
		}
	}
	return all
}

// wrongWord is the word of a command that the tree does not know; "" where it knows all.
func wrongWord(root *cobra.Command, words []string) string {
	at := root
	for _, word := range words {
		if !strings.HasPrefix(word, "-") && at.HasSubCommands() {
			next := slices.IndexFunc(at.Commands(), func(c *cobra.Command) bool { return c.Name() == word || c.HasAlias(word) })
			if next >= 0 {
				at = at.Commands()[next]
				continue
			}
			if at == root {
				return word
			}
		}
		name, _, _ := strings.Cut(strings.Trim(word, "[]"), "=")
		if long, ok := strings.CutPrefix(name, "--"); ok && long != "" && at.Flag(long) == nil {
			return word
		}
		if len(name) == 2 && name[0] == '-' && name[1] != '-' && at.Flags().ShorthandLookup(name[1:]) == nil && name != "-h" {
			return word
		}
	}
	return ""
}

// A page that names a command or a flag which the program does not have sends its reader into an error.
func TestTheCommandsOfTheDocumentsExist(t *testing.T) {
	t.Parallel()
	tree := commandTree(func(context.Context, any) error { return nil })
	seen := 0
	for _, path := range documents(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, words := range commandsOf(string(text)) {
			seen++
			if wrong := wrongWord(tree, words); wrong != "" {
				t.Errorf("%s: keyward %s: there is no %s", path, strings.Join(words, " "), wrong)
			}
		}
	}
	if seen < 150 {
		t.Errorf("%d commands were found in the documents", seen)
	}
	for line, wrong := range map[string]string{
		"`keyward service-keys create x --scope verify --workspace-id y`": "--workspace-id", "`keyward kyes list`": "kyes",
		"```sh\nW=$(keyward workspaces create Acme --ouner ada)\n```": "--ouner", "    keyward keys list -z": "-z",
	} {
		if found := commandsOf(line); len(found) != 1 || wrongWord(tree, found[0]) != wrong {
			t.Errorf("%s: %q is not found in %q", line, wrong, found)
		}
	}
}
