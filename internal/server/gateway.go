package server

import (
	"context"
	"fmt"

	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/routes"
)

// makeGateway makes the gate for proxies, with the route table if one is configured.
func (s *Server) makeGateway(context.Context) error {
	s.gateway = gateway.New(gateway.Config{
		Engine: s.engine, Catalogue: s.catalogue, Format: s.format, Now: s.clock.Now, TrustedProxies: &s.proxies,
	})
	if s.cfg.Routes == "" {
		return nil
	}
	table, err := routes.Read(s.cfg.Routes, s.catalogue)
	if err != nil {
		return fmt.Errorf("KEYWARD_ROUTES: %w", err)
	}
	s.gateway.SetRoutes(table)
	if len(s.proxies.List()) == 0 {
		s.log.Warn("there is a route table and no trusted proxy: /check refuses every request that does not name its permissions; " +
			"set KEYWARD_TRUSTED_PROXIES")
	}
	s.log.Info("route table", "file", s.cfg.Routes, "rules", len(table.Routes()))
	return nil
}

// Reload reads the certificate, the route table, the trusted proxies and the files of Redis and PostgreSQL again.
// Requests under way keep the state they began with; a broken file leaves the one before in place, and the log names
// its fault.
func (s *Server) Reload() {
	if s.certificate != nil {
		s.certificate.reload()
	}
	s.reloadRoutes()
	for _, r := range s.reread {
		r.reload()
	}
}

func (s *Server) reloadRoutes() {
	if s.cfg.Routes == "" {
		s.log.Info("there is no route table to read again")
		return
	}
	table, err := routes.Read(s.cfg.Routes, s.catalogue)
	if err != nil {
		s.log.Error("the route table was not read again: the one before goes on to hold", "error", err.Error())
		return
	}
	s.gateway.SetRoutes(table)
	s.log.Info("the route table was read again", "file", s.cfg.Routes, "rules", len(table.Routes()))
}
