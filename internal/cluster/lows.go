package cluster

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// lows counts followers by the workspaces that they are bound to, and by the revision that they have applied. At most
// times all have the same one, so the least is found at once, however many they are.
type lows map[string]*low

type low struct {
	workspaces []id.Workspace // nil for all
	at         map[int64]int  // so many followers have applied up to here
}

// boundName names a set of workspaces.
func boundName(bound []id.Workspace) string {
	if bound == nil {
		return "all"
	}
	sorted := slices.Sorted(slices.Values(bound))
	var b strings.Builder
	for _, ws := range sorted {
		b.WriteString("/" + string(ws))
	}
	return b.String()
}

// add counts a follower, and tells whether the least revision of its kind has changed.
func (l lows) add(bound []id.Workspace, applied int64) (moved bool) {
	name := boundName(bound)
	one := l[name]
	if one == nil {
		one = &low{workspaces: bound, at: map[int64]int{}}
		l[name] = one
	}
	was := one.least()
	one.at[applied]++
	return one.least() != was
}

// remove takes a follower back that was counted.
func (l lows) remove(bound []id.Workspace, applied int64) (moved bool) {
	name := boundName(bound)
	one := l[name]
	if one == nil {
		return false
	}
	was := one.least()
	if one.at[applied]--; one.at[applied] <= 0 {
		delete(one.at, applied)
	}
	if len(one.at) == 0 {
		delete(l, name)
	}
	return one.least() != was
}

func (o *low) least() int64 {
	least := int64(math.MaxInt64)
	for applied := range o.at {
		least = min(least, applied)
	}
	return least
}

func (l lows) least() int64 {
	least := int64(math.MaxInt64)
	for _, one := range l {
		least = min(least, one.least())
	}
	return least
}

func (l lows) list() (list []store.Low) {
	for _, one := range l {
		list = append(list, store.Low{Workspaces: one.workspaces, Applied: one.least()})
	}
	slices.SortFunc(list,
		func(a, b store.Low) int { return cmp.Compare(boundName(a.Workspaces), boundName(b.Workspaces)) })
	return list
}

// mostTouched bounds how many revisions are looked through for where a change took place.
const mostTouched = 10_000

// concerned tells which followers a change concerns, and everything before it that they do not have yet. A follower
// that is bound to no workspace is concerned by every change.
type concerned struct {
	revision int64
	from     int64                  // the log is looked through after it
	latest   map[id.Workspace]int64 // nil where everybody is concerned
}

// newConcerned looks at the change log where a follower is bound. Where that fails every follower is concerned.
func newConcerned(ctx context.Context, keep FollowerKeeper, revision int64, standing []store.Low) *concerned {
	c := &concerned{revision: revision, from: revision - 1}
	bound := false
	for i := range standing {
		s := &standing[i]
		if s.Workspaces == nil {
			continue
		}
		bound = true
		if s.Applied >= 0 {
			c.from = min(c.from, max(s.Applied, revision-mostTouched))
		}
	}
	if !bound || keep == nil {
		return c
	}
	latest, err := keep.Touched(ctx, c.from, revision)
	if err == nil {
		c.latest = latest
	}
	return c
}

// by tells whether the change, or one before it that the follower does not have yet, is in its workspaces. One that
// loads gets all that was before the change with what it loads.
func (c *concerned) by(s *store.Low) bool {
	if s.Workspaces == nil || c.latest == nil {
		return true
	}
	has := min(s.Applied, c.revision-1)
	if s.Applied < 0 {
		has = c.revision - 1
	}
	if has < c.from { // further back than was looked
		return true
	}
	if c.latest[""] > has {
		return true
	}
	return slices.ContainsFunc(s.Workspaces, func(ws id.Workspace) bool { return c.latest[ws] > has })
}

// count adds followers to an effect's nodes.
func (c *concerned) count(e *Effect, standing []store.Low) {
	for i := range standing {
		s := &standing[i]
		switch {
		case !c.by(s):
		case s.Applied >= c.revision:
			e.Confirmed++
		default:
			e.Pending++
		}
	}
}
