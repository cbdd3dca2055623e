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
	file := s.cfg.Routes
	if file == "" {
		return nil
	}
	read := func() error {
		table, err := routes.Read(file, s.catalogue)
		if err != nil {
			return err
		}
		s.gateway.SetRoutes(table)
		s.log.Info("route table", "file", file, "rules", len(table.Routes()))
		return nil
	}
	if err := read(); err != nil {
		return fmt.Errorf("KEYWARD_ROUTES: %w", err)
	}
	if len(s.proxies.List()) == 0 {
		s.log.Warn(
			"there is a route table and no trusted proxy: /check refuses every request that does not name its permissions; " +
				"set KEYWARD_TRUSTED_PROXIES",
		)
	}
	s.rereads("the route table", func() []string { return []string{file} }, read)
	return nil
}

// Reload reads the certificate, the route table, the trusted proxies and the files of Redis and PostgreSQL again.
// Requests under way keep the state they began with; a broken file leaves the one before in place, and the log names
// its fault.
func (s *Server) Reload() {
	if s.certificate != nil {
		s.certificate.reload()
	}
	for _, r := range s.reread {
		r.reload()
	}
}
