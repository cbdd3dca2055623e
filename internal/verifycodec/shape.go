package verifycodec

import (
	"time"

	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/wire"
)

// Verdict is a verdict in the shape in which wire writes it. It defines the output of AppendVerdict.
func (c *Codec) Verdict(v *verify.Verdict) wire.Verdict {
	out := wire.Verdict{Valid: v.Code == verify.Valid, Code: string(v.Code)}
	if !v.Known() {
		return out
	}
	k := &v.Key
	metadata := wire.Object(k.Metadata)
	out.KeyID, out.WorkspaceID, out.UserID = string(k.ID()), string(k.Workspace), string(k.User)
	out.Name, out.Environment, out.Metadata = k.Name, string(k.Environment), &metadata
	out.Permissions = c.catalogue.Names(v.Permissions)
	if k.ExpiresAt != 0 {
		out.ExpiresAt = wire.TimeOrNull(time.UnixMilli(k.ExpiresAt))
	}
	if k.Until != 0 {
		out.PreviousKeyExpiresAt = wire.TimeOrNull(time.UnixMilli(k.Until))
	}
	if v.Code == verify.InsufficientPermissions {
		out.MissingPermissions = c.catalogue.Names(v.Missing)
	}
	out.RateLimit = limits(&v.Limits)
	return out
}

// limits is nil where the decision did not reach the limits, and where neither the key nor its workspace has any.
func limits(s *ratelimit.Status) *wire.Limits {
	if !s.Any() {
		return nil
	}
	out := Limits(s)
	return &out
}

// Limits shows how limits stand; one that there is not is left out.
func Limits(s *ratelimit.Status) wire.Limits {
	return wire.Limits{Minute: window(&s.Minute), Day: window(&s.Day),
		WorkspaceMinute: window(&s.WorkspaceMinute), WorkspaceDay: window(&s.WorkspaceDay)}
}

func window(w *ratelimit.Window) *wire.Window {
	if w.Limit == 0 {
		return nil
	}
	return &wire.Window{Limit: w.Limit, Remaining: w.Remaining, ResetAt: wire.Time(time.UnixMilli(w.ResetAt))}
}
