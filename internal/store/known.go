package store

import (
	"github.com/keyward/keyward/internal/id"
)

// known is what a group has read of workspaces, roles, members and service keys, by their ids. While a group holds the writers' lock
// nobody else changes any of them, so what it has read stays true until it changes something itself: exec drops all of it, and so does
// whatever is taken back. Most of a group asks for the same few.
type known map[any]any

// memberID and roleID name what has no id of its own without its workspace; the others are known by theirs.
type (
	memberID struct {
		workspace id.Workspace
		user      id.User
	}
	roleID struct {
		workspace id.Workspace
		role      id.Role
	}
)

// recall is what the group knows under an id. Outside of an Update nothing is.
func recall[T any](v *View, of any) (t T, found bool) {
	if v.group == nil {
		return t, false
	}
	t, found = v.group.known[of].(T)
	return t, found
}

// remember reads what is not known yet.
func remember[T any](v *View, of any, read func() (T, error)) (T, error) {
	if t, found := recall[T](v, of); found {
		return t, nil
	}
	t, err := read()
	if err == nil && v.group != nil {
		v.group.know(of, t)
	}
	return t, err
}

func (g *group) know(of, what any) {
	if g.known == nil {
		g.known = make(known)
	}
	g.known[of] = what
}

// forget drops all that is known.
func (g *group) forget() { g.known = nil }
