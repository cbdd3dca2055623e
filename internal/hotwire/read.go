package hotwire

import (
	"net/netip"
	"strings"

	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/verify"
)

// Reader is the plain reader, with the memory that it needs between questions. It is not safe for concurrent use.
type Reader struct {
	scanner
	all, any *perm.Gatherer
}

// Reader makes one.
func (c *Codec) Reader() *Reader {
	return &Reader{all: c.catalogue.Gatherer(), any: c.catalogue.Gatherer()}
}

// Question reads the body of verify into q, and allocates nothing but for a demand that was never made before. It answers false
// where the body is not plain or not right; q is then undefined. q.Key is a part of the body: q must not outlive it.
func (r *Reader) Question(body []byte, q *verify.Question) bool {
	r.scanner = scanner{b: body}
	return r.question(q) && r.ended()
}

// Questions reads the body of verify-batch and appends the questions to qs, on the same terms.
func (r *Reader) Questions(body []byte, qs []verify.Question) ([]verify.Question, bool) {
	r.scanner = scanner{b: body}
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
