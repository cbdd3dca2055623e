package verifycodec

import (
	"net/netip"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/verify"
)

// Reader is the plain reader, with the memory that it needs between questions. It is not safe for concurrent use.
type Reader struct {
	scanner
	all, any   *perm.Gatherer
	workspaces []id.Workspace // those of the questions that were read last, one demand after the other
}

// Reader makes one.
func (c *Codec) Reader() *Reader {
	return &Reader{all: c.catalogue.Gatherer(), any: c.catalogue.Gatherer()}
}

func (r *Reader) begin(body []byte) {
	r.scanner, r.workspaces = scanner{b: body}, r.workspaces[:0]
}

// Question reads the body of verify into q, and allocates nothing but for a demand that was never made before. It
// answers false where the body is not plain or not right; q is then undefined. q.Key and q.Where are parts of the body
// and of the reader: q must outlive neither, nor the next question.
func (r *Reader) Question(body []byte, q *verify.Question) bool {
	r.begin(body)
	return r.question(q) && r.ended()
}

// Questions reads the body of verify-batch and appends the questions to qs, on the same terms.
func (r *Reader) Questions(body []byte, qs []verify.Question) ([]verify.Question, bool) {
	r.begin(body)
	if !r.skip('{') {
		return qs, false
	}
	if name, ok := r.name(); !ok || string(name) != "items" || !r.skip('[') {
		return qs, false
	}
	for first := len(qs); len(qs)-first < MaxBatch; {
		qs = append(qs, verify.Question{})
		if !r.question(&qs[len(qs)-1]) {
			return qs, false
		}
		switch {
		case r.skip(','):
		case r.skip(']'):
			return qs, r.skip('}') && r.ended()
		default:
			return qs, false
		}
	}
	return qs, false
}

// The members of a question, as bits of those that were seen.
const (
	seenKey = 1 << iota
	seenPermissions
	seenCost
	seenIP
	seenEnvironment
	seenWorkspace
)

func (r *Reader) question(q *verify.Question) bool {
	*q = verify.Question{Cost: 1}
	if !r.skip('{') {
		return false
	}
	for seen := 0; ; {
		name, ok := r.name()
		if !ok {
			return false
		}
		bit := 0
		switch string(name) {
		case "key":
			bit = seenKey
			var key []byte
			key, ok = r.text()
			q.Key = textOf(key)
		case "permissions":
			bit = seenPermissions
			ok = r.demand(&q.Demand)
		case "cost":
			bit = seenCost
			q.Cost, ok = r.number()
			ok = ok && q.Cost <= MaxCost
		case "ip":
			bit = seenIP
			q.IP, ok = r.address()
		case "environment":
			bit = seenEnvironment
			var name []byte
			if name, ok = r.text(); ok {
				q.Where.Environments, ok = account.OnlyEnvironment(textOf(name))
			}
		case "workspaceId":
			bit = seenWorkspace
			q.Where.Workspaces, ok = r.oneOf()
		}
		if !ok || bit == 0 || seen&bit != 0 {
			return false
		}
		seen |= bit
		switch {
		case r.skip(','):
		case r.skip('}'):
			return seen&seenKey != 0
		default:
			return false
		}
	}
}

// oneOf reads the id of a workspace, or a list of ids.
func (r *Reader) oneOf() ([]id.Workspace, bool) {
	first := len(r.workspaces)
	if r.peek() == '"' {
		ok := r.workspace()
		return r.workspaces[first:len(r.workspaces):len(r.workspaces)], ok
	}
	if !r.skip('[') {
		return nil, false
	}
	for len(r.workspaces)-first < account.MaxReach {
		if !r.workspace() {
			return nil, false
		}
		switch {
		case r.skip(','):
		case r.skip(']'):
			return r.workspaces[first:len(r.workspaces):len(r.workspaces)], true
		default:
			return nil, false
		}
	}
	return nil, false
}

// workspace reads one id and keeps it.
func (r *Reader) workspace() bool {
	name, ok := r.text()
	if !ok {
		return false
	}
	if _, ok = id.Parse(textOf(name)); ok {
		r.workspaces = append(r.workspaces, id.Workspace(textOf(name)))
	}
	return ok
}

func (r *Reader) address() (netip.Addr, bool) {
	text, ok := r.text()
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(textOf(text))
	return a, err == nil && a.Zone() == "" && strings.IndexByte(textOf(text), '%') < 0
}

// demand reads a list, or an object with the lists "all" and "any".
func (r *Reader) demand(d *perm.Demand) (ok bool) {
	if r.peek() == '[' {
		d.All, ok = r.set(r.all)
		return ok
	}
	if !r.skip('{') {
		return false
	}
	if r.skip('}') {
		return true
	}
	for all, any := false, false; ; {
		name, ok := r.name()
		switch {
		case ok && string(name) == "all" && !all:
			all = true
			d.All, ok = r.set(r.all)
		case ok && string(name) == "any" && !any:
			any = true
			d.Any, ok = r.set(r.any)
			ok = ok && !d.Any.IsEmpty() // the other reader says why
		default:
			return false
		}
		switch {
		case !ok:
			return false
		case r.skip(','):
		case r.skip('}'):
			return true
		default:
			return false
		}
	}
}

// set reads a list of permissions that the catalogue knows.
func (r *Reader) set(g *perm.Gatherer) (perm.Set, bool) {
	g.Reset()
	if !r.skip('[') {
		return perm.Set{}, false
	}
	if r.skip(']') {
		return perm.Set{}, true
	}
	for {
		name, ok := r.text()
		if !ok || !g.Add(name) {
			return perm.Set{}, false
		}
		switch {
		case r.skip(','):
		case r.skip(']'):
			return g.Set(), true
		default:
			return perm.Set{}, false
		}
	}
}
