package httpapi

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/wire"
)

const (
	maxBatch = 1000
	maxCost  = 1000
)

func (a *api) verify(x *exchange, in wire.Verify) (wire.Verdict, error) {
	if err := x.needScope(account.ScopeVerify); err != nil {
		return wire.Verdict{}, err
	}
	q, err := a.question(&in, "")
	if err != nil {
		return wire.Verdict{}, err
	}
	return a.answer(&q)
}

// verifyBatch reads every question before it answers the first, so that a wrong one costs the others nothing.
func (a *api) verifyBatch(x *exchange, in wire.VerifyBatch) (wire.Verdicts, error) {
	if err := x.needScope(account.ScopeVerify); err != nil {
		return wire.Verdicts{}, err
	}
	if err := counted("items", len(in.Items), maxBatch); err != nil {
		return wire.Verdicts{}, err
	}
	questions := make([]verify.Question, len(in.Items))
	for i := range in.Items {
		var err error
		if questions[i], err = a.question(&in.Items[i], fmt.Sprintf("items[%d].", i)); err != nil {
			return wire.Verdicts{}, err
		}
	}
	out := wire.Verdicts{Results: make([]wire.Verdict, len(questions))}
	for i := range questions {
		var err error
		if out.Results[i], err = a.answer(&questions[i]); err != nil {
			return wire.Verdicts{}, err
		}
	}
	return out, nil
}

// question reads what is asked; under is the path of the question in the body.
func (a *api) question(in *wire.Verify, under string) (q verify.Question, err error) {
	if !in.Key.Set {
		return q, fault.Invalid(under+"key", "must be given")
	}
	q.Key = in.Key.Value
	if q.Demand, err = a.demand(in.Permissions, under+"permissions"); err != nil {
		return q, err
	}
	cost := in.Cost.Or(1)
	if cost < 0 || cost > maxCost {
		return q, fault.Invalid(under+"cost", "must be between 0 and %d", maxCost)
	}
	q.Cost = int(cost)
	if in.IP.Set {
		if q.IP, err = netip.ParseAddr(in.IP.Value); err != nil || q.IP.Zone() != "" {
			return q, fault.Invalid(under+"ip", "must be an IPv4 or IPv6 address")
		}
	}
	return q, nil
}

func (a *api) demand(in wire.Demand, field string) (d perm.Demand, err error) {
	all := field + ".all"
	if in.List {
		all = field
	}
	if d.All, err = a.demanded(in.All, all); err != nil {
		return d, err
	}
	d.Any, err = a.demanded(in.Any, field+".any")
	return d, err
}

func (a *api) demanded(names []string, field string) (perm.Set, error) {
	set, unknown, ok := a.Catalogue.Set(names)
	if !ok {
		return set, fault.Invalid(fmt.Sprintf("%s[%d]", field, unknown), "is not in the catalogue of permissions")
	}
	return set, nil
}

// answer asks the engine. Where it cannot tell, nothing is told.
func (a *api) answer(q *verify.Question) (wire.Verdict, error) {
	var v verify.Verdict
	a.Engine.Check(q, &v)
	a.Observer.ObserveVerdict(string(v.Code))
	if v.Code == verify.Unavailable {
		return wire.Verdict{}, unavailable()
	}
	return a.verdict(&v), nil
}

func (a *api) verdict(v *verify.Verdict) wire.Verdict {
	out := wire.Verdict{Valid: v.Code == verify.Valid, Code: string(v.Code)}
	if !v.Known() {
		return out
	}
	k := &v.Key
	metadata := wire.Object(k.Metadata)
	out.KeyID, out.WorkspaceID, out.UserID = string(k.ID()), string(k.Workspace), string(k.User)
	out.Name, out.Environment, out.Metadata = k.Name, string(k.Environment), &metadata
	out.Permissions = a.Catalogue.Names(v.Permissions)
	if k.ExpiresAt != 0 {
		out.ExpiresAt = wire.TimeOrNull(time.UnixMilli(k.ExpiresAt))
	}
	if v.Code == verify.InsufficientPermissions {
		out.MissingPermissions = a.Catalogue.Names(v.Missing)
	}
	out.RateLimit = limits(&v.Limits)
	return out
}

// limits is nil where the decision did not reach the limits, and where the key has none.
func limits(s *ratelimit.Status) *wire.Limits {
	if s.Minute.Limit == 0 && s.Day.Limit == 0 {
		return nil
	}
	return &wire.Limits{Minute: window(&s.Minute), Day: window(&s.Day)}
}

func window(w *ratelimit.Window) *wire.Window {
	if w.Limit == 0 {
		return nil
	}
	return &wire.Window{Limit: w.Limit, Remaining: w.Remaining, ResetAt: wire.Time(time.UnixMilli(w.ResetAt))}
}
