package storetest

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

func testFollowers(_ *testing.T, f *fixture) {
	ctx := context.Background()
	one := store.Follower{Key: "k", Incarnation: "a", Name: "edge", Version: "v1", Limit: 5 * time.Second}
	two := store.Follower{Key: "k", Incarnation: "b", Limit: time.Second, Workspaces: []id.Workspace{f.ws, "other"}}
	three := store.Follower{Key: "k", Incarnation: "c", Limit: time.Second, Workspaces: []id.Workspace{}}
	node := ""
	if f.db.Shared() {
		node = "n"
	}
	for _, one := range []store.Follower{one, two, three, two} {
		f.check(f.db.PutFollower(ctx, node, one))
	}
	f.restart(catalogue)
	f.same("those that have joined", []store.Follower{one, two, three}, f.followers())
	f.check(f.db.DropFollower(ctx, node, "other", "a"))
	f.check(f.db.DropFollower(ctx, node, "k", "b"))
	f.same("without one that has left", []store.Follower{one, three}, f.followers())
	if !f.db.Shared() {
		return
	}
	report := store.FollowerReport{
		Follower: one, Applied: 7, Below: 5, Followers: 2, Age: time.Second, State: "ready", Silent: time.Minute,
	}
	f.check(f.db.ReportFollowers(ctx, node, []store.FollowerReport{report}))
	list, now, err := f.db.FollowerReports(ctx)
	f.check(err)
	for _, r := range list {
		if r.Incarnation != "a" {
			f.same("one that is not reported yet", int64(-1), r.Applied)
			continue
		}
		f.same("seen a minute ago", true, now.Sub(r.Seen) >= time.Minute && now.Sub(r.Seen) < 2*time.Minute)
		report.Node, report.Seen, report.Silent = node, r.Seen, 0
		f.same("as it was reported", report, r)
	}
	f.check(f.db.DropFollower(ctx, "another", "k", "a"))
	f.same("where it follows another node, too", []store.Follower{one, three}, f.followers())
}

// followers lists those that have joined, whichever the database is.
func (f *fixture) followers() (list []store.Follower) {
	if !f.db.Shared() {
		list, err := f.db.Followers(context.Background())
		f.check(err)
		return list
	}
	reports, _, err := f.db.FollowerReports(context.Background())
	f.check(err)
	byIncarnation := map[string]store.Follower{}
	for _, r := range reports {
		byIncarnation[r.Incarnation] = r.Follower
	}
	for _, name := range []string{"a", "b", "c"} {
		if one, there := byIncarnation[name]; there {
			list = append(list, one)
		}
	}
	return list
}

func testTouched(_ *testing.T, f *fixture) {
	before := f.db.Stats().LogHead
	f.insert(func(*apikey.Key) {})
	first := f.db.Stats().LogHead
	f.mustUpdate(func(tx *store.Tx) error { return tx.PutServiceKey(account.ServiceKey{ID: "s", CreatedAt: tx.Now()}) })
	second := f.db.Stats().LogHead
	f.insert(func(*apikey.Key) {})
	third := f.db.Stats().LogHead
	f.mustUpdate(func(tx *store.Tx) error { return tx.DeleteWorkspace(f.ws) })
	fourth := f.db.Stats().LogHead
	for _, c := range []struct {
		after, upTo int64
		want        map[id.Workspace]int64
	}{
		{before, first, map[id.Workspace]int64{f.ws: first}},
		{before, third, map[id.Workspace]int64{f.ws: third, "": second}},
		{third, math.MaxInt64, map[id.Workspace]int64{f.ws: fourth}},
		{fourth, math.MaxInt64, map[id.Workspace]int64{}},
	} {
		got, err := f.db.Touched(context.Background(), c.after, c.upTo)
		f.check(err)
		f.same("the workspaces of changes", c.want, got)
	}
}
