package server

import (
	"context"

	"github.com/keyward/keyward/internal/installation"
)

// machine gives the facts of the process and of its disk.
func (s *Server) machine(ctx context.Context) installation.Machine {
	m := installation.Machine{
		Version: s.opt.Version, Database: "sqlite", Bytes: s.db.Stats().Bytes, Full: s.db.Full(),
		ReadOnly: s.db.ReadOnly(), Keys: s.replica.Size(), BackupsOwn: true,
	}
	if s.db.Shared() {
		m.Database, m.BackupsOwn = "postgres", false
	}
	m.Free, m.FreeKnown = s.db.Free()
	if s.certificate != nil {
		m.Certificate = s.certificate.notAfter()
	}
	return m
}
