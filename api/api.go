// Package api owns the contract as a document: openapi.yaml, written by hand, and the two forms in which a server gives
// it away, JSON for programs and pages for people. It does not own the operations themselves, nor the check of
// answers against the document (apitest).
package api

import (
	_ "embed"
	"fmt"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed openapi.yaml
var source []byte

//go:embed style.css
var stylesheet []byte

//go:embed docs.js
var script []byte

var (
	asJSON = sync.OnceValues(func() ([]byte, error) {
		root, err := parse()
		if err != nil {
			return nil, err
		}
		return appendJSON(nil, root)
	})
	asPages = sync.OnceValues(render)
)

// YAML gives the document as it is written, comments included. The bytes are shared and must not be changed.
func YAML() []byte { return source }

// JSON gives the document as JSON, its members in the order of the source. The first call converts it, in some
// milliseconds; the bytes are shared and must not be changed. An error means that the document is broken, which a test
// rules out.
func JSON() ([]byte, error) { return asJSON() }

// Reference gives the document as pages of HTML, by their names: "" for the first one, one for each tag, and
// ObjectsPage. They can be read without scripts, and ask for nothing but /docs/style.css and /docs/docs.js, which are
// Stylesheet and Script, and /assets/icon.svg, which is the dashboard's. The first call renders them; map and bytes are
// shared and must not be changed.
func Reference() (map[string][]byte, error) { return asPages() }

// Script gives the script of the reference: search, and questions to this server. The bytes are shared and must not be
// changed.
func Script() []byte { return script }

// Stylesheet gives the style of the reference page. The bytes are shared and must not be changed.
func Stylesheet() []byte { return stylesheet }

// parse reads the source into a tree that keeps the order of members.
func parse() (*yaml.Node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(source, &document); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		return nil, fmt.Errorf("read openapi.yaml: want one document")
	}
	return document.Content[0], nil
}
