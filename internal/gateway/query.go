package gateway

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/canonpath"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/session"
)

// denyStatus is the only status to which refusals can be turned: that which nginx's auth_request passes on beside 401.
const denyStatus = "403"

const maxDemanded = 256 // permissions in one query

// inQuery holds the demands in the URL of a check.
type inQuery struct {
	permissions, environments, workspaces []string

	wrong   *fault.Error // the first one
	denials int
}

func (q *inQuery) note(f *fault.Error) {
	if q.wrong == nil {
		q.wrong = f
	}
}

// readQuery reads the query of the check itself: permission= and workspaceId=, repeatable, environment= and
// deny_status=403. Any other parameter is refused, a mistyped permision= above all. It reads all of it before it
// refuses, because deny_status says how.
func (g *Gate) readQuery(a *Asked, d *Decision) (demand perm.Demand, where account.Reach, f *fault.Error) {
	if a.Query == "" {
		return demand, where, nil
	}
	var q inQuery
	for pair := range strings.SplitSeq(a.Query, "&") {
		g.readPair(pair, &q, d)
	}
	if q.wrong != nil {
		return demand, where, q.wrong
	}
	if demand, f = g.demanded(a, q.permissions); f != nil {
		return demand, where, f
	}
	where, f = q.where()
	return demand, where, f
}

func (g *Gate) readPair(pair string, q *inQuery, d *Decision) {
	name, value, ok := parameter(pair)
	switch {
	case pair == "":
	case !ok:
		q.note(fault.Invalid("query", "is not well formed"))
	case NamesCredential(name):
		q.note(KeyInURL(strings.ToLower(name)))
	case g.looks.like(name) || g.looks.like(value):
		q.note(KeyInURL("query"))
	case name == "deny_status":
		if q.denials++; q.denials > 1 {
			q.note(fault.Invalid("deny_status", "stands more than once"))
		}
		if d.denied = d.denied || value == denyStatus; value != denyStatus {
			q.note(fault.Invalid("deny_status", "must be "+denyStatus))
		}
	case name == "permission":
		q.permissions = append(q.permissions, value)
	case name == "environment":
		q.environments = append(q.environments, value)
	case name == "workspaceId":
		q.workspaces = append(q.workspaces, value)
	default:
		q.note(
			fault.Invalid(
				"query", "holds a parameter that is not known: want permission, environment, workspaceId or deny_status",
			),
		)
	}
}

// where reads the demand for an environment and for one of several workspaces.
func (q *inQuery) where() (r account.Reach, f *fault.Error) {
	if n := len(q.environments); n > 0 {
		var ok bool
		if r.Environments, ok = account.OnlyEnvironment(q.environments[0]); !ok {
			return r, fault.Invalid("environment", "must be live or test")
		}
		if n > 1 {
			return r, fault.Invalid("environment", "stands more than once")
		}
	}
	if len(q.workspaces) > account.MaxReach {
		return r, fault.Invalid("workspaceId", "stands more than %d times", account.MaxReach)
	}
	for _, name := range q.workspaces {
		name = id.Canonical(name)
		if _, ok := id.Parse(name); !ok {
			return r, fault.Invalid("workspaceId", "must be the id of a workspace")
		}
		r.Workspaces = append(r.Workspaces, id.Workspace(name))
	}
	return r, nil
}

func (g *Gate) demanded(a *Asked, names []string) (demand perm.Demand, f *fault.Error) {
	if a.permissions = len(names) > 0; !a.permissions {
		return demand, nil
	}
	if len(names) > maxDemanded {
		return demand, fault.Invalid("permission", "stands more than %d times", maxDemanded)
	}
	all, unknown, ok := g.Catalogue.Set(names)
	if !ok {
		return demand, fault.Invalid("permission["+strconv.Itoa(unknown)+"]", "is not in the catalogue of permissions")
	}
	return perm.Demand{All: all}, nil
}

// parameter reads one pair of a query. It allocates only where something is escaped.
func parameter(pair string) (name, value string, ok bool) {
	name, value, _ = strings.Cut(pair, "=")
	if !strings.ContainsAny(pair, "%+;") {
		return name, value, true
	}
	name, errName := url.QueryUnescape(name)
	value, errValue := url.QueryUnescape(value)
	return name, value, errName == nil && errValue == nil && !strings.Contains(pair, ";")
}

// credentialNames are parameters in which people put keys.
var credentialNames = []string{"api_key", "apikey", "api-key", "x-api-key", "access_token", "key", "token"}

// NamesCredential tells whether a parameter of a URL of ours is one in which people put keys.
func NamesCredential(parameter string) bool {
	return slices.Contains(credentialNames, strings.ToLower(parameter))
}

// KeyInURL refuses a credential in a URL; it is never looked up.
func KeyInURL(field string) *fault.Error {
	return fault.Invalid(
		field,
		"a credential must not stand in a URL, where logs keep it: treat it as exposed, and send it in the Authorization header",
	)
}

// lookalike finds one of this installation's credentials (a key, a service key, a session's token, a sign-in code),
// whole or cut short, in the URL of a request that is not ours.
type lookalike struct{ keys *keyfmt.Finder }

var signedIn = regexp.MustCompile(session.Pattern)

func newLookalike(f keyfmt.Format) lookalike { return lookalike{f.Finder(9)} }

// like costs a search for each prefix where there is none.
func (l lookalike) like(s string) bool {
	return l.keys.In(s) || strings.Contains(s, session.Begin) && signedIn.MatchString(s)
}

func (l lookalike) inPath(path string) bool { return l.like(canonpath.Decode(path)) }

// inQuery looks at a query with an unknown grammar: as it stands, and with the escapes decoded.
func (l lookalike) inQuery(query string) bool {
	return query != "" && (l.like(query) || strings.IndexByte(query, '%') >= 0 && l.like(canonpath.Decode(query)))
}
