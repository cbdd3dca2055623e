package store

import (
	"context"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

// LoadAll tells f every live object on one snapshot: workspaces, roles, members, service keys, then keys with those of their
// earlier values that still work. It streams; the first error of f ends it.
func (db *DB) LoadAll(ctx context.Context, f func(feed.Change) error) error {
	return db.View(ctx, func(v *View) error {
		l := loader{View: v, tell: f, live: make(map[id.Workspace]bool)}
		for _, load := range []func() error{l.workspaces, l.roles, l.members, l.serviceKeys, l.keys} {
			if err := load(); err != nil {
				return err
			}
		}
		return nil
	})
}

type loader struct {
	*View
	tell func(feed.Change) error
	live map[id.Workspace]bool
}

func (l *loader) workspaces() error {
	return each(l.View, scanWorkspace, func(w account.Workspace) error {
		l.live[w.ID] = true
		return l.tell(feed.Change{Workspace: &w})
	}, selectWorkspaces+` WHERE deleted_ms = 0 ORDER BY id`)
}

func (l *loader) roles() error {
	return each(l.View, l.scanRole, func(r account.Role) error {
		if !l.live[r.Workspace] {
			return nil
		}
		return l.tell(feed.Change{Role: &r})
	}, selectRoles+` ORDER BY id`)
}

func (l *loader) members() error {
	return each(l.View, scanMember, func(m account.Member) error {
		if !l.live[m.Workspace] {
			return nil
		}
		return l.tell(feed.Change{Member: &m})
	}, selectMembers+` WHERE left_ms = 0 ORDER BY workspace_id, user_id`)
}

func (l *loader) serviceKeys() error {
	return each(l.View, scanServiceKey, func(k account.ServiceKey) error {
		return l.tell(feed.Change{ServiceKey: &k})
	}, selectServiceKeys+` ORDER BY id`)
}

// keys reads the earlier values first: they are few, and live for a week at most.
func (l *loader) keys() error {
	earlier := make(map[id.Key][]apikey.Value)
	err := each(l.View, scanPrevious, func(p previous) error {
		earlier[p.key] = append(earlier[p.key], p.Value)
		return nil
	}, selectPrevious+` WHERE until_ms > ? ORDER BY key_id, position`, millis(l.now))
	if err != nil {
		return err
	}
	return each(l.View, l.scanKey, func(k keyRow) error {
		if !l.live[k.Workspace] {
			return nil
		}
		k.Previous = earlier[k.ID]
		return l.tell(feed.Change{Key: &k.Key})
	}, selectKeys)
}
