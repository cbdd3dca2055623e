// Package gateway owns the decision for a proxy that asks whether a request may pass: the trusted headers, the
// request's demand, the refusals before a key is looked up, and the content of the answer. It is the same for every
// door (HTTP, the lean listener, gRPC): each fills an Asked, and writes a Decision in its own form. The decision
// about a key is verify's.
package gateway

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/routes"
	"github.com/keyward/keyward/internal/verify"
)

// Config holds the parts of a gate. Now is the clock for Retry-After.
type Config struct {
	Engine    *verify.Engine
	Catalogue *perm.Catalogue
	Format    keyfmt.Format
	Now       func() time.Time
	// TrustedProxies are the networks whose forwarded headers are believed; nil for none.
	TrustedProxies *Proxies
}

// Proxies is a list of networks that may be changed while it is used. Nil and the zero value hold none. It is safe for
// concurrent use.
type Proxies struct {
	list atomic.Pointer[[]netip.Prefix]
}

// NewProxies makes a list.
func NewProxies(networks ...netip.Prefix) *Proxies {
	p := new(Proxies)
	p.Set(networks)
	return p
}

// Set puts another list in the place of the one before.
func (p *Proxies) Set(networks []netip.Prefix) { p.list.Store(&networks) }

// List gives the networks of this moment.
func (p *Proxies) List() []netip.Prefix {
	if p == nil {
		return nil
	}
	if l := p.list.Load(); l != nil {
		return *l
	}
	return nil
}

// Gate decides. It is safe for concurrent use.
type Gate struct {
	Config
	table atomic.Pointer[routes.Table]
	names nameCache
	looks lookalike
}

// New makes a gate without a route table.
func New(c Config) *Gate {
	return &Gate{Config: c, looks: newLookalike(c.Format)}
}

// SetRoutes puts a table in the place of the one before, also while requests are decided; nil takes it away.
func (g *Gate) SetRoutes(t *routes.Table) { g.table.Store(t) }

// Routes gives the present table, nil for none.
func (g *Gate) Routes() *routes.Table { return g.table.Load() }

// Decide answers a in d, all of which it sets.
func (g *Gate) Decide(a *Asked, d *Decision) {
	*d = Decision{gate: g}
	if f := g.decide(a, d); f != nil {
		d.Fault = f
	}
	d.settle()
}

func (g *Gate) decide(a *Asked, d *Decision) *fault.Error {
	demand, where, err := g.readQuery(a, d)
	if err != nil {
		return err
	}
	if a.alias {
		return fault.Invalid("headers", "hold a second spelling of a header that is trusted")
	}
	proxies := g.TrustedProxies.List()
	trusted := contains(proxies, a.Peer)
	target, err := g.target(a, trusted)
	if err != nil {
		return err
	}
	if a.origin.times > 0 && g.crossOrigin(a, target, d) {
		return nil
	}
	token, err := a.token()
	if err != nil {
		return err
	}
	q := verify.Question{Key: token, Demand: demand, Where: where, Cost: 1}
	// With permission= the table is not needed. It is used all the same if the request is known: a proxy that sends
	// its client's query along must not let the client choose the demand.
	if !a.permissions || target.whole() {
		open, err := g.demandOf(target, &q)
		if err != nil || open && !a.permissions {
			d.unsaid = !target.whole()
			return err
		}
	}
	if token == "" {
		return fault.New(fault.Unauthenticated, "this needs an API key: Authorization: Bearer <key>, or X-API-Key: <key>")
	}
	d.Asked, d.tokenSent = true, true
	q.IP = a.client(proxies, trusted)
	g.Engine.Check(&q, &d.Verdict)
	return g.refusal(d)
}

// demandOf reads a request's demand from the table; open reports that it is public. Without a table every good key
// will do.
func (g *Gate) demandOf(to target, q *verify.Question) (open bool, err *fault.Error) {
	table := g.table.Load()
	if table == nil {
		return false, nil
	}
	if !to.whole() {
		return false, fault.New(
			fault.PermissionDenied, "the proxy did not say for which request it asks, or is not one whose word is believed",
			fault.Detail{Field: "X-Forwarded-Method, X-Forwarded-Uri", Message: "must both come from a trusted proxy"},
		)
	}
	r := table.Match(to.method, to.path)
	switch {
	case r == nil:
		return false, fault.New(fault.PermissionDenied, "no route admits this request")
	case r.Public:
		return true, nil
	}
	q.Demand = perm.Demand{All: q.Demand.All.Or(r.Demand.All), Any: r.Demand.Any}
	q.Where = q.Where.And(r.Where)
	q.Cost = r.Cost
	return false, nil
}

// refusal is the fault of a verdict that does not pass; nil for one that does. It tells a stranger only that the key
// is not good.
func (g *Gate) refusal(d *Decision) *fault.Error {
	f := d.Verdict.Code.Refusal()
	if f == nil {
		return nil
	}
	for _, name := range g.Catalogue.Names(d.Verdict.Missing) {
		f.Details = append(f.Details, fault.Detail{Field: "permissions", Message: name})
	}
	return f
}
