package cluster_test

import (
	"context"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
)

// kept remembers followers as a database does.
type kept map[string]store.Follower

func (k kept) Followers(context.Context) (list []store.Follower, err error) {
	for _, f := range k {
		list = append(list, f)
	}
	return list, nil
}

func (k kept) PutFollower(_ context.Context, f store.Follower) error {
	k[string(f.Key)+f.Incarnation] = f
	return nil
}

func (k kept) DropFollower(_ context.Context, key id.ServiceKey, incarnation string) error {
	delete(k, string(key)+incarnation)
	return nil
}

// family is a node alone with followers, by a clock that stands still.
type family struct {
	*cluster.Alone
	t     *testing.T
	kept  kept
	clock *time.Time
}

const followerLimit = 5 * time.Second

func newFamily(t *testing.T, k kept, clock *time.Time) family {
	t.Helper()
	now := func() time.Time { return *clock }
	f, err := cluster.NewFollowers(context.Background(), k, now)
	if err != nil {
		t.Fatal(err)
	}
	r := replica.New()
	r.SetRevision(9)
	return family{
		&cluster.Alone{Limit: followerLimit, Now: now, Followers: f, Replica: func() *replica.Replica { return r }}, t, k,
		clock,
	}
}

func (f family) hear(incarnation string, count uint64, applied int64) {
	f.t.Helper()
	err := f.Followers.Hear(context.Background(), &cluster.Heard{Count: count, Applied: applied,
		Follower: store.Follower{Key: "k", Incarnation: incarnation, Limit: followerLimit}})
	if err != nil {
		f.t.Fatal(err)
	}
}

// counts holds how many have a change and how many have not, of the node and its followers.
func (f family) counts(revision int64, confirmed, pending int, when string) {
	f.t.Helper()
	e := f.Effect(context.Background(), revision, false)
	if e.Confirmed != confirmed || e.Pending != pending || e.Everywhere != (pending == 0) {
		f.t.Errorf("%s: %+v, want %d and %d pending", when, e, confirmed, pending)
	}
	if pending > 0 && e.Deadline.Sub(*f.clock) != followerLimit {
		f.t.Errorf("%s: the deadline is in %s", when, e.Deadline.Sub(*f.clock))
	}
}

func TestT110AChangeWaitsForEachFollowerUntilItHasItOrMustBeFenced(t *testing.T) {
	t.Parallel()
	clock := time.Now()
	f := newFamily(t, kept{}, &clock)
	f.counts(7, 1, 0, "without followers")
	f.hear("a", 1, -1)
	f.counts(7, 1, 1, "one that loads")
	f.hear("a", 2, 6)
	f.hear("b", 1, 7)
	f.counts(7, 2, 1, "one that is behind, and one that has it")
	f.counts(0, 1, 2, "of all that there is")
	f.hear("a", 3, 7)
	f.counts(7, 3, 0, "both have it")
	f.hear("a", 3, 2)
	f.hear("b", 1, 2)
	f.counts(7, 3, 0, "after an old question was repeated by a proxy")
	clock = clock.Add(3 * followerLimit)
	f.counts(8, 1, 2, "at three times the limit")
	clock = clock.Add(1)
	f.counts(8, 1, 0, "beyond three times the limit")
	f.Followers.Sweep(context.Background())
	if len(f.kept) != 0 || len(f.Followers.List()) != 0 {
		t.Errorf("%d are kept and %d listed after they have fenced themselves", len(f.kept), len(f.Followers.List()))
	}
}

func TestT110AStartWaitsForTheFollowersThatHadJoined(t *testing.T) {
	t.Parallel()
	clock := time.Now()
	k := kept{}
	newFamily(t, k, &clock).hear("a", 4, 7)
	f := newFamily(t, k, &clock) // killed, and started again
	f.counts(7, 1, 1, "after a start, before it was heard")
	f.hear("a", 1, 7) // the counter of its connection does not matter: this process has heard none
	f.counts(7, 2, 0, "once it was heard")
	f = newFamily(t, k, &clock)
	clock = clock.Add(3*followerLimit + 1)
	f.counts(7, 1, 0, "never heard, and fenced by now")
}

func TestAFollowerThatLeavesIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	clock := time.Now()
	f := newFamily(t, kept{}, &clock)
	f.hear("a", 1, 2)
	bye := &cluster.Heard{Count: 2, Leaving: true, Follower: store.Follower{Key: "other", Incarnation: "a"}}
	if err := f.Followers.Hear(context.Background(), bye); err != nil {
		t.Fatal(err)
	}
	f.counts(7, 1, 1, "after another service key has said so")
	bye.Key = "k"
	if err := f.Followers.Hear(context.Background(), bye); err != nil {
		t.Fatal(err)
	}
	f.counts(7, 1, 0, "after it has said so")
	if len(f.kept) != 0 {
		t.Errorf("%d are kept", len(f.kept))
	}
}

func TestWaitingForFollowersEndsAtTheDeadline(t *testing.T) {
	t.Parallel()
	f, err := cluster.NewFollowers(context.Background(), kept{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	const short = 200 * time.Millisecond
	a := &cluster.Alone{Limit: short, Now: time.Now, Followers: f}
	h := &cluster.Heard{Count: 1, Applied: 1, Follower: store.Follower{Key: "k", Incarnation: "a", Limit: short}}
	if err := f.Hear(context.Background(), h); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if e := a.Effect(context.Background(), 7, true); !e.Everywhere || e.Pending != 1 || time.Since(began) < short {
		t.Errorf("%+v after %s", e, time.Since(began))
	}
}
