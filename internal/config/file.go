package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a file of settings, in bytes.
const maxFile = 1 << 20

// fromFile reads the file that the flag or else the environment names; without either there is none.
func fromFile(flag, env string) (map[string]value, error) {
	path, from := flag, "--"+ConfigFlag
	if path == "" {
		path, from = env, configEnv
	}
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, Explained(path, err))
	}
	if len(data) == 0 { // a start with the defaults would be on another database, without the pepper
		return nil, fmt.Errorf("%s: %w", from, emptyFile(path))
	}
	given, secret, err := parseFile(path, data)
	if err != nil || secret == "" {
		return given, err
	}
	open, err := readable(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	if open {
		return nil, fmt.Errorf(
			"%s: %s holds %s and everybody on this machine can read it: chmod 600 %s", from, path, secret, path,
		)
	}
	return given, nil
}

// parseFile reads a YAML mapping of settings, and answers the name of a secret that stands in it.
func parseFile(path string, data []byte) (given map[string]value, secret string, err error) {
	if len(data) > maxFile {
		return nil, "", fmt.Errorf("%s: is larger than %d bytes", path, maxFile)
	}
	root, err := mapping(path, data)
	if root == nil {
		return nil, "", err
	}
	given = make(map[string]value)
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, node := root.Content[i], root.Content[i+1]
		where := fmt.Sprintf("%s:%d: %s", path, key.Line, key.Value)
		setting, err := named(key.Value)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", where, err)
		}
		if _, twice := given[key.Value]; twice {
			return nil, "", fmt.Errorf("%s: stands twice", where)
		}
		text, err := flat(node)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", where, err)
		}
		if setting.Secret {
			secret = key.Value
		}
		given[key.Value] = value{where, text}
	}
	return given, secret, nil
}

// mapping reads the one document of the file; nil for a file with nothing in it.
func mapping(path string, data []byte) (*yaml.Node, error) {
	var doc, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: want a mapping of settings, such as addr: 127.0.0.1:8080", path, root.Line)
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: want one document, and there is something after it", path)
	}
	return root, nil
}

func named(key string) (Setting, error) {
	for _, s := range Settings() {
		if s.Key() == key {
			return s, nil
		}
	}
	return Setting{}, errors.New("is not a setting: see keyward serve --help")
}

// flat gives a node's text: of a scalar, or of a list of scalars with commas between them.
func flat(n *yaml.Node) (string, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" && n.Anchor == "":
		return n.Value, nil
	case n.Kind == yaml.SequenceNode && n.Anchor == "":
		parts := make([]string, len(n.Content))
		for i, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return "", errors.New("want a list of plain values")
			}
			parts[i] = item.Value
		}
		return strings.Join(parts, ","), nil
	}
	return "", errors.New("want a plain value")
}
