package cli

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCmd) Help() string {
	return `Examples:
  source <(keyward completion bash)                                     in ~/.bashrc
  source <(keyward completion zsh)                                      in ~/.zshrc, after compinit
  keyward completion fish > ~/.config/fish/completions/keyward.fish`
}

// scripts ask the command itself, so that they never know less than it does.
var scripts = map[string]string{
	"bash": `_keyward() {
	local IFS=$'\n'
	COMPREPLY=($(compgen -W "$(keyward complete -- "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _keyward keyward
`,
	"zsh": `_keyward() {
	local -a all
	all=("${(@f)$(keyward complete -- "${(@)words[2,CURRENT-1]}" 2>/dev/null)}")
	(( ${#all[1]} )) && compadd -a all || _files
}
compdef _keyward keyward
`,
	"fish": `complete -c keyward -f -a '(keyward complete -- (commandline -opc)[2..-1] 2>/dev/null)'
`,
}

// Run prints the script.
func (c *completionCmd) Run(a *app) error {
	_, err := fmt.Fprint(a.Out, scripts[c.Shell])
	return err
}

// completeCmd answers the possible next words, one on each line. Shells ask it.
type completeCmd struct {
	Words []string `arg:"" optional:"" passthrough:""`
}

// Run prints the candidates.
func (c *completeCmd) Run(a *app) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	node, open := walk(a.model.Node, words)
	if open != nil {
		return a.lines(values(open))
	}
	var out []string
	for _, child := range node.Children {
		if !child.Hidden {
			out = append(out, child.Name)
		}
	}
	for _, argument := range node.Positional {
		out = append(out, values(argument)...)
	}
	for _, group := range node.AllFlags(true) {
		for _, flag := range group {
			out = append(out, "--"+flag.Name)
		}
	}
	return a.lines(out)
}

// walk follows the words down to a command; a flag at the end that still wants its value is answered too.
func walk(node *kong.Node, words []string) (*kong.Node, *kong.Value) {
	for i, word := range words {
		if flag := flagNamed(node, word); flag != nil && !flag.IsBool() && i == len(words)-1 {
			return node, flag.Value
		}
		for _, child := range node.Children {
			if child.Name == word {
				node = child
				break
			}
		}
	}
	return node, nil
}

func flagNamed(node *kong.Node, word string) *kong.Flag {
	for _, group := range node.AllFlags(true) {
		for _, flag := range group {
			if word == "--"+flag.Name || flag.Short != 0 && word == "-"+string(flag.Short) {
				return flag
			}
		}
	}
	return nil
}

// values are the words that a flag or an argument may be; none where it is open.
func values(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	var out []string
	for _, one := range v.EnumSlice() {
		if one != "" {
			out = append(out, one)
		}
	}
	return out
}

func (a *app) lines(all []string) error {
	if len(all) == 0 {
		return nil
	}
	_, err := fmt.Fprintln(a.Out, strings.Join(all, "\n"))
	return err
}
