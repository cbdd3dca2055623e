package server

import (
	"context"

	"github.com/keyward/keyward/internal/httpapi"
)

// listenData takes the address of the data plane, where one is configured.
func (s *Server) listenData(ctx context.Context) error {
	if s.cfg.DataAddr == "" {
		return nil
	}
	l, err := listenAt(ctx, "KEYWARD_DATA_ADDR", s.cfg.DataAddr)
	if err != nil {
		return err
	}
	s.dataListener = s.capped(l)
	s.push("the listener of the data plane", ignoreClosed(s.dataListener.Close))
	return nil
}

// addData makes the lean server over the same engines: c with fewer routes.
func (s *Server) addData(c httpapi.Config) error {
	if s.dataListener == nil {
		return nil
	}
	c.DataPlane, c.Pages = true, nil
	return s.addLean(s.dataListener, httpapi.New(c), "http/1.1")
}

// DataURL is where the data plane is reached from this machine; "" where it has no listener of its own.
func (s *Server) DataURL() string {
	if s.dataListener == nil {
		return ""
	}
	return s.scheme() + "://" + reachable(s.dataListener.Addr())
}
