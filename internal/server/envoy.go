package server

import (
	"context"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/gateway/extauthz"
)

const (
	tellReady  = 250 * time.Millisecond // how old the health service's word may be
	drainEnvoy = 5 * time.Second        // a check takes microseconds; what lasts longer only watches
)

func (s *Server) listenEnvoy(ctx context.Context) error {
	if s.cfg.GRPCAddr == "" {
		return nil
	}
	l, err := listenAt(ctx, "KEYWARD_GRPC_ADDR", s.cfg.GRPCAddr)
	if err != nil {
		return err
	}
	s.envoyListener = s.capped(l)
	s.push("the listener for gRPC", ignoreClosed(s.envoyListener.Close))
	return nil
}

// makeEnvoy makes the gRPC door where it has an address. It speaks TLS where HTTP does, with the same certificate.
func (s *Server) makeEnvoy(context.Context) error {
	if s.envoyListener == nil {
		return nil
	}
	c := extauthz.Config{
		Gate: s.gateway, Logger: s.log, Now: s.opt.Now, RequestID: s.ids.Next, Observer: s.metrics,
		AccessLog: s.cfg.AccessLog,
	}
	if s.cfg.TLS() {
		c.TLS = s.certificate.config("h2")
	}
	s.envoy = extauthz.New(c)
	s.log.Info("listening for Envoy", "address", s.GRPCAddr(), "tls", s.cfg.TLS())
	return nil
}

func (s *Server) serveEnvoy() error {
	s.tellEnvoy(context.Background())
	if err := s.envoy.Serve(s.envoyListener); err != nil {
		return fmt.Errorf("serve %s: %w", s.envoyListener.Addr(), err)
	}
	return nil
}

func (s *Server) tellEnvoy(context.Context) { s.envoy.SetReady(s.Ready()) }

func (s *Server) stopEnvoy(ctx context.Context) {
	if s.envoy == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, drainEnvoy)
	defer cancel()
	if err := s.envoy.Stop(ctx); err != nil {
		s.log.Info("gRPC calls were still running and are cut off", "after", drainEnvoy.String())
	}
}

// MetricsAddr is where the metrics have a listener of their own; "" where they have none.
func (s *Server) MetricsAddr() string {
	if s.metricsListener == nil {
		return ""
	}
	return reachable(s.metricsListener.Addr())
}

// GRPCAddr is where gRPC is answered from this machine; "" where it is not.
func (s *Server) GRPCAddr() string {
	if s.envoyListener == nil {
		return ""
	}
	return reachable(s.envoyListener.Addr())
}
