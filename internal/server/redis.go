package server

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/keyward/keyward/internal/metrics"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
)

// shareLimits puts the minute limits over Redis, where one is named. Nobody waits for it: while it cannot be reached, the policy holds.
func (s *Server) shareLimits(context.Context) error {
	if s.cfg.Redis.IsZero() {
		return nil
	}
	where, err := redislimit.ParseURL(s.cfg.Redis.Reveal())
	if err != nil {
		return fmt.Errorf("KEYWARD_REDIS_URL: %w", err)
	}
	s.shared = redislimit.New(redislimit.Options{
		Connect: where.Connect, Cluster: where.Cluster, Mode: s.cfg.LimitMode, ModeOf: s.cfg.LimitModes, Policy: s.cfg.LimitPolicy,
		Node: rand.Text(), Now: s.opt.Now, Logger: s.log,
	})
	s.push("what is shared over Redis", func() error { s.shared.Close(); return nil })
	return nil
}

// sharedGauges adds what is known of Redis.
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
