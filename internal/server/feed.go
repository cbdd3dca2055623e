package server

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/httpapi"
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
			Feed:      store.Source{DB: s.db, Places: feedLoads, Page: feedPage},
			Catalogue: s.catalogue, Settings: s.feedSettings(), Now: s.clock.Now, Elapsed: s.elapsed,
			Foreign: func() bool { return s.replica.Load().Foreign() != nil },
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
			last.Store(now)
		}
		return now
	}
}
