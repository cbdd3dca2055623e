package api

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// tree walks the document in the order in which it is written. The zero tree stands for a missing value: looking
// further into it finds nothing again.
type tree struct {
	root *yaml.Node
	node *yaml.Node
	ref  string // the last part of the $ref that led here, "" for none
}

// member is one name and its value.
type member struct {
	name string
	tree tree
}

func (t tree) exists() bool { return t.node != nil }

// get follows names downwards, through references.
func (t tree) get(names ...string) tree {
	for _, name := range names {
		t = t.child(name)
	}
	return t
}

func (t tree) child(name string) tree {
	if t.node == nil || t.node.Kind != yaml.MappingNode {
		return tree{root: t.root}
	}
	for i := 0; i+1 < len(t.node.Content); i += 2 {
		if t.node.Content[i].Value == name {
			return t.resolve(t.node.Content[i+1])
		}
	}
	return tree{root: t.root}
}

// members lists the names of a mapping in order, references followed.
func (t tree) members() []member {
	if t.node == nil || t.node.Kind != yaml.MappingNode {
		return nil
	}
	var all []member
	for i := 0; i+1 < len(t.node.Content); i += 2 {
		all = append(all, member{t.node.Content[i].Value, t.resolve(t.node.Content[i+1])})
	}
	return all
}

// items lists a sequence, references followed.
func (t tree) items() []tree {
	if t.node == nil || t.node.Kind != yaml.SequenceNode {
		return nil
	}
	var all []tree
	for _, n := range t.node.Content {
		all = append(all, t.resolve(n))
	}
	return all
}

// text gives a scalar as it is written, "" for anything else.
func (t tree) text() string {
	if t.node == nil || t.node.Kind != yaml.ScalarNode {
		return ""
	}
	return t.node.Value
}

// texts gives a sequence of scalars, or a single one.
func (t tree) texts() []string {
	if s := t.text(); s != "" {
		return []string{s}
	}
	var all []string
	for _, item := range t.items() {
		all = append(all, item.text())
	}
	return all
}

// resolve follows a reference. Members beside it (another description, a default) override those of its target.
func (t tree) resolve(n *yaml.Node) tree {
	at := tree{root: t.root, node: n}
	if n.Kind != yaml.MappingNode {
		return at
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "$ref" {
			continue
		}
		target, name := t.follow(n.Content[i+1].Value)
		if len(n.Content) > 2 && target.node != nil {
			target.node = beside(n, target.node)
		}
		target.ref = name
		return target
	}
	return at
}

// follow returns the target of #/a/b/c, and the c.
func (t tree) follow(ref string) (tree, string) {
	path, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return tree{root: t.root}, ""
	}
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(p)
	}
	return tree{root: t.root, node: t.root}.get(parts...), parts[len(parts)-1]
}

func beside(here, there *yaml.Node) *yaml.Node {
	merged := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: here.Line}
	for i := 0; i+1 < len(here.Content); i += 2 {
		if here.Content[i].Value != "$ref" {
			merged.Content = append(merged.Content, here.Content[i], here.Content[i+1])
		}
	}
	merged.Content = append(merged.Content, there.Content...)
	return merged
}

// json writes the value for people to read.
func (t tree) json() (string, error) {
	b, err := appendJSON(nil, t.node)
	if err != nil {
		return "", fmt.Errorf("example: %w", err)
	}
	return indent(b), nil
}
