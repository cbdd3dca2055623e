package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/keyward/keyward/internal/dataplane"
	"github.com/keyward/keyward/internal/httpapi"
)

// listenData takes the address of the data plane, where one is configured.
func (s *Server) listenData(ctx context.Context, lc *net.ListenConfig) error {
	if s.cfg.DataAddr == "" {
		return nil
	}
	l, err := lc.Listen(ctx, "tcp", s.cfg.DataAddr)
	if err != nil {
		return fmt.Errorf("KEYWARD_DATA_ADDR: %w", err)
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
	l := net.Listener(s.dataListener)
	if s.cfg.TLS() {
		certificate, err := tls.LoadX509KeyPair(s.cfg.TLSCert, s.cfg.TLSKey)
		if err != nil {
			return fmt.Errorf("KEYWARD_TLS_CERT: %w", err)
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	}
	s.servers = append(s.servers, &serving{listener: l, by: dataplane.New(httpapi.New(c), s.bounded(nil), time.Now, s.log)})
	return nil
}

// DataURL is where the data plane is reached from this machine; "" where it has no listener of its own.
func (s *Server) DataURL() string {
	if s.dataListener == nil {
		return ""
	}
	return s.scheme() + "://" + reachable(s.dataListener.Addr())
}
