package cluster_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"github.com/keyward/keyward/internal/verify"
)

// stopAtRenewal has a node stand still when its copy has been renewed and the load has not begun, once it is armed.
type stopAtRenewal struct {
	armed         atomic.Bool
	renewed, goOn chan struct{}
}

func newStop() *stopAtRenewal {
	return &stopAtRenewal{renewed: make(chan struct{}), goOn: make(chan struct{})}
}

func (s *stopAtRenewal) config(c *cluster.Config) {
	use := c.OnSwap
	c.OnSwap = func(r *replica.Replica) {
		use(r)
		if s.armed.CompareAndSwap(true, false) {
			close(s.renewed)
			<-s.goOn
		}
	}
}

// loadAnew has the node load everything, and answers once it stands still in the midst of it. The channel tells when it
// has ended.
func (s *stopAtRenewal) loadAnew(t *testing.T, n *node, url string) chan struct{} {
	t.Helper()
	pgtest.Run(t, url, "UPDATE cluster SET epoch = epoch || 'x'")
	s.armed.Store(true)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.Look(context.Background())
	}()
	<-s.renewed
	return ended
}

// A copy is renewed between the commit of a revocation and its answer: the copy has come nowhere then, and the change
// was made.
func TestT26WaitAllWaitsForTheRevisionOfTheChangeThoughTheCopyIsLoadedAnew(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	stop := newStop()
	a := join(t, url, stop.config).settle()
	still := join(t, url) // has the key, and does not follow
	k := a.mint()
	a.look()
	looked := time.Now()
	still.look()
	if err := a.revoke(k); err != nil {
		t.Fatal(err)
	}
	ended := stop.loadAnew(t, a, url)
	e := a.Effect(context.Background(), a.wrote.Load(), false)
	got := still.ask(k)
	slow := got == verify.Unavailable && time.Since(looked) > limit // the machine took so long that the node is fenced
	if got != verify.Valid && !slow || e.Pending != 1 && !slow || e.Everywhere && got == verify.Valid {
		t.Errorf("another node says %s, and the answer is %+v: want VALID and one that is pending", got, e)
	}
	if e := a.Effect(context.Background(), a.wrote.Load(), true); !e.Everywhere || still.ask(k) != verify.Unavailable {
		t.Errorf("after waiting: %+v, and another node says %s", e, still.ask(k))
	}
	close(stop.goOn)
	<-ended
	a.says(k, verify.NotFound, "loaded anew")
}

// Revision 0 is for an answer without a transaction: it stands for all that there is.
func TestAnEffectWithoutARevisionIsOfAllThatThereIs(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, still := join(t, url).settle(), join(t, url)
	a.mint()
	a.look()
	if e := a.Effect(context.Background(), 0, false); e.Everywhere || e.Pending != 1 {
		t.Errorf("%+v: want one that is pending", e)
	}
	still.look()
	if e := a.Effect(context.Background(), 0, false); !e.Everywhere || e.Confirmed != 2 {
		t.Errorf("%+v: want it everywhere", e)
	}
}

// A node commits a key and stands still before it tells its own copy. Another node deletes the key. The first one loads
// everything anew, and then goes on: before the load has begun, and after it has ended.
func TestT27ALoadIsNotOverriddenByAnEarlierChangeThatIsToldLate(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]bool{"told during the load": false, "told after the load": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Database(t)
			var late atomic.Bool
			held, hold := make(chan id.Key), make(chan struct{})
			stop := newStop()
			a := join(t, url, stop.config, func(c *cluster.Config) {
				c.DB.Subscribe(func(changes []feedChange) {
					if late.CompareAndSwap(true, false) {
						held <- changes[0].Key.ID
						<-hold
					}
				})
			})
			a.settle()
			b := join(t, url)
			late.Store(true)
			minted := make(chan key)
			go func() { minted <- a.mint() }()
			made := <-held
			b.must(b.revoke(key{Key: apikey.Key{ID: made}}))
			ended := stop.loadAnew(t, a, url)
			var k key
			if after {
				close(stop.goOn)
				<-ended
			}
			close(hold)
			k = <-minted
			if !after {
				close(stop.goOn)
				<-ended
			}
			a.says(k, verify.NotFound, "the node that made the key, and told of it late")
			a.look()
			a.says(k, verify.NotFound, "and later")
		})
	}
}
