package cluster_test

import (
	"sync/atomic"
	"testing"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"github.com/keyward/keyward/internal/verify"
)

// A node commits a key and stands still before it tells its own copy. Another node deletes the key, the first one's
// follower sees both, and a sweep forgets the deletion. Then the node goes on.
func TestT27ADeletedKeyStaysDeletedThoughItsOwnNodeTellsOfItLate(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	var armed atomic.Bool
	held, hold := make(chan id.Key), make(chan struct{})
	a := join(t, url, func(c *cluster.Config) {
		c.DB.Subscribe(func(changes []feedChange) {
			if armed.CompareAndSwap(true, false) {
				held <- changes[0].Key.ID
				<-hold
			}
		})
	})
	a.settle()
	b := join(t, url)
	armed.Store(true)
	minted := make(chan key)
	go func() { minted <- a.mint() }()
	made := <-held
	b.must(b.revoke(key{Key: apikey.Key{ID: made}}))
	a.look()
	if a.Replica().Sweep(a.Stats().Revision) == 0 {
		t.Error("the sweep forgot no mark")
	}
	close(hold)
	a.says(<-minted, verify.NotFound, "the node that made the key, and told of it late")
}
