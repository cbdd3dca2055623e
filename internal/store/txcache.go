package store

import (
	"github.com/keyward/keyward/internal/id"
)

// txCache holds the workspaces, roles, members and service keys that a group or a View has read, by their ids. While a
// group holds the writers' lock no other writer changes them, so they stay true until the group changes something
// itself: exec drops all of it, and so does a rollback. Most of a group asks for the same few. The values of a
// View stay true as long as its snapshot; the items of a list ask for the same few.
type txCache map[any]any

// mostCached bounds the cache of a View, which may walk along very many objects.
const mostCached = 1000

// memberID and roleID name objects without an id of their own outside their workspace; the others are known by
// theirs.
type (
	memberID struct {
		workspace id.Workspace
		user      id.User
	}
	periodID memberID
	roleID   struct {
		workspace id.Workspace
		role      id.Role
	}
)

// cachedValue is the value that is cached for an id.
func cachedValue[T any](v *View, of any) (t T, found bool) {
	cache := v.cache
	if v.group != nil {
		cache = v.group.cache
	}
	t, found = cache[of].(T)
	return t, found
}

// cachedOrRead reads a value that is not cached yet.
func cachedOrRead[T any](v *View, of any, read func() (T, error)) (T, error) {
	if t, found := cachedValue[T](v, of); found {
		return t, nil
	}
	t, err := read()
	if err != nil {
		return t, err
	}
	if v.group != nil {
		v.group.put(of, t)
	} else if len(v.cache) < mostCached {
		if v.cache == nil {
			v.cache = make(txCache)
		}
		v.cache[of] = t
	}
	return t, nil
}

func (g *group) put(of, what any) {
	if g.cache == nil {
		g.cache = make(txCache)
	}
	g.cache[of] = what
}

// invalidate drops all that is known.
func (g *group) invalidate() { g.cache = nil }
