package server

import "context"

// CollectorPercent is for tests.
func CollectorPercent(live, keys int64) int { return collectorPercent(live, keys) }

// LookAtFiles looks at the files that are read again, as the server does every few seconds.
func (s *Server) LookAtFiles() { s.lookAtFiles(context.Background()) }
