package control

import (
	"cmp"
	"context"
	"slices"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// Refusal is a verification that refused a key, and what people call the key.
type Refusal struct {
	store.Refusal
	KeyName string
}

// MostRefusals is how many refusals a list shows.
const MostRefusals = store.RefusalsOfKey

// KeyRefusals lists the latest refusals of a key, the newest first; 0 is MostRefusals. Who sees the key sees them.
func (s *Service) KeyRefusals(ctx context.Context, c Caller, key string, limit int) ([]Refusal, error) {
	return s.refusals(
		ctx,
		c.through(session.UsageRead),
		limit,
		func(v *store.View, a *actor, n int) (kept, waiting []store.Refusal, err error) {
			k, err := s.loadKeyFor(v, a, key, account.APIKeysRead)
			if err != nil {
				return nil, nil, err
			}
			kept, err = v.RefusalsOf(k.ID, n)
			return kept, s.recent.RefusalsOf(bytesOf(string(k.ID))), err
		},
	)
}

// WorkspaceRefusals lists the latest refusals of all keys of a workspace, for those who read its log.
func (s *Service) WorkspaceRefusals(ctx context.Context, c Caller, workspace string, limit int) ([]Refusal, error) {
	return s.refusals(ctx, c, limit, func(v *store.View, a *actor, n int) (kept, waiting []store.Refusal, err error) {
		ws, err := s.authorizeWorkspace(v, a, workspace, account.WorkspaceLogsRead)
		if err != nil {
			return nil, nil, err
		}
		kept, err = v.RefusalsIn(ws.ID, n)
		return kept, s.recent.RefusalsIn(ws.ID), err
	})
}

// Refusals lists the latest refusals of all keys of the installation, for service keys that may manage it.
func (s *Service) Refusals(ctx context.Context, c Caller, limit int) ([]Refusal, error) {
	return s.refusals(ctx, c, limit, func(v *store.View, a *actor, n int) (kept, waiting []store.Refusal, err error) {
		if err := a.installation("a key that is bound reads the refusals of one workspace at a time"); err != nil {
			return nil, nil, err
		}
		kept, err = v.RefusalsInAllWorkspaces(n)
		return kept, s.recent.RefusalsIn(""), err
	})
}

// refusals joins what is written down with what waits in memory, which may be of a key that is deleted by now.
func (s *Service) refusals(ctx context.Context, c Caller, limit int,
	find func(*store.View, *actor, int) (kept, waiting []store.Refusal, err error)) (out []Refusal, err error) {
	limit = cmp.Or(limit, MostRefusals)
	err = s.recent.Settled(func() error {
		return s.view(ctx, c, func(v *store.View, a *actor) error {
			kept, waiting, err := find(v, a, limit)
			if err != nil {
				return err
			}
			all := append(kept, waiting...)
			slices.SortFunc(all, func(a, b store.Refusal) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.Seq, a.Seq)) })
			out, err = named(v, all[:min(len(all), limit)])
			return err
		})
	})
	return out, storageFault(err)
}

// named adds the names of the keys, and leaves out those of keys that are gone.
func named(v *store.View, all []store.Refusal) ([]Refusal, error) {
	var keys []id.Key
	for i := range all {
		keys = append(keys, all[i].Key)
	}
	slices.Sort(keys)
	names, err := v.KeyNames(slices.Compact(keys))
	if err != nil {
		return nil, err
	}
	out := make([]Refusal, 0, len(all))
	for _, r := range all {
		if name, there := names[r.Key]; there {
			out = append(out, Refusal{r, name})
		}
	}
	return out, nil
}
