package routes

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/strictyaml"
)

// FromOpenAPI writes the file of a first table from the security requirements of an OpenAPI 3 document; name stands
// for it in errors. Operations that the document leaves open, and requirements that a rule cannot express, become
// comments, so that they are denied. The text is a good table, unless all of it is comments. Every rule allows pages
// of the given origins, if there are any; the API answers their preflight requests.
func FromOpenAPI(name string, data []byte, catalogue *perm.Catalogue, origins ...string) (string, error) {
	const most = 16 << 20
	for _, origin := range origins {
		if origin != AnyOrigin && !IsOrigin(origin) {
			return "", fmt.Errorf("%q is no origin: want scheme://host or scheme://host:port in lower case", origin)
		}
	}
	if len(data) > most {
		return "", fmt.Errorf("%s:1:1: is larger than %d bytes", name, most)
	}
	root, err := strictyaml.Document(name, data)
	if err != nil {
		return "", err
	}
	f := strictyaml.File(name)
	paths := child(root, "paths")
	if paths == nil || paths.Kind != yaml.MappingNode || !strings.HasPrefix(value(child(root, "openapi")), "3.") {
		return "", f.At(root, "want an OpenAPI 3 document with paths")
	}
	w := &tableWriter{catalogue: catalogue, prefix: basePath(root), common: child(root, "security"), seen: &Table{}}
	if len(origins) > 0 {
		w.cors = ", cors: {origins: ['" + strings.Join(origins, "', '") + "']}"
	}
	fmt.Fprintf(
		&w.b,
		"# A first route table, from the security requirements of %s.\n# Read it before you use it: what is a comment here is denied.\nroutes:\n",
		printableName(name),
	)
	for i := 0; i+1 < len(paths.Content); i += 2 {
		w.path(paths.Content[i].Value, paths.Content[i+1])
	}
	if len(w.seen.routes) > 0 {
		if _, err := Parse(name, []byte(w.b.String()), catalogue); err != nil {
			return "", fmt.Errorf("the table that was made is wrong: %w", err)
		}
	}
	return w.b.String(), nil
}

type tableWriter struct {
	b         strings.Builder
	catalogue *perm.Catalogue
	prefix    string     // of every path
	common    *yaml.Node // the security of operations that have none of their own
	seen      *Table     // what was written
	cors      string     // member of every rule, with the comma before it
}

var operations = []string{"get", "head", "post", "put", "patch", "delete", "options", "trace"}

func (w *tableWriter) path(path string, item *yaml.Node) {
	full := w.prefix + path
	if item.Kind != yaml.MappingNode {
		w.comment(full, "is no path item")
		return
	}
	if child(item, "$ref") != nil {
		w.comment(full, "stands elsewhere ($ref): write its rules by hand")
		return
	}
	for i := 0; i+1 < len(item.Content); i += 2 {
		if name := item.Content[i].Value; slices.Contains(operations, name) {
			w.operation(strings.ToUpper(name), full, item.Content[i+1])
		}
	}
}

func (w *tableWriter) operation(method, path string, op *yaml.Node) {
	request := method + " " + path
	if why := checkPattern(path); why != "" {
		w.comment(request, "cannot be written as a rule: "+why)
		return
	}
	security := child(op, "security")
	if security == nil {
		security = w.common
	}
	if security == nil || security.Kind != yaml.SequenceNode {
		w.comment(request, "the document says nothing of who may call it")
		return
	}
	says, why := w.demand(security)
	if why != "" {
		w.comment(request, why)
		return
	}
	if before, _ := w.seen.add(&Route{Methods: []string{method}, Path: path}); before != nil {
		w.comment(request, "is the same request as "+before.Path)
		return
	}
	fmt.Fprintf(&w.b, "  - {method: %s, path: %s, %s%s}\n", method, quoted(path), says, w.cors)
}

// demand turns security requirements into a rule's words: alternatives, each of them scopes that are needed together.
func (w *tableWriter) demand(security *yaml.Node) (says, why string) {
	var sets [][]string
	for _, alternative := range security.Content {
		var scopes []string
		for i := 0; i+1 < len(alternative.Content); i += 2 {
			for _, scope := range alternative.Content[i+1].Content {
				if !w.catalogue.Has(scope.Value) {
					return "", fmt.Sprintf("%q is not in the catalogue of permissions", scope.Value)
				}
				if !slices.Contains(scopes, scope.Value) {
					scopes = append(scopes, scope.Value)
				}
			}
		}
		if len(alternative.Content) == 0 {
			return "public: true", "" // {}: it may be called without anything
		}
		sets = append(sets, scopes)
	}
	switch {
	case len(sets) == 0:
		return "public: true", ""
	case len(sets) == 1:
		return "permissions: [" + strings.Join(sets[0], ", ") + "]", ""
	}
	var one []string
	for _, set := range sets {
		if len(set) != 1 {
			if slices.ContainsFunc(sets, func(s []string) bool { return !slices.Equal(s, sets[0]) }) {
				return "", "its alternatives ask for different sets of permissions: choose one"
			}
			return "permissions: [" + strings.Join(set, ", ") + "]", ""
		}
		if !slices.Contains(one, set[0]) {
			one = append(one, set[0])
		}
	}
	return "permissions: {any: [" + strings.Join(one, ", ") + "]}", ""
}

func (w *tableWriter) comment(request, why string) {
	fmt.Fprintf(&w.b, "  # %s: %s\n", printableName(request), printableName(why))
}

// basePath is the path of the first server.
func basePath(root *yaml.Node) string {
	servers := child(root, "servers")
	if servers == nil || len(servers.Content) == 0 {
		return ""
	}
	u, err := url.Parse(value(child(servers.Content[0], "url")))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.EscapedPath(), "/")
}

func child(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func value(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	return n.Value
}

// quoted is a text in YAML's single quotes.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// printableName keeps a text on its line.
func printableName(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return '?'
		}
		return r
	}, s)
}
