package verify

import (
	"net/netip"
	"strings"

	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/refusal"
	"github.com/keyward/keyward/internal/replica"
)

// Explain is Simulate that also says of each step, in the order of the decision, whether it was reached and passed, and
// why. names gives the names of permissions. Without a judgement (Unavailable) there are no steps.
func (e *Engine) Explain(d keyfmt.Digest, q Question, names func(perm.Set) []string) (Code, []Step) {
	q.DryRun = true
	facts := e.replica.Load()
	if !facts.Ready() {
		return Unavailable, nil
	}
	var v Verdict
	there := facts.Lookup(d, &v.Key)
	x := explained{key: v.Key, question: &q, names: names, limited: e.limiter != nil && !q.free}
	if v.Code = NotFound; there {
		e.judge(&q, &v, e.Look())
	}
	if v.Code == Unavailable {
		return Unavailable, nil
	}
	steps := v.Steps()
	for i := range steps {
		steps[i].Why = x.why(steps[i], &v)
	}
	return v.Code, steps
}

// explained is a decision that is put into words.
type explained struct {
	key      replica.View // as it was judged, also where the verdict conceals it
	question *Question
	names    func(perm.Set) []string
	limited  bool
}

func (x *explained) why(s Step, v *Verdict) string {
	switch {
	case !s.Reached:
		return "not reached: an earlier step refused"
	case s.Passed:
		return x.passed(s.Code, v)
	}
	r, ok := x.question.refusal(v)
	if !ok {
		return "there is no such key"
	}
	return r.Why(x.names, listed(x.key.AllowedIPs)...)
}

func (x *explained) passed(c Code, v *Verdict) string {
	k := &x.key
	switch c {
	case NotFound:
		return "there is such a key, of the environment " + string(k.Environment) + " in the workspace " + string(k.Workspace)
	case Disabled:
		return "key, creator and workspace are enabled"
	case Expired:
		if k.ExpiresAt == 0 {
			return "the key never expires"
		}
		return "the key expires at " + refusal.Instant(k.ExpiresAt)
	case IPForbidden:
		return x.allowed()
	case InsufficientPermissions:
		return x.held()
	case RateLimited:
		return x.room(k.Limits.PerMinute, &v.Limits.Minute, &v.Limits.WorkspaceMinute, refusal.Minute)
	case QuotaExceeded:
		return x.room(k.Limits.PerDay, &v.Limits.Day, &v.Limits.WorkspaceDay, refusal.Day)
	}
	return ""
}

func (x *explained) allowed() string {
	networks, ip := listed(x.key.AllowedIPs), x.question.IP.Unmap().WithZone("")
	for _, n := range networks {
		if n.Contains(ip) {
			return ip.String() + " is in " + n.String()
		}
	}
	return "the key works from every address"
}

func (x *explained) held() string {
	d := x.question.Demand
	var parts []string
	if !d.All.IsEmpty() {
		parts = append(parts, "the key holds "+strings.Join(x.names(d.All), ", "))
	}
	if !d.Any.IsEmpty() {
		parts = append(
			parts, "the key holds "+strings.Join(x.names(d.Any.And(x.key.Effective)), ", ")+", one of which is enough",
		)
	}
	if parts == nil {
		return "no permission was demanded"
	}
	return strings.Join(parts, "; ")
}

func (x *explained) room(limit int64, own, shared *ratelimit.Window, span string) string {
	var parts []string
	if limit != 0 && x.limited && own.Limit != 0 {
		parts = append(parts, refusal.Room(own.Remaining, own.Limit, span, x.question.Cost))
	}
	if x.limited && shared.Limit != 0 {
		parts = append(parts, refusal.SharedRoom(shared.Remaining, shared.Limit, span))
	}
	if parts == nil {
		return "there is no such limit"
	}
	return strings.Join(parts, "; ")
}

func listed(n replica.Networks) []netip.Prefix {
	out := make([]netip.Prefix, n.Len())
	for i := range out {
		out[i] = n.At(i)
	}
	return out
}
