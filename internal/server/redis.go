package server

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/keyward/keyward/internal/metrics"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
)

// shareLimits puts the minute limits over Redis, if one is named. The start does not wait for it: while it cannot be
// reached, the policy holds.
func (s *Server) shareLimits(context.Context) error {
	if s.cfg.Redis.IsZero() {
		if note := s.limitsNote(); note != "" {
			s.log.Warn(note)
		}
		return nil
	}
	where, err := redislimit.ParseURL(s.cfg.Redis.Reveal())
	if err != nil {
		return fmt.Errorf("KEYWARD_REDIS_URL: %w", err)
	}
	if err := s.followRedis(&where); err != nil {
		return err
	}
	var known func() int64
	if s.node != nil {
		known = s.node.Live
	}
	s.shared = redislimit.New(redislimit.Options{
		Connect: where.Connect, Cluster: where.Cluster, Mode: s.cfg.LimitMode, ModeOf: s.cfg.LimitModes,
		Policy: s.cfg.LimitPolicy,
		Unused: func() bool { return s.replica.Size() == 0 },
		Node:   rand.Text(), Known: known, Followers: s.followers, Now: s.opt.Now, Logger: s.log,
	})
	s.push("what is shared over Redis", func() error { s.shared.Close(); return nil })
	return nil
}

// followRedis has connections take Redis's password and authorities out of their files, as they stand when a connection
// is made.
func (s *Server) followRedis(where *redislimit.Server) error {
	files := without(s.cfg.RedisPasswordFile, s.cfg.RedisCAFile)
	if len(files) == 0 {
		return nil
	}
	c, err := s.cfg.RedisCredentials()
	if err != nil {
		return err
	}
	where.Follow(c)
	s.rereads("what Redis is reached with", func() []string { return files }, func() error {
		c, err := s.cfg.RedisCredentials()
		if err == nil {
			where.SetCredentials(c)
		}
		return err
	})
	return nil
}

// limitsNote is the operator's note about the minute limits; "" if there is none.
func (s *Server) limitsNote() string {
	switch {
	case s.shared != nil && s.shared.Stats().Down:
		return "Redis cannot be asked: limits per minute follow the policy"
	case s.shared == nil && s.node != nil:
		return "without KEYWARD_REDIS_URL limits per minute hold for each node by itself, not for all together"
	}
	return ""
}

// sharedGauges adds the figures of Redis.
func (s *Server) sharedGauges(g *metrics.Gauges) {
	if s.shared == nil {
		return
	}
	g.RedisUp = func() bool { return !s.shared.Stats().Down }
	g.RedisNodes = func() float64 { return float64(s.shared.Stats().Nodes) }
	g.RedisStates = func() float64 { return float64(s.shared.States()) }
	g.RedisQuestions = func() float64 { return float64(s.shared.Stats().Questions) }
	g.RedisFailures = func() float64 { return float64(s.shared.Stats().Failures) }
	g.RedisEpochs = func() float64 { return float64(s.shared.Stats().Epochs) }
	g.RedisAdmittedAlone = func() float64 { return float64(s.shared.Stats().AdmittedAlone) }
	g.RedisRefusedAlone = func() float64 { return float64(s.shared.Stats().RefusedAlone) }
}
