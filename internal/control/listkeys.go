package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/text"
)

// KeyCounts says how many keys of a list have each status, up to MostCounted; -1 is a number that was not counted.
type KeyCounts struct {
	Total    int64
	Active   int64 // enabled and not expired
	Expiring int64 // of the active ones: within apikey.ExpiringSoon
	Expired  int64 // enabled, and expired
	Disabled int64
}

// filtered tells whether the list has conditions or an order without an index of their own.
func (in *ListKeys) filtered() bool {
	switch in.Order {
	case apikey.NewestFirst, apikey.OldestFirst, apikey.ByExpiry, apikey.ByLastUse, apikey.ByLeastUse:
		return in.Along || in.Search != "" || in.Environment != "" || in.Permission != "" || !in.ExpiringBefore.IsZero() ||
			!in.UnusedSince.IsZero() || !in.TriedSince.IsZero()
	}
	return true
}

// ofEnabled tells whether the order is one of enabled keys alone, which has an index of those.
func (in *ListKeys) ofEnabled() bool {
	return in.Order == apikey.ByExpiry || in.Order == apikey.ByLastUse || in.Order == apikey.ByLeastUse
}

// ListKeys gives a page of keys, newest first unless another order is asked for: the caller's own, or with
// manage-others all of them. A page of a list with conditions looks at so many keys and no more, and may be empty
// though others follow.
func (s *Service) ListKeys(ctx context.Context, c Caller, in ListKeys) ([]Key, Page, error) {
	var out []Key
	var page Page
	c = c.through(session.KeysRead)
	look := s.view
	if in.filtered() {
		look = func(ctx context.Context, c Caller, look func(*store.View, *actor) error) error {
			return s.search(ctx, c, in.Workspace, look)
		}
	}
	err := look(ctx, c, func(v *store.View, a *actor) error {
		f, err := s.keyFilter(v, a, &in)
		if err != nil {
			return err
		}
		list := listName(&f, in.User)
		keys, p, err := paged(
			s,
			list,
			in.Paging,
			func(k apikey.Key) string { return f.Position(&k) },
			func(p store.Page) ([]apikey.Key, error) {
				f.Page = p
				if f.User != "" {
					if f.Own, err = v.FewKeys(f.Workspace, f.User, maxSearched); err != nil {
						return nil, err
					}
				}
				if f.Own || !in.filtered() {
					return v.Keys(f)
				}
				f.UpTo, err = v.KeyStretch(f, maxSearched)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return nil, err
				}
				if err != nil {
					f.UpTo = ""
				}
				return v.Keys(f)
			},
		)
		if err != nil {
			return err
		}
		if page = p; page.NextCursor == "" && f.UpTo != "" { // more keys are left to be searched
			page.NextCursor = s.cursors.seal(list, f.UpTo)
		}
		out, err = s.showAll(v, keys)
		out = slices.DeleteFunc(out, func(k Key) bool { return !f.Unchanged(k.LastUsedAt) })
		return err
	})
	return out, page, storageFault(err)
}

// keyFilter is what a list asks the store for.
func (s *Service) keyFilter(v *store.View, a *actor, in *ListKeys) (store.KeyFilter, error) {
	ws, err := s.resolveWorkspace(v, a, in.Workspace)
	if err != nil {
		return store.KeyFilter{}, err
	}
	if in.Permission != "" && !s.cat.Has(in.Permission) {
		return store.KeyFilter{}, fault.Invalid("permission", "is not in the catalogue")
	}
	f := store.KeyFilter{
		Workspace: ws.ID, Active: in.Active, Search: text.Search(in.Search), Standing: in.Standing, Order: in.Order,
		Of: a.reach.Environments, Permission: in.Permission, ExpiringBefore: in.ExpiringBefore, UnusedSince: in.UnusedSince,
		TriedSince: in.TriedSince, Along: in.filtered() && !in.ofEnabled(),
	}
	if in.Environment != "" {
		f.Of = []keyfmt.Environment{}
		if a.reach.Environment(in.Environment) {
			f.Of = []keyfmt.Environment{in.Environment}
		}
	}
	if in.Disabled {
		if off := false; f.Active == nil {
			f.Active = &off
		} else if *f.Active {
			f.Of = []keyfmt.Environment{}
		}
	}
	f.User, err = s.whoseKeys(a, in.User)
	return f, err
}

// listName names the list that a cursor belongs to.
func listName(f *store.KeyFilter, user string) string {
	active := ""
	if f.Active != nil {
		active = fmt.Sprint(*f.Active)
	}
	name := fmt.Sprintf(
		"keys\x00%s\x00%s\x00%s\x00%v\x00%s\x00%s", f.Workspace, user, f.Search, active, f.Standing, f.Order,
	)
	if f.Along || f.Of != nil {
		name += fmt.Sprintf(
			"\x00%v\x00%s\x00%d\x00%d\x00%d", f.Of, f.Permission, unix(f.ExpiringBefore), unix(f.UnusedSince),
			unix(f.TriedSince),
		)
	}
	return name
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// CountKeys counts the keys of a list by status, whichever of them the list itself selects. A list with conditions, and
// one of a single user, is counted where it can be within as many keys as a page of a search looks at.
func (s *Service) CountKeys(ctx context.Context, c Caller, in ListKeys) (KeyCounts, error) {
	out := KeyCounts{-1, -1, -1, -1, -1}
	all := in
	all.Active, all.Disabled, all.Standing, all.Along = nil, false, apikey.AnyStanding, false
	all.Order, all.Paging = apikey.NewestFirst, Paging{}
	err := s.search(ctx, c.through(session.KeysRead), in.Workspace, func(v *store.View, a *actor) error {
		f, err := s.keyFilter(v, a, &all)
		if err != nil {
			return err
		}
		if f.Along = all.filtered() || f.User != "" || f.Of != nil; f.Along {
			if _, err := v.KeyStretch(f, maxSearched+1); !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return out.read(v, f)
	})
	return out, storageFault(err)
}

func (n *KeyCounts) read(v *store.View, f store.KeyFilter) (err error) {
	off := false
	for _, one := range []struct {
		to       *int64
		standing apikey.Standing
		active   *bool
	}{{&n.Total, "", nil}, {&n.Expiring, apikey.Expiring, nil}, {&n.Expired, apikey.Expired, nil}, {&n.Disabled, "",
		&off}} {
		f.Standing, f.Active = one.standing, one.active
		if one.to == &n.Total && !f.Along {
			*one.to, err = v.KeyTotal(f.Workspace, f.User)
		} else if *one.to, err = v.KeyCount(f, MostCounted+1); *one.to > MostCounted {
			*one.to = -1
		}
		if err != nil {
			return err
		}
	}
	if n.Total >= 0 && n.Expired >= 0 && n.Disabled >= 0 {
		n.Active = n.Total - n.Expired - n.Disabled
	}
	return nil
}

// showAll is show for a page: each creator is read once.
func (s *Service) showAll(v *store.View, keys []apikey.Key) ([]Key, error) {
	out, seen := make([]Key, len(keys)), map[id.User]Creator{}
	for i, k := range keys {
		c, ok := seen[k.User]
		if !ok {
			shown, err := s.show(v, k)
			if err != nil {
				return nil, err
			}
			c = shown.Creator
			seen[k.User] = c
		}
		s.lately(&k)
		out[i] = Key{Key: k, Creator: c}
	}
	return out, nil
}
