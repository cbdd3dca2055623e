package store

import (
	"github.com/keyward/keyward/internal/id"
)

// txCache holds the workspaces, roles, members and service keys that a group has read, by their ids. While a group
// holds the writers' lock no other writer changes them, so they stay true until the group changes something itself:
// exec drops all of it, and so does a rollback. Most of a group asks for the same few.
type txCache map[any]any

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

// cachedValue is the group's value for an id. Outside of an Update there is none.
func cachedValue[T any](v *View, of any) (t T, found bool) {
	if v.group == nil {
		return t, false
	}
	t, found = v.group.cache[of].(T)
	return t, found
}

// cachedOrRead reads a value that is not cached yet.
func cachedOrRead[T any](v *View, of any, read func() (T, error)) (T, error) {
	if t, found := cachedValue[T](v, of); found {
		return t, nil
	}
	t, err := read()
	if err == nil && v.group != nil {
		v.group.put(of, t)
	}
	return t, err
}

func (g *group) put(of, what any) {
	if g.cache == nil {
		g.cache = make(txCache)
	}
	g.cache[of] = what
}

// invalidate drops all that is known.
func (g *group) invalidate() { g.cache = nil }
