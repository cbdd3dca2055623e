package dashboard

import (
	"embed"
	"strings"
)

// snippetFiles are complete programs that ask with a key who one is. The tests of each client run them.
//
//go:embed snippets
var snippetFiles embed.FS

// snippet is a program that works as pasted, in one language.
type snippet struct {
	ID, Name, Text string
	On             bool
	Needs          string // the command that installs the client
}

// snippets writes the value and this server's address into the programs.
func snippets(base, env, value string) []snippet {
	all := []struct{ id, name, file, needs string }{
		{"curl", "curl", "curl.sh", ""},
		{"ts", "TypeScript", "main.ts", "npm install keyward"},
		{"py", "Python", "main.py", "pip install keyward"},
		{"go", "Go", "main.go.txt", "go get github.com/keyward/keyward"},
		{"env", ".env", "env.txt", ""},
	}
	fill := strings.NewReplacer("https://keyward.example", base, "kw_live_value", value, "EXAMPLE_KEY", env)
	out := make([]snippet, 0, len(all))
	for i, s := range all {
		text, err := snippetFiles.ReadFile("snippets/" + s.file)
		if err != nil {
			panic(err) // the files are part of the program
		}
		out = append(out, snippet{s.id, s.name, strings.TrimSuffix(fill.Replace(string(text)), "\n"), i == 0, s.needs})
	}
	return out
}
