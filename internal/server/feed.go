package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/follow"
	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
)

const (
	feedPage  = 5000 // changes that a page of the feed has, about
	feedLoads = 2    // nodes and followers that load everything at once, on a shared database
)

// makeFeed makes the source that followers ask, and reads which of them had joined before this start.
func (s *Server) makeFeed(ctx context.Context) error {
	followers, err := cluster.NewFollowers(ctx, s.db, s.opt.Now)
	if err != nil {
		return fmt.Errorf("read which followers have joined: %w", err)
	}
	s.feed = &httpapi.Feed{
		Followers: followers, Limit: s.cfg.MaxStaleness, Ready: s.Ready,
		Source: feedhttp.NewSource(feedhttp.SourceConfig{
			Feed:      copyFeed{store.Source{DB: s.db, Places: feedLoads, Page: feedPage}, s},
			Catalogue: s.catalogue, Settings: s.feedSettings(), Now: s.clock.Now, Elapsed: s.elapsed,
			Count:       func(reach *account.Reach) int64 { return s.replica.Load().SizeWithin(reach) },
			CountUntold: func(reach *account.Reach, second bool) int64 { return s.replica.Load().Untold(reach, second) },
			Keys:        s.digester.WorkspaceKeys,
		}),
	}
	s.db.Subscribe(func([]feed.Change) { s.feed.Source.Ring() })
	followers.Moved = func() {
		if node := s.node; node != nil {
			node.FollowersMoved()
		}
	}
	return nil
}

// copyFeed is the change log, of which a snapshot is made from the copy in memory: that holds no snapshot of the
// database open while a follower reads, and holds up no writer.
type copyFeed struct {
	store.Source
	server *Server
}

// Load is feed.Source. The database is read where the copy cannot be told.
func (c copyFeed) Load(ctx context.Context, f func(feed.Change) error) (at feed.Cursor, ok bool, err error) {
	r, at, ok := c.server.position()
	if !ok {
		return at, false, feed.ErrLoading
	}
	err = follow.Tell(ctx, r, f)
	if errors.Is(err, replica.ErrKinds) {
		return c.Source.Load(ctx, f)
	}
	return at, true, err
}

// position gives the copy, and a cursor up to which it has everything.
func (s *Server) position() (r *replica.Replica, at feed.Cursor, ok bool) {
	if s.node != nil {
		return s.node.Position()
	}
	l := s.sole.loaded.Load()
	if l == nil {
		return nil, at, false
	}
	return l.replica, s.db.Published(l.at), true // what was told the subscribers is in the copy
}

// feedSettings gives the settings that a follower must share with this node. Prefixes of keys may come while it runs.
func (s *Server) feedSettings() func() *feedhttp.Settings {
	var last atomic.Pointer[feedhttp.Settings]
	var catalogue []feedhttp.Permission
	for _, e := range s.catalogue.Entries() {
		catalogue = append(catalogue, feedhttp.Permission{Resource: e.Resource, Action: e.Action, Description: e.Description})
	}
	return func() *feedhttp.Settings {
		prefixes := s.format.Prefixes()
		now := last.Load()
		if now == nil || !slices.Equal(now.KeyPrefixes, prefixes) {
			now = &feedhttp.Settings{
				Catalogue: catalogue, KeyPrefixes: slices.Clone(prefixes), Pepper: string(s.digester.CurrentPepper()),
			}
			now.TakesUses = true
			if s.lends() {
				now.Limits = &feedhttp.LimitSettings{Policy: s.cfg.LimitPolicy.String()}
			}
			last.Store(now)
		}
		return now
	}
}
