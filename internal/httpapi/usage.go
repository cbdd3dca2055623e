package httpapi

import (
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/usage"
	"github.com/keyward/keyward/internal/verifycodec"
	"github.com/keyward/keyward/internal/wire"
)

func (a *api) keyUsage(x *exchange) (wire.Usage, error) {
	in, err := x.query.usage()
	if err != nil {
		return wire.Usage{}, err
	}
	s, err := a.Control.KeyUsage(x.ctx(), x.caller, x.r.PathValue("id"), in)
	return usageSeries(s), err
}

func (a *api) workspaceUsage(x *exchange) (wire.Usage, error) {
	in, err := x.query.usage()
	if err != nil {
		return wire.Usage{}, err
	}
	s, err := a.Control.WorkspaceUsage(x.ctx(), x.caller, x.r.PathValue("workspaceId"), in)
	return usageSeries(s), err
}

func (a *api) usage(x *exchange) (wire.Usage, error) {
	in, err := x.query.usage()
	if err != nil {
		return wire.Usage{}, err
	}
	s, err := a.Control.Usage(x.ctx(), x.caller, in)
	return usageSeries(s), err
}

// keyLimits says what is left of a key's limits, and of those of its workspace's plan. It spends nothing.
func (a *api) keyLimits(x *exchange) (wire.KeyLimits, error) {
	k, shared, err := a.Control.KeyLimits(x.ctx(), x.caller, x.r.PathValue("id"))
	if err != nil {
		return wire.KeyLimits{}, err
	}
	return a.limitsLeft(k.ID, k.Workspace, k.Limits, shared)
}

// workspaceLimits says what is left of the limits of a workspace's plan. It spends nothing.
func (a *api) workspaceLimits(x *exchange) (wire.KeyLimits, error) {
	ws, shared, err := a.Control.WorkspaceLimits(x.ctx(), x.caller, x.r.PathValue("workspaceId"))
	if err != nil {
		return wire.KeyLimits{}, err
	}
	return a.limitsLeft("", ws, ratelimit.Limits{}, shared)
}

// limitsLeft asks the engine about the limits of a key, none where it is "", and of its workspace's plan.
func (a *api) limitsLeft(key id.Key, ws id.Workspace, own, shared ratelimit.Limits) (wire.KeyLimits, error) {
	s, ok := a.Engine.LimitsLeft(key, ws, own, shared)
	if !ok {
		return wire.KeyLimits{}, unavailable()
	}
	out := wire.KeyLimits{Limits: verifycodec.Limits(&s), Counting: "local"}
	if s.RetryAt > 0 {
		out.RetryAt = wire.TimeOrNull(time.UnixMilli(s.RetryAt))
	}
	if a.LimitMode != nil {
		out.Counting = a.LimitMode(ws)
	}
	return out, nil
}

func (q query) usage() (in control.AskUsage, err error) {
	if in.Granularity, err = q.oneOf("granularity", "minute", "hour", "day"); err != nil {
		return in, err
	}
	if in.From, err = q.instant("from"); err != nil {
		return in, err
	}
	in.To, err = q.instant("to")
	return in, err
}

// usageSeries shows every bucket, and in each the refusals that occurred.
func usageSeries(s *usage.Series) wire.Usage {
	if s == nil {
		return wire.Usage{}
	}
	total := s.Total()
	return wire.Usage{Total: total.Total(), Series: mapped(s.Buckets, func(b usage.Bucket) wire.UsageBucket {
		return wire.UsageBucket{
			Start: wire.Time(time.UnixMilli(b.Start)), Verified: b.Counts[usage.Verified], Denied: denied(&b.Counts),
		}
	})}
}

// denied counts the refusals that occurred, by code.
func denied(counts *usage.Counts) map[string]int64 {
	out := map[string]int64{}
	for code := usage.Verified + 1; code < usage.Codes; code++ {
		if n := counts[code]; n > 0 {
			out[code.String()] = n
		}
	}
	return out
}
