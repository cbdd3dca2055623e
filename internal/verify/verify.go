// Package verify owns the decision: key in, verdict out. Every door asks here, the verification routes and the
// gateways' as well as our own API for its callers. It does not own the facts (replica), the text of keys (keyfmt),
// limits, nor how a verdict is told.
package verify

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/refusal"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/verdict"
)

// Code is the outcome of a verification. Package verdict has the list.
type Code = verdict.Code

// The codes, as package verdict has them.
const (
	Malformed               = verdict.Malformed
	Unavailable             = verdict.Unavailable
	NotFound                = verdict.NotFound
	Disabled                = verdict.Disabled
	Expired                 = verdict.Expired
	IPForbidden             = verdict.IPForbidden
	InsufficientPermissions = verdict.InsufficientPermissions
	RateLimited             = verdict.RateLimited
	QuotaExceeded           = verdict.QuotaExceeded
	Valid                   = verdict.Valid
)

// Question is one question about a presented key.
type Question struct {
	Key    string // as presented; nothing keeps it
	Demand perm.Demand
	Cost   int        // what it takes from the limits; 0 asks without spending
	IP     netip.Addr // who presented it; the zero value where that is not told
	DryRun bool       // decide as if, but spend nothing and record nothing
	// Context ends a question to a Source early; nil does not. Nothing else asks it.
	Context context.Context

	elsewhere bool // a Source has decided, which has recorded it

	free   bool // no limit is asked and nothing is spent
	caller bool // the key is our own API's caller's, which the control plane judges again by the database's clock

	// Where is demanded: a key of another workspace or environment is NotFound, and nothing more is told of it.
	Where account.Reach
	// Within is the reach of the service key that asks; nil for one that is not bound. A key outside is NotFound to
	// it.
	Within *account.Reach

	wait      time.Duration // as in ratelimit.Subject
	concealed concealed     // the key that there is although the verdict says NotFound
}

// outside tells whether the question is not about the key that was found.
func (q *Question) outside(k *replica.View) bool {
	return !q.Where.Covers(k.Workspace, k.Environment) || q.Within != nil && !q.Within.Covers(k.Workspace, k.Environment)
}

// Verdict is the answer. Key and Permissions are set unless the code is Malformed, NotFound or Unavailable.
type Verdict struct {
	Code        Code
	Key         replica.View
	Permissions perm.Set // what the key may do now: in a capped workspace less than Key.Permissions
	Missing     perm.Set // with InsufficientPermissions: all that is missing, or the whole "any" set
	// with Valid, RateLimited and QuotaExceeded: how the key's limits stand after this decision
	Limits ratelimit.Status
}

// Known tells whether the verdict is about a key that there is.
func (v *Verdict) Known() bool {
	switch v.Code {
	case Malformed, NotFound, Unavailable, wouldWait:
		return false
	}
	return true
}

// Ends is when the presented value ends: with its overlap or with the key, in milliseconds since 1970; 0 for never.
func (v *Verdict) Ends() int64 {
	ends, overlap := v.Key.ExpiresAt, v.Key.Until
	if ends == 0 || overlap != 0 && overlap < ends {
		return overlap
	}
	return ends
}

// Limiter counts. It is safe for concurrent use and allocates nothing for a key that it has seen lately.
type Limiter interface {
	// Take admits a cost under both limits or under none, and says in s how they stand afterwards. A cost of 0 spends
	// nothing, and is refused where not even 1 would be admitted.
	Take(who ratelimit.Subject, limits ratelimit.Limits, cost int64, s *ratelimit.Status) ratelimit.Outcome
	// Peek is Take that spends nothing, for any cost.
	Peek(who ratelimit.Subject, limits ratelimit.Limits, cost int64, s *ratelimit.Status) ratelimit.Outcome
}

// prefetcher is a Limiter that can have a key's state brought near before it is asked.
type prefetcher interface{ Prefetch(ratelimit.Slot) }

// Recorder is told of every decision, those on malformed and unknown keys included. It must not block, nor keep the
// verdict.
type Recorder interface {
	Record(at int64, demanded perm.Demand, v *Verdict) // at is Unix milliseconds
}

// EarlierRecorder is a Recorder that is also told from where an earlier value of a key was used, in its overlap.
type EarlierRecorder interface {
	RecordEarlier(at int64, key [16]byte, until int64, ip netip.Addr)
}

// Config holds the parts of an engine. Without a Limiter no key is limited; without a Recorder no use is recorded.
type Config struct {
	Replica *replica.Replica
	Format  keyfmt.Format
	Digests *keyfmt.Digester
	Now     func() time.Time
	// Clocks, where it is set, takes the place of Now, and reads by one look also the clock that the Limiter goes by: a
	// decision then costs one look instead of two. ms is Unix milliseconds.
	Clocks   func() (ms int64, elapsed time.Duration)
	Limiter  Limiter
	Recorder Recorder
	Refusals Refusals // nil: nobody is told of refusals
	// Rehash, where it is set, is given our own digest of an imported value that was used and is to get one. It must
	// not block.
	Rehash func(Rehash)
	// Second, where it is set, is given the second digest of a value that was presented and has none, where a follower
	// that is bound to its workspace may want it. It must not block.
	Second func(Second)
	// Source is asked about limits where there is no Limiter, and about values that are not in the copy; nil is not. It
	// records what it decides.
	Source Source
	// Doubt reports whether the clock may be wrong: a key with an end is then Unavailable. nil never doubts. It must
	// be quick.
	Doubt func() bool
}

// Engine decides. It is safe for concurrent use and has no state of its own. A decision looks at one replica from
// beginning to end.
type Engine struct {
	replica  atomic.Pointer[replica.Replica]
	format   keyfmt.Format
	digests  *keyfmt.Digester
	clocks   func() (ms int64, elapsed time.Duration)
	limiter  Limiter
	nearer   prefetcher // the limiter, where it is one
	recorder Recorder
	earlier  EarlierRecorder // the recorder, where it is one
	refusals Refusals
	rehash   func(Rehash)
	second   func(Second)
	kinds    atomic.Pointer[kindsInUse]
	doubt    func() bool
	source   Source
}

// New makes an engine.
func New(c Config) *Engine {
	e := &Engine{
		format: c.Format, digests: c.Digests, clocks: c.Clocks, limiter: c.Limiter, recorder: c.Recorder,
		refusals: c.Refusals, rehash: c.Rehash, second: c.Second, doubt: c.Doubt, source: c.Source,
	}
	e.nearer, _ = c.Limiter.(prefetcher)
	e.earlier, _ = c.Recorder.(EarlierRecorder)
	if e.clocks == nil {
		e.clocks = func() (int64, time.Duration) { return c.Now().UnixMilli(), 0 }
	}
	e.Use(c.Replica)
	return e
}

// Use has every decision that starts from now on look at another replica: one that is loaded anew, since the database
// has become another.
func (e *Engine) Use(r *replica.Replica) { e.replica.Store(r) }

// Check answers q in v, all of which it sets. It allocates only the set of missing permissions, and, if a capped
// workspace narrows a set by a role for the first time, the narrowed set; with a pepper, now and then, an HMAC.
func (e *Engine) Check(q *Question, v *Verdict) {
	e.CheckAt(q, v, e.Look())
}

// CheckNow is Check that waits for nothing. It tells whether there is an answer; where there is none nothing was spent,
// and Check has one.
func (e *Engine) CheckNow(q *Question, v *Verdict) bool {
	q.wait = ratelimit.NoWait
	e.Check(q, v)
	q.wait = 0
	return v.Code != wouldWait
}

// CheckAt is Check at an instant that the caller has looked at just now.
func (e *Engine) CheckAt(q *Question, v *Verdict, now Instant) {
	*v = Verdict{}
	if q.concealed.reason != refusal.NoReason { // of an earlier decision on the same question
		q.concealed = concealed{}
	}
	q.elsewhere = false
	facts := e.replica.Load()
	trace := facts.Begin(q.Key)
	e.check(facts, &trace, q, v, now)
	if q.DryRun || v.Code == wouldWait || q.elsewhere {
		return
	}
	if e.recorder != nil {
		e.recorder.Record(now.ms, q.Demand, v)
		if v.Key.Until != 0 && v.Code == Valid {
			e.tellEarlier(now.ms, q.IP, v)
		}
	}
	if e.refusals != nil && v.Code != Valid {
		e.tell(now.ms, q, v)
	}
}

// tellEarlier is kept out of the way of a key's current value.
//
//go:noinline
func (e *Engine) tellEarlier(now int64, ip netip.Addr, v *Verdict) {
	if e.earlier != nil {
		e.earlier.RecordEarlier(now, v.Key.UUID, v.Key.Until, ip)
	}
}

func (e *Engine) check(facts *replica.Replica, t *replica.Trace, q *Question, v *Verdict, now Instant) {
	env, ok := e.format.Parse(q.Key)
	switch {
	case !ok:
		e.strange(facts, t, q, v, now)
	case !facts.Ready():
		v.Code = Unavailable
	case env == keyfmt.Service:
		v.Code = NotFound // an operator's credential is none of the keys that are asked about
	default:
		e.decide(facts, t, q, v, now)
	}
	if e.source != nil {
		e.unknown(facts, env, q, v)
	}
}

// Principal is the caller that a credential for our own API stands for: a service key, or else an API key.
type Principal struct {
	IsService bool
	Service   account.ServiceKey // its Scopes are shared: not to be written to
	Presented keyfmt.Digest      // of the value that was presented: the digest that the store keeps of it
	// our own digest of a foreign value, which may take Presented's place at any time; zero for others
	Rehashed keyfmt.Digest
	Verdict  // on an API key: what it may do now, and how its limits stand
}

// Authenticate sets p to the holder of the token, by the same decision as Check without a demand. The principal is
// whole if the code is Valid, and also, so that a refusal can be told apart, if a key is known and refused. It costs
// an API key 1 of its limits.
func (e *Engine) Authenticate(token string, ip netip.Addr, p *Principal) Code {
	return e.authenticate(token, ip, false, p)
}

// AuthenticateFree is Authenticate that costs nothing: no limit is asked, none refuses, and no use is recorded.
func (e *Engine) AuthenticateFree(token string, ip netip.Addr, p *Principal) Code {
	return e.authenticate(token, ip, true, p)
}

func (e *Engine) authenticate(token string, ip netip.Addr, free bool, p *Principal) Code {
	*p = Principal{}
	facts := e.replica.Load()
	trace := facts.Begin(token)
	now := e.Look()
	q := Question{Key: token, IP: ip, Cost: 1, free: free}
	env, ok := e.format.Parse(token)
	switch {
	case !ok:
		p.Presented = e.strange(facts, &trace, &q, &p.Verdict, now)
		p.Rehashed = e.Rehashed(token, &p.Key)
	case !facts.Ready():
		p.Code = Unavailable
	case env == keyfmt.Service:
		e.service(facts, token, ip, now.ms, p)
		return p.Code // no API key: nothing to count
	default:
		q.caller = true
		p.Presented = e.found(facts, &trace, &q, &p.Verdict, now)
		p.Rehashed = e.Rehashed(token, &p.Key)
	}
	if free {
		return p.Code
	}
	if e.recorder != nil {
		e.recorder.Record(now.ms, q.Demand, &p.Verdict)
		if p.Key.Until != 0 && p.Code == Valid {
			e.tellEarlier(now.ms, ip, &p.Verdict)
		}
	}
	if e.refusals != nil && p.Code != Valid {
		e.tell(now.ms, &q, &p.Verdict)
	}
	return p.Code
}

// Holder fills v with the key that has the presented value, in any state, and returns the matching digest. It judges
// nothing, spends nothing and records nothing. The code is Malformed, NotFound, Unavailable, or Valid for an existing
// key.
func (e *Engine) Holder(presented string, v *Verdict) (by keyfmt.Digest) {
	*v = Verdict{}
	facts := e.replica.Load()
	trace := facts.Begin(presented)
	env, ok := e.format.Parse(presented)
	switch {
	case !ok:
		by, v.Code = e.findStrange(facts, &trace, presented, &v.Key)
		if v.Code == Valid && past(v.Key.Until, e.Look().ms) {
			*v = Verdict{Code: NotFound}
		}
		return by
	case !facts.Ready():
		v.Code = Unavailable
		return by
	}
	if by, ok = e.find(facts, &trace, presented, &v.Key); env == keyfmt.Service || !ok || past(v.Key.Until, e.Look().ms) {
		*v = Verdict{Code: NotFound}
		return by
	}
	v.Code = Valid
	return by
}

// ServiceStands tells whether the digest is that of a service key that is good now.
func (e *Engine) ServiceStands(presented keyfmt.Digest) bool {
	k, ok := e.replica.Load().LookupService(presented)
	return ok && !k.Expired(time.UnixMilli(e.Look().ms))
}
