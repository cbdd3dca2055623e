package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/usage"
)

// Recent is what was counted and is not in the store yet.
type Recent interface {
	// Settled runs read while nothing moves from memory to the store.
	Settled(read func() error) error
	// Key, Workspace and All add to a series what waits.
	Key(usage.ID, *usage.Series)
	Workspace(usage.ID, *usage.Series)
	All(*usage.Series)
	// Latest is when a key was last verified, and last asked about whatever the outcome, in Unix milliseconds; 0 where
	// memory knows nothing.
	Latest(usage.ID) (used, tried int64)
	// EarlierUsed is the same of the key's earlier value that ends at an instant, and from which network.
	EarlierUsed(key usage.ID, until int64) (at int64, from string)
	// RefusalsOf and RefusalsIn are the refusals of a key, and of a workspace's keys or all (""), that wait.
	RefusalsOf(key [16]byte) []store.Refusal
	RefusalsIn(id.Workspace) []store.Refusal
	// Permissions gives the waiting demands that a key met, and PermissionCounts all waiting demands on a workspace's
	// keys.
	Permissions(key usage.ID, found func(demanded perm.Set, day time.Time))
	PermissionCounts(ws id.Workspace, found func(store.PermissionCount))
	// ByWorkspace adds up the waiting uses of a span by workspace.
	ByWorkspace(usage.Span, func(ws id.Workspace, n *usage.Counts))
}

// nothingRecent stands where nothing is counted.
type nothingRecent struct{}

func (nothingRecent) Settled(read func() error) error   { return read() }
func (nothingRecent) Key(usage.ID, *usage.Series)       {}
func (nothingRecent) Workspace(usage.ID, *usage.Series) {}
func (nothingRecent) All(*usage.Series)                 {}
func (nothingRecent) Latest(usage.ID) (int64, int64)    { return 0, 0 }

func (nothingRecent) EarlierUsed(usage.ID, int64) (int64, string) { return 0, "" }

func (nothingRecent) RefusalsOf([16]byte) []store.Refusal     { return nil }
func (nothingRecent) RefusalsIn(id.Workspace) []store.Refusal { return nil }

func (nothingRecent) Permissions(usage.ID, func(perm.Set, time.Time))            {}
func (nothingRecent) PermissionCounts(id.Workspace, func(store.PermissionCount)) {}
func (nothingRecent) ByWorkspace(usage.Span, func(id.Workspace, *usage.Counts))  {}

// AskUsage asks for a series. A zero To is now; a zero From is an hour of minutes, a day of hours, or thirty days.
type AskUsage struct {
	Granularity string // minute, hour or day; "" is hour
	From, To    time.Time
}

func (in AskUsage) span(now time.Time) (usage.Span, error) {
	grain, known := usage.Hour, true
	if in.Granularity != "" {
		grain, known = usage.GrainOf(in.Granularity)
	}
	if !known {
		return usage.Span{}, fault.Invalid("granularity", "must be one of: minute, hour, day")
	}
	span, err := usage.NewSpan(grain, in.From, in.To, now)
	var wrong *usage.SpanError
	if errors.As(err, &wrong) {
		return span, fault.Invalid(wrong.Field, "%s", wrong.Message)
	}
	return span, err
}

// KeyUsage says how often a key was verified and refused. Who sees the key sees that.
func (s *Service) KeyUsage(ctx context.Context, c Caller, key string, in AskUsage) (*usage.Series, error) {
	return s.series(
		ctx,
		c.through(session.UsageRead),
		in,
		func(v *store.View, a *actor) (store.UsageOf, func(*usage.Series), error) {
			k, err := s.loadKeyFor(v, a, key, account.APIKeysRead)
			return store.UsageOf(k.ID), func(x *usage.Series) { s.recent.Key(bytesOf(string(k.ID)), x) }, err
		},
	)
}

// KeyLimits gives a key, and the limits that it shares with all keys of its workspace: what is left of them is asked of
// the engine. Who sees the key sees that.
func (s *Service) KeyLimits(ctx context.Context, c Caller,
	key string) (k apikey.Key, shared ratelimit.Limits, err error) {
	err = s.view(ctx, c.through(session.UsageRead), func(v *store.View, a *actor) error {
		if k, err = s.loadKeyFor(v, a, key, account.APIKeysRead); err != nil {
			return err
		}
		ws, err := v.Workspace(k.Workspace)
		shared = ws.Plan.Shared
		return err
	})
	return k, shared, storageFault(err)
}

// WorkspaceLimits gives the limits that all keys of a workspace share. Who sees the usage of the workspace sees them.
func (s *Service) WorkspaceLimits(
	ctx context.Context, c Caller, workspace string,
) (ws id.Workspace, shared ratelimit.Limits, err error) {
	err = s.view(ctx, c, func(v *store.View, a *actor) error {
		found, err := s.authorizeWorkspace(v, a, workspace, account.AnalyticsRead)
		ws, shared = found.ID, found.Plan.Shared
		return err
	})
	return ws, shared, storageFault(err)
}

// WorkspaceUsage says the same of all keys of a workspace together, those that are deleted since then too.
func (s *Service) WorkspaceUsage(ctx context.Context, c Caller, workspace string, in AskUsage) (*usage.Series, error) {
	return s.series(ctx, c, in, func(v *store.View, a *actor) (store.UsageOf, func(*usage.Series), error) {
		ws, err := s.authorizeWorkspace(v, a, workspace, account.AnalyticsRead)
		return store.UsageOf(ws.ID), func(x *usage.Series) { s.recent.Workspace(bytesOf(string(ws.ID)), x) }, err
	})
}

// Usage says the same of the whole installation, with attempts whose key is not known. It is for service keys that may
// manage.
func (s *Service) Usage(ctx context.Context, c Caller, in AskUsage) (*usage.Series, error) {
	return s.series(ctx, c, in, func(_ *store.View, a *actor) (store.UsageOf, func(*usage.Series), error) {
		return store.AllUsage, s.recent.All, a.installation("a key that is bound reads the usage of one workspace at a time")
	})
}

// series reads what somebody may see, in the store and in memory.
func (s *Service) series(ctx context.Context, c Caller, in AskUsage,
	whose func(*store.View, *actor) (store.UsageOf, func(*usage.Series), error)) (*usage.Series, error) {
	var out *usage.Series
	err := s.recent.Settled(func() error {
		return s.view(ctx, c, func(v *store.View, a *actor) error {
			of, waiting, err := whose(v, a)
			if err != nil {
				return err
			}
			span, err := in.span(v.Now())
			if err != nil {
				return err
			}
			out = usage.NewSeries(span)
			waiting(out)
			return v.Usage(of, out)
		})
	})
	return out, storageFault(err)
}

// maxUsageKeys is how many keys KeysUsage answers for at once.
const maxUsageKeys = 100

// KeysUsage gives series of many keys, such as a page of them shows, over the same span, by their ids. A key that the
// caller may not see, or that is not there, is left out.
func (s *Service) KeysUsage(
	ctx context.Context, c Caller, keys []string, in AskUsage,
) (map[string]*usage.Series, error) {
	if len(keys) > maxUsageKeys {
		return nil, fault.Invalid("ids", "are more than %d", maxUsageKeys)
	}
	out := make(map[string]*usage.Series, len(keys))
	err := s.recent.Settled(func() error {
		return s.view(ctx, c, func(v *store.View, a *actor) error {
			span, err := in.span(v.Now())
			if err != nil {
				return err
			}
			if err := s.need(a, account.APIKeysRead); err != nil {
				return err
			}
			for _, key := range keys {
				k, err := s.loadKeyFor(v, a, key, account.APIKeysRead)
				if err != nil {
					if fault.From(err).Code.Status() < 500 {
						continue
					}
					return err
				}
				x := usage.NewSeries(span)
				s.recent.Key(bytesOf(key), x)
				if err := v.Usage(store.UsageOf(k.ID), x); err != nil {
					return fmt.Errorf("key %s: %w", k.ID, err)
				}
				out[key] = x
			}
			return nil
		})
	})
	return out, storageFault(err)
}

func bytesOf(uuid string) usage.ID {
	u, _ := id.Parse(uuid)
	return u
}

// lately sets when a key was last used, and asked about, to what memory knows.
func (s *Service) lately(k *apikey.Key) {
	used, tried := s.recent.Latest(bytesOf(string(k.ID)))
	later(&k.LastUsedAt, used)
	later(&k.LastTriedAt, max(tried, k.LastUsedAt.UnixMilli()))
	for i := range k.Previous {
		p := &k.Previous[i]
		at, from := s.recent.EarlierUsed(bytesOf(string(k.ID)), p.Until.UnixMilli())
		if from != "" && at >= p.LastUsedAt.UnixMilli() {
			p.LastUsedFrom = from
		}
		later(&p.LastUsedAt, at)
	}
}

// later moves an instant on to one in Unix milliseconds; 0 is none.
func later(at *time.Time, ms int64) {
	if ms > 0 && ms > at.UnixMilli() {
		*at = time.UnixMilli(ms).UTC()
	}
}
