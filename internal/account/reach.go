package account

import (
	"slices"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

// MaxReach bounds the workspaces that one reach names.
const MaxReach = 100

// Reach names the API keys that a demand or a service key is for: those in one of the workspaces and one of the
// environments. A nil list stands for all of them; a list that is empty but not nil stands for none, so that a list
// which came out empty opens nothing.
type Reach struct {
	Workspaces   []id.Workspace
	Environments []keyfmt.Environment
}

// All tells whether nothing lies outside.
func (r *Reach) All() bool { return r.Workspaces == nil && r.Environments == nil }

// Workspace tells whether a workspace lies within. It allocates nothing.
func (r *Reach) Workspace(ws id.Workspace) bool {
	return r.Workspaces == nil || slices.Contains(r.Workspaces, ws)
}

// Environment tells whether an environment lies within. It allocates nothing.
func (r *Reach) Environment(e keyfmt.Environment) bool {
	return r.Environments == nil || slices.Contains(r.Environments, e)
}

// Covers tells whether a key of the workspace and the environment lies within. It allocates nothing.
func (r *Reach) Covers(ws id.Workspace, e keyfmt.Environment) bool {
	return r.Workspace(ws) && r.Environment(e)
}

// And returns the intersection of both.
func (r Reach) And(other Reach) Reach {
	return Reach{both(r.Workspaces, other.Workspaces), both(r.Environments, other.Environments)}
}

func both[T comparable](a, b []T) []T {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	out := make([]T, 0, len(a))
	for _, one := range a {
		if slices.Contains(b, one) {
			out = append(out, one)
		}
	}
	return out
}

// within tells whether every element of inner is one of outer's; nil stands for all.
func within[T comparable](inner, outer []T) bool {
	if outer == nil {
		return true
	}
	return inner != nil && !slices.ContainsFunc(inner, func(one T) bool { return !slices.Contains(outer, one) })
}

// The lists of one environment, shared and never written to.
var (
	liveOnly = []keyfmt.Environment{keyfmt.Live}
	testOnly = []keyfmt.Environment{keyfmt.Test}
)

// OnlyEnvironment is the list that holds the one environment of this name; ok is false where there is none. It
// allocates nothing, and the list is shared: it must not be written to.
func OnlyEnvironment(name string) (list []keyfmt.Environment, ok bool) {
	switch keyfmt.Environment(name) {
	case keyfmt.Live:
		return liveOnly, true
	case keyfmt.Test:
		return testOnly, true
	}
	return nil, false
}
