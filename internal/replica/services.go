package replica

import (
	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
)

// serviceNode stands for one service key.
type serviceNode struct {
	version
	key *account.ServiceKey // nil: gone
}

// putService replaces a service key, by nil where it is gone. Readers get a new map: there are few service keys.
func (r *Replica) putService(revision int64, name id.ServiceKey, a *account.ServiceKey) {
	n := r.operators[name]
	if n == nil {
		n = &serviceNode{}
		r.operators[name] = n
	}
	if !n.admit(revision) {
		return
	}
	n.key = a
	all := make(map[keyfmt.Digest]*account.ServiceKey, len(r.operators))
	for _, o := range r.operators {
		if o.key != nil {
			all[o.key.Digest.Sum] = o.key
		}
	}
	r.services.Store(&all)
	r.putBound()
}
