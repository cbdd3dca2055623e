package catfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// line finds the place in what the YAML parser says: it knows the line alone.
var line = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// document reads exactly one YAML document and answers its root.
func document(name string, data []byte) (*yaml.Node, error) {
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

// kind says in a reader's words what a node is.
func kind(n *yaml.Node) string {
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
