package store

import (
	"github.com/keyward/keyward/internal/id"
)

// txCache is what a group has read of workspaces, roles, members and service keys, by their ids. While a group holds the writers' lock
// nobody else changes any of them, so what it has read stays true until it changes something itself: exec drops all of it, and so does
// whatever is taken back. Most of a group asks for the same few.
type txCache map[any]any

// memberID and roleID name what has no id of its own without its workspace; the others are known by theirs.
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

// cachedValue is what the group knows under an id. Outside of an Update nothing is.
func cachedValue[T any](v *View, of any) (t T, found bool) {
	if v.group == nil {
		return t, false
	}
	t, found = v.group.cache[of].(T)
	return t, found
}

// cachedOrRead reads what is not known yet.
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
