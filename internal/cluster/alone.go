package cluster

import (
	"context"
	"time"

	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
)

// Alone is the only node of a database that is not shared. Its changes are in its copy before they are answered.
type Alone struct {
	ID, Address, Version string
	Started              time.Time
	Limit                time.Duration
	Alike                store.Alike
	Now                  func() time.Time
	Replica              func() *replica.Replica
	Followers            *Followers // nil is none
}

// Effect is complete at once, but for followers.
func (a *Alone) Effect(ctx context.Context, revision int64, wait bool) Effect {
	if revision == 0 && a.Replica != nil {
		revision = a.Replica().Revision()
	}
	return await(ctx, a.Now, wait, func(time.Duration) Effect {
		e := Effect{Confirmed: 1, Deadline: a.Now()}
		if standing := a.Followers.standing(); len(standing) > 0 {
			newConcerned(ctx, a.Followers.Keep, revision, standing).count(&e, standing)
		}
		if e.Everywhere = e.Pending == 0; !e.Everywhere {
			e.Deadline = e.Deadline.Add(a.Limit) // no follower has a longer one
		}
		return e
	})
}

// Children lists the followers.
func (a *Alone) Children(context.Context) ([]Child, error) {
	list := a.Followers.List()
	for i := range list {
		list[i].Node = a.ID
	}
	return list, nil
}

// Members lists the one.
func (a *Alone) Members(context.Context) ([]Member, error) {
	r := a.Replica()
	state := store.NodeReady
	if !r.Ready() {
		state = store.NodeLoading
	}
	return []Member{
		{Self: true, Node: store.Node{ID: a.ID, Address: a.Address, Version: a.Version, State: state, Limit: a.Limit,
			Applied: r.Revision(), Started: a.Started, Seen: a.Now(), Alike: a.Alike}},
	}, nil
}
