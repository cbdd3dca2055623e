// Package strictyaml owns the reading of files that people write: one YAML document, walked node by node, so that
// errors name line and column. Anchors, aliases, merges, unknown and repeated members are refused: the text means
// exactly itself. It does not own the meaning of any file.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// line finds the place in an error of the YAML parser, which knows only the line.
var line = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// Document reads exactly one YAML document and answers its root.
func Document(name string, data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		return nil, fmt.Errorf("%s:1:1: there is nothing in the file", name)
	case err != nil:
		return nil, syntax(name, err)
	}
	var second yaml.Node
	switch err := d.Decode(&second); {
	case err == nil:
		return nil, fmt.Errorf("%s:%d:1: a second document: want one", name, max(second.Line, 1))
	case !errors.Is(err, io.EOF):
		return nil, syntax(name, err)
	}
	return doc.Content[0], nil
}

// syntax gives the parser's error the form of our own.
func syntax(name string, err error) error {
	at, why := "1", err.Error()
	if m := line.FindStringSubmatch(why); m != nil {
		if m[1] != "" {
			at = m[1]
		}
		why = strings.TrimPrefix(why, m[0])
	}
	return fmt.Errorf("%s:%s:1: %s", name, at, why)
}

// Kind names the kind of a node for people.
func Kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!str":
		return "text"
	case "!!int", "!!float":
		return fmt.Sprintf("the number %s (put it in quotes)", n.Value)
	case "!!bool":
		return fmt.Sprintf("the truth value %s (put it in quotes)", n.Value)
	case "!!null":
		return "nothing"
	}
	return n.ShortTag()
}

// File stands for the file in errors: its name.
type File string

// At puts a node's place before an error.
func (f File) At(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%d:%d: %s", string(f), max(n.Line, 1), max(n.Column, 1), fmt.Sprintf(format, args...))
}

// Members reads a mapping whose members are all among the known names, each at most once.
func (f File) Members(m *yaml.Node, known ...string) (map[string]*yaml.Node, error) {
	found := make(map[string]*yaml.Node, len(known))
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		if err := f.Plain(key); err != nil {
			return nil, err
		}
		if !slices.Contains(known, key.Value) {
			return nil, f.At(key, "unknown member %q: want %s", key.Value, strings.Join(known, ", "))
		}
		if found[key.Value] != nil {
			return nil, f.At(key, "%s stands twice", key.Value)
		}
		if err := f.Plain(value); err != nil {
			return nil, err
		}
		found[key.Value] = value
	}
	return found, nil
}

// Plain refuses features that give a node a meaning other than its text.
func (f File) Plain(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.AliasNode:
		return f.At(n, "aliases are not allowed here: write it out")
	case n.Anchor != "":
		return f.At(n, "anchors are not allowed here: write it out")
	}
	return nil
}

// IsText tells whether a node is a text, and not a number, a truth value or nothing.
func IsText(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" }
