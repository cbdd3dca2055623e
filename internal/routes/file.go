package routes

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/canonpath"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/strictyaml"
)

const (
	maxSize   = 1 << 20 // bytes of a file
	maxRoutes = 10_000
	maxPath   = 1024 // bytes of a pattern
	maxCost   = 1000
)

// Read reads a table from the file at path. An error about its content begins with FILE:LINE:COLUMN.
func Read(path string, catalogue *perm.Catalogue) (*Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	return Parse(path, data, catalogue)
}

// Parse reads a table out of data; name stands for the file in errors. Permissions must be in the catalogue.
//
//	environment: live
//	routes:
//	  - method: GET
//	    path: /v1/calls/{id}
//	    permissions: [calls:read]
//	  - method: [POST, PUT]
//	    path: /v1/calls
//	    permissions: {any: [calls:write, calls:delete]}
//	    cost: 5
//	    cors: {origins: ['https://app.example.com']}
//	  - method: GET
//	    path: /sandbox/**
//	    permissions: []
//	    environment: test
//	  - method: '*'
//	    path: /status
//	    public: true
func Parse(name string, data []byte, catalogue *perm.Catalogue) (*Table, error) {
	p := reader{File: strictyaml.File(name), catalogue: catalogue}
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s:1:1: is larger than %d bytes", name, maxSize)
	}
	root, err := strictyaml.Document(name, data)
	if err != nil {
		return nil, err
	}
	list, err := p.list(root)
	if err != nil {
		return nil, err
	}
	t := &Table{name: name}
	for _, item := range list.Content {
		r, err := p.route(item)
		if err != nil {
			return nil, err
		}
		if before, method := t.add(r); before != nil {
			return nil, p.At(item, "%s %s is the same request as the rule in line %d", method, r.Path, before.Line)
		}
	}
	return t, nil
}

// reader carries the parameters of reading a file.
type reader struct {
	strictyaml.File
	catalogue *perm.Catalogue
	where     account.Reach // of the routes that do not say it themselves
}

func (p *reader) list(root *yaml.Node) (*yaml.Node, error) {
	if err := p.Plain(root); err != nil {
		return nil, err
	}
	if root.Kind != yaml.MappingNode {
		return nil, p.At(root, "want a mapping with the member routes, not %s", strictyaml.Kind(root))
	}
	members, err := p.Members(root, "routes", "environment", "workspaceId")
	if err != nil {
		return nil, err
	}
	if p.where, err = p.reach(members, account.Reach{}); err != nil {
		return nil, err
	}
	list := members["routes"]
	switch {
	case list == nil:
		return nil, p.At(root, "there is no member routes")
	case list.Kind != yaml.SequenceNode:
		return nil, p.At(list, "routes: want a list, not %s", strictyaml.Kind(list))
	case len(list.Content) == 0:
		return nil, p.At(list, "routes: the list is empty, and everything would be denied")
	case len(list.Content) > maxRoutes:
		return nil, p.At(list, "routes: holds more than %d rules", maxRoutes)
	}
	return list, nil
}

func (p reader) route(item *yaml.Node) (*Route, error) {
	if err := p.Plain(item); err != nil {
		return nil, err
	}
	if item.Kind != yaml.MappingNode {
		return nil, p.At(item, "want {method, path, permissions}, not %s", strictyaml.Kind(item))
	}
	m, err := p.Members(item, "method", "path", "permissions", "public", "cost", "cors", "environment", "workspaceId")
	if err != nil {
		return nil, err
	}
	r := &Route{Line: item.Line, Cost: 1}
	if r.Methods, err = p.methods(item, m["method"]); err != nil {
		return nil, err
	}
	if r.Path, err = p.path(item, m["path"]); err != nil {
		return nil, err
	}
	if r.Public, err = p.public(m["public"]); err != nil {
		return nil, err
	}
	if r.CORS, err = p.cors(m["cors"]); err != nil {
		return nil, err
	}
	if r.Public {
		for _, name := range []string{"permissions", "cost", "environment", "workspaceId"} {
			if m[name] != nil {
				return nil, p.At(m[name], "%s: stands beside public: true, which asks for no key", name)
			}
		}
		return r, nil
	}
	if m["permissions"] == nil {
		return nil, p.At(item, "there is no permissions: want a list, [] for any key that is good, or public: true")
	}
	if r.Where, err = p.reach(m, p.where); err != nil {
		return nil, err
	}
	if err := p.demand(r, m["permissions"]); err != nil {
		return nil, err
	}
	r.Cost, err = p.cost(m["cost"])
	return r, err
}

func (p reader) methods(item, n *yaml.Node) ([]string, error) {
	if n == nil {
		return nil, p.At(item, "there is no method: want one, a list, or '*' for every method")
	}
	names, places, err := p.texts("method", n)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		switch {
		case name == AnyMethod && len(names) > 1:
			return nil, p.At(places[i], "method: '*' is every method, and stands alone")
		case name != AnyMethod && !validMethod(name):
			return nil, p.At(places[i], "method: %q: want upper-case letters, such as GET, or '*' for every method", name)
		case slices.Contains(names[:i], name):
			return nil, p.At(places[i], "method: %s stands twice", name)
		}
	}
	if len(names) == 0 {
		return nil, p.At(n, "method: the list is empty")
	}
	return names, nil
}

func (p reader) path(item, n *yaml.Node) (string, error) {
	if n == nil {
		return "", p.At(item, "there is no path")
	}
	if !strictyaml.IsText(n) {
		return "", p.At(n, "path: want text, not %s", strictyaml.Kind(n))
	}
	if why := checkPattern(n.Value); why != "" {
		return "", p.At(n, "path: %s", why)
	}
	return n.Value, nil
}

// checkPattern returns the error of a pattern, "" for none.
func checkPattern(path string) string {
	if len(path) > maxPath {
		return fmt.Sprintf("is longer than %d bytes", maxPath)
	}
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return "must begin with /"
	}
	if rest == "" {
		return ""
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "" && last:
		case s == "**" && last:
		case s == "**":
			return "** stands for everything that follows: it must be the last segment"
		case strings.ContainsAny(s, "{}*"):
			if why := checkWild(s); why != "" {
				return why
			}
		case s == "" || !canonpath.Open("/"+s):
			return fmt.Sprintf("%q is not in canonical form: no request could match it", s)
		}
	}
	return ""
}

func checkWild(s string) string {
	name, opened := strings.CutPrefix(s, "{")
	name, closed := strings.CutSuffix(name, "}")
	if !opened || !closed || name == "" || strings.ContainsAny(name, "{}*%") {
		return fmt.Sprintf("%q: want a whole segment as {name}, or ** at the end", s)
	}
	return ""
}

func (p reader) public(n *yaml.Node) (bool, error) {
	switch {
	case n == nil:
		return false, nil
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Value != "true":
		return false, p.At(n, "public: want true, or leave it out")
	}
	return true, nil
}

func (p reader) demand(r *Route, n *yaml.Node) (err error) {
	if n.Kind != yaml.MappingNode {
		r.All, r.Demand.All, err = p.permissions("permissions", n)
		return err
	}
	m, err := p.Members(n, "all", "any")
	if err != nil {
		return err
	}
	if all := m["all"]; all != nil {
		if r.All, r.Demand.All, err = p.permissions("all", all); err != nil {
			return err
		}
	}
	one := m["any"]
	if one == nil && m["all"] == nil {
		return p.At(n, "permissions: want all, any, or a list")
	}
	if one == nil {
		return nil
	}
	if r.Any, r.Demand.Any, err = p.permissions("any", one); err == nil && len(r.Any) == 0 {
		return p.At(one, "any: the list is empty, and nothing could meet it")
	}
	return err
}

// reach reads environment and workspaceId, each one name or a list; a missing one keeps its former value.
func (p reader) reach(m map[string]*yaml.Node, before account.Reach) (account.Reach, error) {
	r := before
	if n := m["environment"]; n != nil {
		r.Environments = nil
		err := p.each("environment", n, func(name string) bool {
			list, ok := account.OnlyEnvironment(name)
			r.Environments = append(r.Environments, list...)
			return ok
		}, "want live or test")
		if err != nil {
			return r, err
		}
	}
	if n := m["workspaceId"]; n != nil {
		r.Workspaces = nil
		return r, p.each("workspaceId", n, func(name string) bool {
			name = id.Canonical(name)
			_, ok := id.Parse(name)
			r.Workspaces = append(r.Workspaces, id.Workspace(name))
			return ok
		}, "want the id of a workspace")
	}
	return r, nil
}

// each hands over every text of a node that must hold 1 to account.MaxReach of them.
func (p reader) each(field string, n *yaml.Node, take func(string) bool, want string) error {
	names, places, err := p.texts(field, n)
	if err != nil {
		return err
	}
	if len(names) == 0 || len(names) > account.MaxReach {
		return p.At(n, "%s: want 1 to %d names; leave it out for no demand", field, account.MaxReach)
	}
	for i, name := range names {
		if !take(name) {
			return p.At(places[i], "%s: %q: %s", field, name, want)
		}
	}
	return nil
}

func (p reader) permissions(field string, n *yaml.Node) ([]string, perm.Set, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, perm.Set{}, p.At(n, "%s: want a list, not %s", field, strictyaml.Kind(n))
	}
	names, places, err := p.texts(field, n)
	if err != nil {
		return nil, perm.Set{}, err
	}
	set, unknown, ok := p.catalogue.Set(names)
	if !ok {
		return nil, set, p.At(places[unknown], "%s: %q is not in the catalogue of permissions", field, names[unknown])
	}
	return names, set, nil
}

func (p reader) cost(n *yaml.Node) (int, error) {
	if n == nil {
		return 1, nil
	}
	c, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || c < 0 || c > maxCost {
		return 0, p.At(n, "cost: want a whole number from 0 to %d", maxCost)
	}
	return c, nil
}

// texts reads one text or a list of them.
func (p reader) texts(field string, n *yaml.Node) (texts []string, places []*yaml.Node, err error) {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		if err := p.Plain(item); err != nil {
			return nil, nil, err
		}
		if !strictyaml.IsText(item) {
			return nil, nil, p.At(item, "%s: want text, not %s", field, strictyaml.Kind(item))
		}
		texts, places = append(texts, item.Value), append(places, item)
	}
	return texts, places, nil
}
