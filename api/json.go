package api

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// appendJSON writes a tree of YAML as JSON: members keep their order, and values that JSON cannot express (a key that
// is no text, a number that is not finite) are an error that names the line.
func appendJSON(b []byte, n *yaml.Node) ([]byte, error) {
	switch n.Kind {
	case yaml.AliasNode:
		return appendJSON(b, n.Alias)
	case yaml.MappingNode:
		return appendObject(b, n)
	case yaml.SequenceNode:
		return appendArray(b, n)
	case yaml.ScalarNode:
		return appendScalar(b, n)
	}
	return nil, fmt.Errorf("line %d: neither a mapping, a sequence nor a scalar", n.Line)
}

func appendObject(b []byte, n *yaml.Node) ([]byte, error) {
	b = append(b, '{')
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag != "!!str" {
			return nil, fmt.Errorf("line %d: the name %q is not text", key.Line, key.Value)
		}
		if seen[key.Value] {
			return nil, fmt.Errorf("line %d: %q stands here for the second time", key.Line, key.Value)
		}
		seen[key.Value] = true
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, key.Value), ':')
		var err error
		if b, err = appendJSON(b, n.Content[i+1]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendArray(b []byte, n *yaml.Node) ([]byte, error) {
	b = append(b, '[')
	for i, item := range n.Content {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, item); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendScalar(b []byte, n *yaml.Node) ([]byte, error) {
	switch n.ShortTag() {
	case "!!str", "!!timestamp": // YAML's own times are text in JSON
		return appendText(b, n.Value), nil
	case "!!null":
		return append(b, "null"...), nil
	case "!!bool", "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, fmt.Errorf("line %d: %w", n.Line, err)
		}
		out, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n.Line, err)
		}
		return append(b, out...), nil
	}
	return nil, fmt.Errorf("line %d: the tag %s has no form in JSON", n.Line, n.Tag)
}

// appendText writes a JSON string and leaves <, > and & readable.
func appendText(b []byte, s string) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // a string in memory can always be encoded
		panic(fmt.Errorf("api: encode text: %w", err))
	}
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}
