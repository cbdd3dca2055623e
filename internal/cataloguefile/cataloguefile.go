// Package cataloguefile owns the catalogue's file: YAML that lists the permissions of a platform, read strictly, so
// that errors name line and column. It does not own catalogues (perm).
//
// The file is a list of {resource, action, description}, or a mapping whose one member `permissions` is that list. A
// description may be left out. Anchors, aliases and further documents are refused: a catalogue is read by people
// first.
package cataloguefile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/strictyaml"
	"github.com/keyward/keyward/internal/text"
	"go.yaml.in/yaml/v3"
)

// MaxSize bounds a catalogue's file, in bytes.
const MaxSize = 1 << 20

// maxDescription bounds a description, in characters.
const maxDescription = 500

// Read reads the file at path. An error about its content begins with FILE:LINE:COLUMN.
func Read(path string) (*perm.Catalogue, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Missing lists the permissions that Keyward's own operations require and the catalogue lacks: without them, only
// service keys can perform those operations.
func Missing(c *perm.Catalogue) []string {
	var missing []string
	for _, name := range account.OwnPermissions() {
		if !c.Has(name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// Parse reads a catalogue out of data; name stands for the file in errors.
func Parse(name string, data []byte) (*perm.Catalogue, error) {
	p := parser{strictyaml.File(name)}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%s:1:1: is larger than %d bytes", name, MaxSize)
	}
	root, err := strictyaml.Document(name, data)
	if err != nil {
		return nil, err
	}
	list, err := p.list(root)
	if err != nil {
		return nil, err
	}
	entries := make([]perm.Entry, len(list.Content))
	places := make([]place, len(list.Content))
	for i, item := range list.Content {
		if entries[i], places[i], err = p.entry(item); err != nil {
			return nil, err
		}
	}
	c, err := perm.New(entries)
	if err != nil {
		return nil, p.locate(err, list, places)
	}
	return c, nil
}

// parser carries the file's name for errors.
type parser struct{ strictyaml.File }

// place is where the parts of one entry stand.
type place struct{ whole, resource, action, description *yaml.Node }

// list finds the sequence of entries in either form of the file.
func (p parser) list(root *yaml.Node) (*yaml.Node, error) {
	if err := p.Plain(root); err != nil {
		return nil, err
	}
	switch root.Kind {
	case yaml.SequenceNode:
		return root, nil
	case yaml.MappingNode:
		members, err := p.Members(root, "permissions")
		if err != nil {
			return nil, err
		}
		list := members["permissions"]
		if list == nil {
			return nil, p.At(root, "there is no member permissions")
		}
		if list.Kind != yaml.SequenceNode {
			return nil, p.At(list, "permissions: want a list, not %s", strictyaml.Kind(list))
		}
		return list, nil
	}
	return nil, p.At(root, "want a list of permissions, not %s", strictyaml.Kind(root))
}

func (p parser) entry(item *yaml.Node) (perm.Entry, place, error) {
	if err := p.Plain(item); err != nil {
		return perm.Entry{}, place{}, err
	}
	if item.Kind != yaml.MappingNode {
		return perm.Entry{}, place{}, p.At(item, "want {resource, action, description}, not %s", strictyaml.Kind(item))
	}
	members, err := p.Members(item, "resource", "action", "description")
	if err != nil {
		return perm.Entry{}, place{}, err
	}
	at := place{whole: item, resource: members["resource"], action: members["action"], description: members["description"]}
	var e perm.Entry
	for _, field := range []struct {
		name     string
		to       *string
		required bool
	}{{"resource", &e.Resource, true}, {"action", &e.Action, true}, {"description", &e.Description, false}} {
		n := members[field.name]
		switch {
		case n == nil && field.required:
			return e, at, p.At(item, "there is no %s", field.name)
		case n == nil:
		case !strictyaml.IsText(n):
			return e, at, p.At(n, "%s: want text, not %s", field.name, strictyaml.Kind(n))
		default:
			*field.to = n.Value
		}
	}
	if e.Description, err = text.Line(e.Description, maxDescription); err != nil {
		return e, at, p.At(at.description, "description: %v", err)
	}
	return e, at, nil
}

// locate puts the place of a wrong entry before its error.
func (p parser) locate(err error, list *yaml.Node, places []place) error {
	var wrong *perm.EntryError
	if !errors.As(err, &wrong) || wrong.Index >= len(places) {
		return p.At(list, "%v", err)
	}
	if len(places) > perm.MaxEntries {
		return p.At(list, "%s", wrong.Why)
	}
	at := places[wrong.Index]
	switch {
	case wrong.Field == "resource":
		return p.At(at.resource, "resource: %s", wrong.Why)
	case wrong.Field == "action":
		return p.At(at.action, "action: %s", wrong.Why)
	case wrong.Field == "description" && at.description != nil:
		return p.At(at.description, "description: %s", wrong.Why)
	}
	return p.At(at.whole, "%s", wrong.Why)
}
