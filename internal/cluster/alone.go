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
}

// Effect is complete at once.
func (a *Alone) Effect(context.Context, int64, bool) Effect {
	return Effect{Everywhere: true, Confirmed: 1, Deadline: a.Now()}
}

// Members lists the one.
func (a *Alone) Members(context.Context) ([]Member, error) {
	r := a.Replica()
	state := store.NodeReady
	if !r.Ready() {
		state = store.NodeLoading
	}
	return []Member{{Self: true, Node: store.Node{ID: a.ID, Address: a.Address, Version: a.Version, State: state, Limit: a.Limit,
		Applied: r.Revision(), Started: a.Started, Seen: a.Now(), Alike: a.Alike}}}, nil
}
