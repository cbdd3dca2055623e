package cluster_test

import (
	"context"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
)

// kept remembers followers as a database does.
type kept map[string]store.Follower

// changed says where the changes of the tests with bound followers are.
var changed = map[int64]id.Workspace{7: "here", 8: "there", 9: "here"}

func (k kept) Touched(_ context.Context, after, upTo int64) (map[id.Workspace]int64, error) {
	latest := map[id.Workspace]int64{}
	for r := after + 1; r <= upTo; r++ {
		latest[changed[r]] = r
	}
	return latest, nil
}

func (k kept) Followers(context.Context) (list []store.Follower, err error) {
	for _, f := range k {
		list = append(list, f)
	}
	return list, nil
}

func (k kept) PutFollower(_ context.Context, _ string, f store.Follower) error {
	k[string(f.Key)+f.Incarnation] = f
	return nil
}

func (k kept) DropFollower(_ context.Context, _ string, key id.ServiceKey, incarnation string) error {
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

func (f family) hear(incarnation string, count uint64, applied int64, bound ...id.Workspace) {
	f.t.Helper()
	err := f.Followers.Hear(context.Background(), &cluster.Heard{Count: count, Applied: applied, Below: math.MaxInt64,
		Follower: store.Follower{Key: "k", Incarnation: incarnation, Limit: followerLimit, Workspaces: bound}})
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

func TestT110ABoundFollowerCountsForChangesOfItsWorkspacesAlone(t *testing.T) {
	t.Parallel()
	clock := time.Now()
	f := newFamily(t, kept{}, &clock)
	f.hear("a", 1, 6, "here", "elsewhere")
	f.hear("b", 1, 6, "there")
	f.counts(7, 1, 1, "a change here")
	f.counts(8, 1, 2, "one there: the other follower lacks one before it that is its own")
	f.hear("a", 2, 7, "here", "elsewhere")
	f.counts(7, 2, 0, "here, which the follower of here has")
	f.counts(8, 1, 1, "there, which concerns the other alone")
	f.hear("b", 2, 8, "there")
	f.counts(8, 2, 0, "there, which the follower of there has")
	f.counts(9, 1, 1, "here again")
	f.hear("b", 3, -1, "there")
	f.counts(9, 1, 1, "one of there loads")
	f.hear("c", 1, -1)
	f.counts(9, 1, 2, "one of everywhere loads")
}

// The log goes on from an older standby: revision 9 is another change there than the follower has.
func TestT110ARevisionOfAnotherHistoryCountsForNothing(t *testing.T) {
	t.Parallel()
	clock := time.Now()
	f := newFamily(t, kept{}, &clock)
	f.hear("a", 1, 9)
	f.counts(9, 2, 0, "it has the change")
	late := f.Followers.History() // a question that was looked at before
	f.Followers.Forget()
	f.counts(9, 1, 1, "of the history before")
	if least := f.Followers.Least(); least != -1 {
		t.Errorf("the least revision is %d", least)
	}
	err := f.Followers.Hear(t.Context(), &cluster.Heard{Count: 2, Applied: 9, Below: math.MaxInt64, History: late,
		Follower: store.Follower{Key: "k", Incarnation: "a", Limit: followerLimit}})
	if err != nil {
		t.Fatal(err)
	}
	f.counts(9, 1, 1, "and a question that was looked at before")
	err = f.Followers.Hear(t.Context(), &cluster.Heard{Count: 3, Applied: 9, Below: math.MaxInt64,
		History: f.Followers.History(), Follower: store.Follower{Key: "k", Incarnation: "a", Limit: followerLimit}})
	if err != nil {
		t.Fatal(err)
	}
	f.counts(9, 2, 0, "once it was heard anew")
}

func TestTheLeastRevisionOfFollowersIsThatOfTheirList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		clock := time.Now()
		f, _ := cluster.NewFollowers(context.Background(), kept{}, func() time.Time { return clock })
		told := int64(math.MaxInt64)
		f.Moved = func() { told = f.Least() }
		for n := range uint64(rapid.IntRange(1, 40).Draw(t, "steps")) {
			name := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name")
			h := &cluster.Heard{
				Count: n + 1, Applied: rapid.Int64Range(-1, 3).Draw(t, "applied"), Below: rapid.Int64Range(0, 3).Draw(t, "below"),
				Leaving:  rapid.IntRange(0, 9).Draw(t, "leaving") == 0,
				Follower: store.Follower{Key: "k", Incarnation: name, Limit: followerLimit},
			}
			if name == "c" || name == "d" {
				h.Workspaces = []id.Workspace{"here"}
			}
			if err := f.Hear(context.Background(), h); err != nil {
				t.Fatal(err)
			}
			clock = clock.Add(time.Duration(rapid.IntRange(0, 6).Draw(t, "seconds")) * time.Second)
			f.Sweep(context.Background())
			want, all := int64(math.MaxInt64), map[bool]int64{true: math.MaxInt64, false: math.MaxInt64}
			for _, c := range f.List() {
				least := min(c.Applied, c.Below)
				want = min(want, least)
				all[c.Workspaces == nil] = min(all[c.Workspaces == nil], least)
			}
			if got := f.Least(); got != want || told != want {
				t.Fatalf("the least is %d, told %d, want %d", got, told, want)
			}
			for _, l := range f.Lows() {
				if l.Applied != all[l.Workspaces == nil] {
					t.Fatalf("%+v, want %d", l, all[l.Workspaces == nil])
				}
			}
		}
	})
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
	h := &cluster.Heard{
		Count: 1, Applied: 1, Below: math.MaxInt64, Follower: store.Follower{Key: "k", Incarnation: "a", Limit: short},
	}
	if err := f.Hear(context.Background(), h); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if e := a.Effect(context.Background(), 7, true); !e.Everywhere || e.Pending != 1 || time.Since(began) < short {
		t.Errorf("%+v after %s", e, time.Since(began))
	}
}
