package server

import (
	"context"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/lender"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/keyward/keyward/internal/replica"
)

// makeLender makes the end at which followers get units of limits, and report uses. The minutes are
// lent by Redis where nodes share them there, and else by this node's own windows. Where several nodes count each for
// itself, no node lends.
func (s *Server) makeLender(context.Context) error {
	clock := lease.NewClock(s.opt.Now)
	s.own = lease.NewOwn(s.limiter, clock, s.cold)
	s.own.Standing().Followers = s.followers
	own := lease.NewTeller(s.own, clock)
	teller := func(id.Workspace) (*lease.Teller, bool) { return own, false }
	switch {
	case s.shared != nil:
		clock = s.shared.Clock()
		shared := lease.NewTeller(s.shared, clock)
		teller = func(ws id.Workspace) (*lease.Teller, bool) {
			mode := s.shared.ModeOf(ws)
			if mode == lease.Local {
				return nil, false
			}
			return shared, mode == lease.Exact
		}
	case s.node != nil:
		teller = func(id.Workspace) (*lease.Teller, bool) { return nil, false }
	}
	s.feed.Lender = lender.New(lender.Config{
		DB: s.db, Tally: s.tally, Teller: teller, Clock: clock, Now: s.clock.Now,
		Find: func(key [16]byte, v *replica.View) bool { return s.replica.Load().LookupID(key, v) },
	})
	return nil
}

// lends tells whether followers can be lent minutes at all.
func (s *Server) lends() bool { return s.shared != nil || s.node == nil }

// followers is how many processes share a limit beside the nodes, by this node's word.
func (s *Server) followers() int64 { return int64(s.feed.Followers.Size()) }
