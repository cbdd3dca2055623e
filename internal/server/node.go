package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/database"
	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/metrics"
	"github.com/keyward/keyward/internal/replica"
)

// leaving is how long a node takes to tell the others that it goes.
const leaving = 3 * time.Second

// connect opens the database that the settings name.
func (s *Server) connect(ctx context.Context) (database.Driver, error) {
	d, err := database.Open(ctx, &s.cfg, database.Options{Lock: true, Init: s.cfg.Init})
	if err != nil {
		return nil, err
	}
	if err := d.Servable(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// join makes this process one of the nodes that share the database: it loads everything and follows the others'
// changes.
func (s *Server) join(ctx context.Context) error {
	s.feed.Followers.Node = s.ids.Next()
	s.node = cluster.New(cluster.Config{
		DB: s.db, ID: s.feed.Followers.Node, Version: s.opt.Version, Limit: s.cfg.MaxStaleness, Now: s.opt.Now, Log: s.log,
		Alike: s.db.Describe(s.cfg.RootKey, s.digester), Followers: s.feed.Followers, OnChange: s.feed.Source.Ring,
		OnSwap: func(r *replica.Replica) {
			r.KeepSecond(s.digester.SecondPeppers())
			s.replica.Store(r)
			if s.engine != nil {
				s.engine.Use(r)
			}
		},
	})
	s.push("the place among the nodes", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), leaving)
		defer cancel()
		if err := s.node.Close(ctx); err != nil {
			s.log.Warn(
				"the other nodes could not be told that this one goes: they wait for it for a while", "error", err.Error(),
			)
		}
		return nil
	})
	if err := s.node.Start(ctx); err != nil {
		return fmt.Errorf("join the nodes of this database: %w", err)
	}
	return nil
}

// settled is the revision before which no change can come any more.
func (s *Server) settled() int64 {
	if s.node != nil {
		return s.node.Stats().Revision
	}
	return s.replica.Revision()
}

// nodes answers the transports' questions about other nodes.
func (s *Server) nodes() httpapi.Nodes {
	if s.node != nil {
		return s.node
	}
	return &cluster.Alone{
		Alike: s.db.Describe(s.cfg.RootKey, s.digester), ID: s.ids.Next(), Address: s.URL(), Version: s.opt.Version,
		Started: s.opt.Now(), Limit: s.cfg.MaxStaleness, Now: s.opt.Now, Replica: s.replica.Load, Followers: s.feed.Followers,
	}
}

// feedGauges are those of a database that several nodes share.
func (s *Server) feedGauges(g *metrics.Gauges) {
	g.FeedErrors = func() float64 { return float64(s.node.Stats().Errors) }
	g.FeedLoads = func() float64 { return float64(s.node.Stats().Loads) }
	g.FeedRings = func() float64 { return float64(s.node.Stats().Rings) }
	g.ClockSkew = s.node.Skew
	g.NodesThatDiffer = s.nodesThatDiffer()
	g.PoolConnections = func() float64 { return float64(s.db.Pool().Open) }
	g.PoolBusy = func() float64 { return float64(s.db.Pool().Busy) }
	g.PoolMost = func() float64 { return float64(s.db.Pool().Most) }
	g.PoolWaits = func() float64 { return float64(s.db.Pool().Waited) }
	g.PoolWaited = func() time.Duration { return s.db.Pool().WaitedFor }
}
