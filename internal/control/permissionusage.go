package control

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/usage"
)

// PermissionsFor is how far back a permission of a key counts as used.
const PermissionsFor = 30 * 24 * time.Hour

// PermissionUse is a permission that a key holds, and the day on which it was last demanded of the key with success;
// zero where it never was, as far as that is counted.
type PermissionUse struct {
	Permission string
	Last       time.Time
	Used       bool // within PermissionsFor
}

// PermissionUses are the permissions that a key holds, beside those that are used.
type PermissionUses struct {
	Permissions []PermissionUse
	From        time.Time // the first day that counts
	Since       time.Time // since when the use is counted: not before the key was made
}

// UsedNames lists the permissions that are used.
func (p *PermissionUses) UsedNames() []string {
	out := []string{}
	for _, one := range p.Permissions {
		if one.Used {
			out = append(out, one.Permission)
		}
	}
	return out
}

// KeyPermissions says which permissions of a key are used. It needs the right to see the key's usage.
func (s *Service) KeyPermissions(ctx context.Context, c Caller, key string) (PermissionUses, error) {
	var out PermissionUses
	err := s.recent.Settled(func() error {
		return s.view(ctx, c, func(v *store.View, a *actor) error {
			k, err := s.loadKeyFor(v, a, key, account.APIKeysRead)
			if err != nil {
				return err
			}
			days, err := v.PermissionUses(k.ID)
			if err != nil {
				return err
			}
			s.recent.Permissions(bytesOf(string(k.ID)), func(demanded perm.Set, day time.Time) {
				for _, name := range s.cat.Names(demanded.And(k.Permissions)) {
					if days[name].Before(day) {
						days[name] = day
					}
				}
			})
			since, err := v.PermissionsSince()
			if err != nil {
				return err
			}
			out = PermissionUses{From: v.Now().Add(-PermissionsFor).Truncate(24 * time.Hour), Since: k.CreatedAt}
			if since.After(out.Since) {
				out.Since = since
			}
			for _, name := range s.cat.Names(k.Permissions) {
				last := days[name]
				out.Permissions = append(out.Permissions, PermissionUse{name, last, !last.IsZero() && !last.Before(out.From)})
			}
			return nil
		})
	})
	return out, storageFault(err)
}

// PermissionCount says how often a permission was demanded, of keys that held it and were good, and of others.
type PermissionCount struct {
	Permission        string
	Verified, Refused int64
}

// AskDays asks for whole days of UTC. A zero To is now, and a zero From thirty days before the end.
type AskDays struct{ From, To time.Time }

// WorkspacePermissions counts the demands on the keys of a workspace by permission, the most frequent first.
func (s *Service) WorkspacePermissions(
	ctx context.Context, c Caller, workspace string, in AskDays,
) ([]PermissionCount, usage.Span, error) {
	sums := make(map[string]*PermissionCount)
	var span usage.Span
	err := s.recent.Settled(func() error {
		return s.view(ctx, c, func(v *store.View, a *actor) error {
			ws, err := s.authorizeWorkspace(v, a, workspace, account.AnalyticsRead)
			if err != nil {
				return err
			}
			if span, err = (AskUsage{Granularity: "day", From: in.From, To: in.To}).span(v.Now()); err != nil {
				return err
			}
			kept, err := v.PermissionCounts(ws.ID, time.UnixMilli(span.From), time.UnixMilli(span.To))
			if err != nil {
				return err
			}
			add := func(n store.PermissionCount) {
				if !span.Holds(n.Day.UnixMilli()) {
					return
				}
				sum := sums[n.Permission]
				if sum == nil {
					sum = &PermissionCount{Permission: n.Permission}
					sums[n.Permission] = sum
				}
				sum.Verified += n.Verified
				sum.Refused += n.Refused
			}
			for _, n := range kept {
				add(n)
			}
			s.recent.PermissionCounts(ws.ID, add)
			return nil
		})
	})
	out := make([]PermissionCount, 0, len(sums))
	for _, n := range sums {
		out = append(out, *n)
	}
	slices.SortFunc(out, func(a, b PermissionCount) int {
		return cmp.Or(cmp.Compare(b.Verified+b.Refused, a.Verified+a.Refused), cmp.Compare(a.Permission, b.Permission))
	})
	return out, span, storageFault(err)
}

// WorkspaceTotal is how much a workspace was used.
type WorkspaceTotal struct {
	Workspace account.Workspace
	Counts    usage.Counts
}

// MaxWorkspaceTotals is how many workspaces UsageByWorkspace compares: the latest, where there are more.
const MaxWorkspaceTotals = 2000

// UsageByWorkspace sums the usage of workspaces over a span, the most used first, up to limit. all says that every
// workspace was compared. It is for service keys that may manage the installation.
func (s *Service) UsageByWorkspace(
	ctx context.Context, c Caller, in AskUsage, limit int,
) (out []WorkspaceTotal, all bool, err error) {
	err = s.recent.Settled(func() error {
		return s.view(ctx, c, func(v *store.View, a *actor) error {
			if err := a.installation("a key that is bound reads the usage of one workspace at a time"); err != nil {
				return err
			}
			if limit < 1 || limit > 100 {
				return fault.Invalid("limit", "must be from 1 to 100")
			}
			span, err := in.span(v.Now())
			if err != nil {
				return err
			}
			found, err := v.WorkspaceTotals(span, MaxWorkspaceTotals+1)
			if err != nil {
				return err
			}
			all = len(found) <= MaxWorkspaceTotals
			at := make(map[string]int, len(found))
			for i, one := range found {
				at[string(one.Workspace.ID)] = i
				out = append(out, WorkspaceTotal{one.Workspace, one.Counts})
			}
			s.recent.ByWorkspace(span, func(ws id.Workspace, n *usage.Counts) {
				if i, known := at[string(ws)]; known {
					out[i].Counts.Add(n)
				}
			})
			return nil
		})
	})
	if err != nil {
		return nil, false, storageFault(err)
	}
	out = slices.DeleteFunc(out, func(t WorkspaceTotal) bool { return t.Counts == (usage.Counts{}) })
	slices.SortStableFunc(out, func(a, b WorkspaceTotal) int { return cmp.Compare(b.Counts.Total(), a.Counts.Total()) })
	return out[:min(len(out), limit)], all, nil
}
