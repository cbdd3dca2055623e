package server

import (
	"context"
	"time"
)

// writeUsage writes the counts, every two seconds. If that takes long, because very many keys are used, it pauses for
// longer, so that changes find the database free most of the time.
func (s *Server) writeUsage(ctx context.Context) {
	pause := usageEvery
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		start := time.Now()
		if err := s.tally.Flush(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("the usage was not written, and will be with the next", "error", err.Error())
		}
		pause = max(usageEvery, usageShare*time.Since(start))
	}
}

// writeRefusals writes down what was refused. It does not wait for the usage, so that the lists of other nodes are at
// most seconds behind.
func (s *Server) writeRefusals(ctx context.Context) {
	if err := s.tally.FlushRefusals(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("the refusals were not written, and will be with the next", "error", err.Error())
	}
}

// writeLastUsage leaves no count behind: no request is answered any more.
func (s *Server) writeLastUsage() {
	if err := s.tally.Flush(context.Background()); err != nil {
		s.log.Warn("the last usage was not written and is lost", "error", err.Error(), "keys", s.tally.Stats().Waiting)
	}
	s.writeRefusals(context.Background())
}
