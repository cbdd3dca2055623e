package verify

import (
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/refusal"
	"github.com/keyward/keyward/internal/replica"
)

// Refusals is told of each refusal of a key that there is. It must not block.
type Refusals interface{ Refused(refusal.Record) }

// concealed is a key that was found and does not match the question. It stands beside the question and not in the
// verdict, which is that on an unknown key, whole; people with access to the key can read that it was refused.
type concealed struct {
	key       [16]byte
	workspace id.Workspace
	reason    refusal.Reason
	until     int64
}

// conceal makes v the verdict on an unknown key.
func (q *Question) conceal(v *Verdict, now int64) {
	k := &v.Key
	q.concealed = concealed{k.UUID, k.Workspace, q.whyOutside(k, now), k.Until}
	*v = Verdict{Code: NotFound}
}

// whyOutside says why a key that was found is none for this question.
func (q *Question) whyOutside(k *replica.View, now int64) refusal.Reason {
	switch {
	case past(k.Until, now):
		return refusal.OverlapEnded
	case !q.Where.Workspace(k.Workspace):
		return refusal.OtherWorkspace
	case !q.Where.Environment(k.Environment):
		return refusal.OtherEnvironment
	}
	return refusal.OutOfReach
}

// tell hands on a refusal. It is kept out of the way of a key that is good.
//
//go:noinline
func (e *Engine) tell(now int64, q *Question, v *Verdict) {
	if r, ok := q.refusal(v); ok {
		r.At = now
		e.refusals.Refused(r)
	}
}

// refusal is the record of a verdict that refuses an existing key.
func (q *Question) refusal(v *Verdict) (r refusal.Record, ok bool) {
	r = refusal.Record{Code: v.Code, IP: q.IP.Unmap().WithZone(""), Cost: q.Cost,
		Key: v.Key.UUID, Workspace: v.Key.Workspace, Earlier: v.Key.Until != 0, Demand: q.Demand}
	switch v.Code {
	case NotFound:
		c := &q.concealed
		r.Key, r.Workspace, r.Demand = c.key, c.workspace, perm.Demand{}
		r.Reason, r.Number, r.Earlier = c.reason, c.until, c.until != 0
		return r, c.reason != refusal.NoReason
	case Disabled:
		r.Reason = whyDisabled(&v.Key)
	case Expired:
		r.Number = v.Key.ExpiresAt
	case IPForbidden:
	case InsufficientPermissions:
		r.Missing = v.Missing
	case RateLimited:
		r.Number, r.Reason = spent(&v.Limits, ratelimit.MinuteSpent)
	case QuotaExceeded:
		r.Number, r.Reason = spent(&v.Limits, ratelimit.DaySpent)
	default:
		return r, false
	}
	return r, true
}

// spent is the limit that refused, and whose it is.
func spent(s *ratelimit.Status, o ratelimit.Outcome) (int64, refusal.Reason) {
	if s.ByPlan {
		return s.Refused(o).Limit, refusal.PlanSpent
	}
	return s.Refused(o).Limit, refusal.NoReason
}

// whyDisabled says which of the three switches is off; the one that only an operator turns comes first.
func whyDisabled(k *replica.View) refusal.Reason {
	switch {
	case !k.WorkspaceActive:
		return refusal.WorkspaceOff
	case !k.IsActive:
		return refusal.KeyOff
	}
	return refusal.CreatorGone
}
