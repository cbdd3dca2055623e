package server

import (
	"context"
	"time"
)

const (
	settleEvery = time.Second
	settleIdle  = 2500 * time.Millisecond // a request writes on for less than that before it is answered
)

// writeSettled writes the rows of keys whose creators left or came back, if the deciding request did not: at the
// start those left by a crash, and later also those left by another node.
func (s *Server) writeSettled(ctx context.Context) {
	failing := false
	look := func(idle time.Duration) {
		for {
			found, err := s.control.SettleNext(ctx, idle)
			if err != nil && !failing && ctx.Err() == nil {
				s.log.Warn(
					"rows of keys whose creators left were not written: they are judged by what was decided meanwhile", "error",
					err.Error(),
				)
			}
			if failing = err != nil; !found || ctx.Err() != nil {
				return
			}
		}
	}
	look(0)
	s.every(ctx, settleEvery, func(context.Context) { look(settleIdle) })
}
