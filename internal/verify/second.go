package verify

import (
	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/replica"
)

// Second is the second digest of a value: under a key that is derived for its workspace, for followers that are bound
// to that.
type Second struct {
	Key     [16]byte      // the id of the API key; zero for a service key
	Service id.ServiceKey // "" for an API key
	Of      keyfmt.Digest // by which the value was found
	To      keyfmt.Stored
}

// offerSecond hands on the second digest of a key's value. A foreign value gets none: a weak one could be guessed from
// it. It is kept out of the way of keys that have theirs.
//
//go:noinline
func (e *Engine) offerSecond(facts *replica.Replica, q *Question, by keyfmt.Digest, v *Verdict) {
	if q.DryRun || !v.Known() || v.Key.Foreign || !facts.Bound(v.Key.Workspace) {
		return
	}
	if to := e.digests.Second(string(v.Key.Workspace), q.Key); to != (keyfmt.Stored{}) {
		e.second(Second{Key: v.Key.UUID, Of: by, To: to})
	}
}

// offerServiceSecond hands on the second digest of a service key that is bound to workspaces.
func (e *Engine) offerServiceSecond(facts *replica.Replica, k *account.ServiceKey, presented string) {
	if e.second == nil || len(k.Bounds.Workspaces) == 0 {
		return
	}
	ws := k.Bounds.Workspaces[0]
	if k.Second.Pepper == e.digests.CurrentPepper() || !facts.Bound(ws) {
		return
	}
	if to := e.digests.Second(string(ws), presented); to != (keyfmt.Stored{}) {
		e.second(Second{Service: k.ID, Of: k.Digest.Sum, To: to})
	}
}
