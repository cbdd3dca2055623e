// Package verify owns the decision: key in, verdict out. Every door asks here, the verification routes and the gateways' as well as
// our own API for its callers. It does not own the facts (replica), the text of keys (keyfmt), limits, nor how a verdict is told.
package verify

import (
	"net/netip"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
)

// Code is the outcome of a verification, a word of the wire contract.
type Code string

// The codes, in the order in which they are checked: the first that applies is the answer.
const (
	Malformed               Code = "MALFORMED"
	Unavailable             Code = "UNAVAILABLE" // nothing can be said now; never told as a verdict but as 503
	NotFound                Code = "NOT_FOUND"
	Disabled                Code = "DISABLED"
	Expired                 Code = "EXPIRED"
	IPForbidden             Code = "IP_FORBIDDEN"
	InsufficientPermissions Code = "INSUFFICIENT_PERMISSIONS"
	Valid                   Code = "VALID"
)

// Question is what somebody wants to know of a presented key.
type Question struct {
	Key    string // as presented; nothing keeps it
	Demand perm.Demand
	Cost   int        // what it takes from the limits, which are not counted in this release
	IP     netip.Addr // who presented it; the zero value where that is not told
}

// Verdict is the answer. Key and Permissions are set unless the code is Malformed, NotFound or Unavailable.
type Verdict struct {
	Code        Code
	Key         replica.View
	Permissions perm.Set // what the key may do now: in a capped workspace less than Key.Permissions
	Missing     perm.Set // with InsufficientPermissions: all that is missing, or the whole "any" set
}

// Known tells whether the verdict is about a key that there is.
func (v *Verdict) Known() bool {
	switch v.Code {
	case Malformed, NotFound, Unavailable, "":
		return false
	}
	return true
}

// Engine decides. It is safe for concurrent use and has no state of its own.
type Engine struct {
	replica *replica.Replica
	format  keyfmt.Format
	digests *keyfmt.Digester
	now     func() time.Time
}

// New makes an engine over a replica.
func New(r *replica.Replica, f keyfmt.Format, d *keyfmt.Digester, now func() time.Time) *Engine {
	return &Engine{replica: r, format: f, digests: d, now: now}
}

// Check answers q in v, all of which it sets. Without a pepper it allocates nothing for a malformed or unknown key, for a valid one
// only where a capped workspace narrows it, and otherwise only for the set of missing permissions.
func (e *Engine) Check(q *Question, v *Verdict) {
	*v = Verdict{}
	env, ok := e.format.Parse(q.Key)
	switch {
	case !ok:
		v.Code = Malformed
	case !e.replica.Ready():
		v.Code = Unavailable
	case env == keyfmt.Service:
		v.Code = NotFound // an operator's credential is none of the keys that are asked about
	default:
		e.decide(q, v)
	}
}

// Principal is who presents a credential to our own API: a service key, or else an API key.
type Principal struct {
	IsService   bool
	Service     account.ServiceKey // its Scopes are shared: not to be written to
	Key         replica.View
	Permissions perm.Set // what the API key may do now
}

// Authenticate says who presents the token, by the same decision as Check without a demand. The principal is set where the code
// is Valid, and also, so that a refusal can be told apart, where a key is known and refused.
func (e *Engine) Authenticate(token string, ip netip.Addr) (Principal, Code) {
	env, ok := e.format.Parse(token)
	switch {
	case !ok:
		return Principal{}, Malformed
	case !e.replica.Ready():
		return Principal{}, Unavailable
	case env == keyfmt.Service:
		return e.service(token)
	}
	var v Verdict
	e.decide(&Question{Key: token, IP: ip}, &v)
	return Principal{Key: v.Key, Permissions: v.Permissions}, v.Code
}

// service decides on a service key: good, expired or not there.
func (e *Engine) service(token string) (Principal, Code) {
	k, ok := e.findService(token)
	if !ok {
		return Principal{}, NotFound
	}
	p := Principal{IsService: true, Service: k}
	if k.Expired(e.now()) {
		return p, Expired
	}
	return p, Valid
}
