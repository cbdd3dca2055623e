package server

import (
	"context"
	"math"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/follow"
	"github.com/keyward/keyward/internal/follower"
	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
)

// hub is the part of a follower that offers the feed onward. It has no database: a hub that is killed is one that its
// own source still counts, as far as it had come with those below it, until three limits have passed. By then they have
// fenced themselves, since they know nothing that their hub did not.
type hub struct {
	onward    *follow.Onward
	followers *cluster.Followers
	moved     chan struct{} // the least revision below has changed
}

// noKeeper keeps no follower across a start, and does not know where changes took place.
type noKeeper struct{}

func (noKeeper) Followers(context.Context) ([]store.Follower, error)               { return nil, nil }
func (noKeeper) PutFollower(context.Context, string, store.Follower) error         { return nil }
func (noKeeper) DropFollower(context.Context, string, id.ServiceKey, string) error { return nil }
func (noKeeper) Touched(context.Context, int64, int64) (map[id.Workspace]int64, error) {
	return nil, nil
}

func newHub(ctx context.Context, now func() time.Time) (*hub, error) {
	followers, err := cluster.NewFollowers(ctx, noKeeper{}, now)
	if err != nil {
		return nil, err
	}
	h := &hub{onward: follow.NewOnward(), followers: followers, moved: make(chan struct{}, 1)}
	followers.Moved = func() {
		select {
		case h.moved <- struct{}{}:
		default:
		}
	}
	return h, nil
}

// below tells how many follow this follower, and the least revision that one of them has.
func (h *hub) below() (followers int, least int64) { return h.followers.Len(), h.followers.Least() }

// leads tells whether somebody follows.
func (h *hub) leads() bool { return h != nil && h.followers.Least() != math.MaxInt64 }

// feedOnward is the door for followers of this one.
func (f *Follower) feedOnward(d *follower.Desk) *httpapi.Feed {
	if f.hub == nil {
		return nil
	}
	source := feedhttp.NewSource(feedhttp.SourceConfig{
		Feed: f.hub.onward, Catalogue: d.Catalogue, Settings: d.Settings, Bound: d.IsBound(),
		Now: f.sourceTime, Elapsed: f.elapsed,
		Keys:  func(workspaces []string) []keyfmt.WorkspaceKey { return f.follower.WorkspaceKeys(d, workspaces) },
		Count: func(reach *account.Reach) int64 { return f.follower.Replica().SizeWithin(reach) },
		CountUntold: func(reach *account.Reach, second bool) int64 {
			return f.follower.Untold(d, reach, second && !d.IsBound())
		},
	})
	f.hub.onward.Moved = source.Ring
	return &httpapi.Feed{
		Source: source, Followers: f.hub.followers, Limit: f.cfg.MaxStaleness, Ready: f.Ready,
		Above: &httpapi.Above{
			Client: f.follower.Client(),
			Find: func(key [16]byte) (id.Workspace, keyfmt.Environment, bool) {
				var v replica.View
				known := f.follower.Replica().LookupID(key, &v)
				return v.Workspace, v.Environment, known
			},
			HasWorkspace: func(ws id.Workspace) bool { return f.follower.Replica().HasWorkspace(ws) },
		},
	}
}

// sourceTime is the source's clock, as far as it is known: a follower of this one compares its own with that.
func (f *Follower) sourceTime() time.Time { return f.opt.Now().Add(-f.follower.Skew()) }

// reportBelow tells the source at once how far those below have come.
func (f *Follower) reportBelow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.hub.moved:
		}
		if err := f.follower.Report(ctx); err != nil && ctx.Err() == nil {
			f.log.Debug("the source could not be told how far the followers have come", "error", err.Error())
		}
	}
}
