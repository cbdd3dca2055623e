package verify

import (
	"net/netip"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/clock"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/replica"
)

// decide goes through the codes in the contract's order.
func (e *Engine) decide(facts *replica.Replica, t *replica.Trace, q *Question, v *Verdict, now Instant) {
	e.found(facts, t, q, v, now)
}

// found is decide, and tells the digest by which the key was found.
func (e *Engine) found(facts *replica.Replica, t *replica.Trace, q *Question, v *Verdict, now Instant) keyfmt.Digest {
	by, ok := e.find(facts, t, q.Key, &v.Key)
	if !ok {
		v.Code = NotFound
		return by
	}
	e.judge(q, v, now)
	if v.Key.Rehash {
		e.offer(q, by, v)
	}
	if e.second != nil && !v.Key.Second {
		e.offerSecond(facts, q, by, v)
	}
	return by
}

// judge decides on the key that was found.
func (e *Engine) judge(q *Question, v *Verdict, now Instant) {
	if (v.Key.Until != 0 || v.Key.ExpiresAt != 0) && !q.caller && e.doubt != nil && e.doubt() {
		*v = Verdict{Code: Unavailable}
		return
	}
	if past(v.Key.Until, now.ms) || q.outside(&v.Key) {
		q.conceal(v, now.ms)
		return
	}
	v.Permissions = v.Key.Effective
	switch {
	case disabled(&v.Key):
		v.Code = Disabled
	case over(v.Key.ExpiresAt, now.ms):
		v.Code = Expired
	case !admits(v.Key.AllowedIPs, q.IP):
		v.Code = IPForbidden
	case !q.Demand.Met(v.Permissions):
		v.Code = InsufficientPermissions
		v.Missing = q.Demand.Missing(v.Permissions)
	default:
		if code := e.limit(q, v, now.elapsed); code == Unavailable || code == wouldWait {
			*v = Verdict{Code: code}
		} else {
			v.Code = code
		}
	}
}

// limit asks the limits, last of all: a key that is refused for another reason spends nothing.
func (e *Engine) limit(q *Question, v *Verdict, at time.Duration) Code {
	if e.limiter == nil || q.free {
		if e.source != nil && !q.free {
			return e.atSource(q, v)
		}
		return Valid
	}
	who := ratelimit.Subject{ID: v.Key.UUID, Workspace: v.Key.Workspace, Plan: v.Key.Plan, At: at, Wait: q.wait}
	ask := e.limiter.Take
	if q.DryRun {
		ask = e.limiter.Peek
	}
	switch ask(who, v.Key.Limits, int64(q.Cost), &v.Limits) {
	case ratelimit.MinuteSpent:
		return RateLimited
	case ratelimit.DaySpent:
		return QuotaExceeded
	case ratelimit.Unavailable:
		return Unavailable // a guess would be wrong one way or the other
	case ratelimit.WouldWait:
		return wouldWait
	}
	return Valid
}

// find looks for the key under the current pepper, then under the earlier ones. The record that the text led to
// before is prefetched while the digest is computed. by is the digest under which the key has the presented value.
func (e *Engine) find(
	facts *replica.Replica, t *replica.Trace, presented string, k *replica.View,
) (by keyfmt.Digest, ok bool) {
	if place, ok := facts.Prefetch(t); ok && e.nearer != nil {
		e.nearer.Prefetch(place)
	}
	if by = e.digests.Current(presented); facts.Find(t, by, k) {
		return by, true
	}
	ok = e.digests.Previous(presented, func(d keyfmt.Digest) bool {
		by = d
		return facts.Lookup(d, k)
	})
	if ok {
		return by, true
	}
	// An imported digest may be that of a value of our form, which another installation made: it does not tell.
	if kinds := e.foreign(facts); kinds != nil {
		return findForeign(facts, kinds, presented, k)
	}
	return by, false
}

func (e *Engine) findService(facts *replica.Replica, presented string) (k account.ServiceKey, ok bool) {
	k, ok = facts.LookupService(e.digests.Current(presented))
	if ok {
		return k, true
	}
	ok = e.digests.Previous(presented, func(d keyfmt.Digest) (found bool) {
		k, found = facts.LookupService(d)
		return found
	})
	return k, ok
}

// past tells whether an earlier value is over. An end that is further away than any overlap lasts was set by a clock
// that was wrong.
func past(until, now int64) bool {
	return until != 0 && (now >= until || until-now > (apikey.MaxOverlap+clock.Tolerance).Milliseconds())
}

// over tells whether an instant in Unix milliseconds has come; 0 never does.
func over(until, now int64) bool { return until != 0 && now >= until }

// disabled: the key itself, its workspace, or its creator, who must be a member unless the key was kept when they
// left.
func disabled(k *replica.View) bool {
	return !k.IsActive || !k.WorkspaceActive || !k.CreatorPresent && !k.Orphan
}

// admits tells whether a key may be presented from an address. An address that is not told is admitted by no list; an
// IPv4 address in IPv6 clothes is the IPv4 address (RFC 4291, section 2.5.5.2), and a zone says nothing of the network.
func admits(allowed replica.Networks, ip netip.Addr) bool {
	return allowed.Len() == 0 || allowed.Contain(ip.Unmap().WithZone(""))
}
