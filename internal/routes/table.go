// Package routes owns the route table of an API behind a gateway: the permissions and the cost of each method and
// path, and the public ones. It reads the table's file, matches, and writes a first table from an OpenAPI document.
// It does not own the decision about a request (gateway) nor canonical paths (canonpath).
package routes

import (
	"net/http"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/canonpath"
	"github.com/keyward/keyward/internal/perm"
)

// Route is one rule: the demand on requests of its methods and path.
type Route struct {
	Methods []string // AnyMethod alone for all of them
	Path    string   // as it is written: /v1/calls/{id}, or /v1/** for everything below
	Public  bool     // nobody has to show a key
	Demand  perm.Demand
	Where   account.Reach // the workspaces and environments whose keys are admitted
	All     []string      // the demand's names, for people
	Any     []string
	Cost    int   // what a request takes from the key's limits
	CORS    *CORS // nil where pages of other origins are not told anything
	Line    int   // in the file
}

// AnyMethod stands for every method.
const AnyMethod = "*"

// Table finds the rule of a request. A request without a rule is denied. It never changes, and is safe for concurrent
// use.
type Table struct {
	name   string
	routes []*Route
	root   node
}

// node is the place in the tree after some segments.
type node struct {
	literal map[string]*node
	param   *node
	here    terminal // the path ends here
	slash   terminal // the path ends here with a slash
	below   terminal // anything may follow, and nothing too
}

// terminal holds the rules of one pattern, by method.
type terminal map[string]*Route

// find gives the rule of a method. GET's is HEAD's too, unless HEAD has one.
func (t terminal) find(method string) *Route {
	if len(t) == 0 {
		return nil
	}
	if r := t[method]; r != nil {
		return r
	}
	if method == http.MethodHead && t[http.MethodGet] != nil {
		return t[http.MethodGet]
	}
	return t[AnyMethod]
}

// Routes lists the rules in the file's order. They must not be changed.
func (t *Table) Routes() []*Route { return t.routes }

// Name is the table's file.
func (t *Table) Name() string { return t.name }

// Match finds the rule for a method and an escaped path, which must be canonical (canonpath.Open); nil if there is
// none. The more specific rule wins, in any order: from the left, a written segment comes before {any}, {any} before
// **, and a written method before any method. It allocates only if the path holds escapes.
func (t *Table) Match(method, path string) *Route {
	return t.root.match(method, strings.TrimPrefix(path, "/"))
}

func (n *node) match(method, rest string) *Route {
	if r := n.exact(method, rest); r != nil {
		return r
	}
	return n.below.find(method)
}

func (n *node) exact(method, rest string) *Route {
	segment, after, more := strings.Cut(rest, "/")
	if segment == "" { // the path ended before, with a slash
		return n.slash.find(method)
	}
	if next := n.literal[canonpath.Decode(segment)]; next != nil {
		if r := next.follow(method, after, more); r != nil {
			return r
		}
	}
	if n.param != nil {
		return n.param.follow(method, after, more)
	}
	return nil
}

func (n *node) follow(method, rest string, more bool) *Route {
	if more {
		return n.match(method, rest)
	}
	if r := n.here.find(method); r != nil {
		return r
	}
	return n.below.find(method)
}

// terminalOf walks to the place of a pattern, and makes the way where there is none yet.
func (n *node) terminalOf(path string) *terminal {
	rest := path[1:]
	if rest == "" {
		return &n.slash
	}
	at := n
	for segment := range strings.SplitSeq(rest, "/") {
		switch {
		case segment == "":
			return &at.slash
		case segment == "**":
			return &at.below
		case strings.HasPrefix(segment, "{"):
			if at.param == nil {
				at.param = &node{}
			}
			at = at.param
		default:
			literal := canonpath.Decode(segment)
			if at.literal == nil {
				at.literal = map[string]*node{}
			}
			if at.literal[literal] == nil {
				at.literal[literal] = &node{}
			}
			at = at.literal[literal]
		}
	}
	return &at.here
}

// add hangs a rule into the tree, and answers the one that stands there already, if one does.
func (t *Table) add(r *Route) (before *Route, method string) {
	at := t.root.terminalOf(r.Path)
	if *at == nil {
		*at = terminal{}
	}
	for _, m := range r.Methods {
		if (*at)[m] != nil {
			return (*at)[m], m
		}
		(*at)[m] = r
	}
	t.routes = append(t.routes, r)
	return nil, ""
}

// Signature is a rule's methods and path as one line.
func (r *Route) Signature() string { return strings.Join(r.Methods, ",") + " " + r.Path }

// Says describes a rule's demand for people.
func (r *Route) Says() string {
	if r.Public {
		return "public: no key is asked for"
	}
	var parts []string
	if len(r.All) > 0 {
		parts = append(parts, "all of "+strings.Join(r.All, ", "))
	}
	if len(r.Any) > 0 {
		parts = append(parts, "one of "+strings.Join(r.Any, ", "))
	}
	if len(parts) == 0 {
		parts = append(parts, "any key that is good")
	}
	if r.Where.Environments != nil {
		parts = append(parts, "of the environment "+strings.Join(texts(r.Where.Environments), " or "))
	}
	if r.Where.Workspaces != nil {
		parts = append(parts, "of the workspace "+strings.Join(texts(r.Where.Workspaces), " or "))
	}
	return strings.Join(parts, "; and ")
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, one := range list {
		out[i] = string(one)
	}
	return out
}

// validMethod: a token of upper-case letters and hyphens, as all registered methods are (RFC 9110, section 16.1).
func validMethod(m string) bool {
	return m != "" && len(m) <= 32 &&
		!strings.ContainsFunc(m, func(r rune) bool { return r != '-' && (r < 'A' || r > 'Z') })
}
