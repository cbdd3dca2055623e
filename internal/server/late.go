package server

import (
	"context"
	"errors"
	"time"

	"github.com/keyward/keyward/internal/store"
)

// lateEvery is how often a start tries again to write the facts that found no room.
const lateEvery = 2 * time.Second

// late lists the facts of a start that a full disk has refused: the server verifies without them, and writes them when
// there is room.
type late struct {
	root   bool // the root key of the environment
	prefix bool // the prefix for new keys
}

// postpone takes a refusal for want of room, and says so; every other error is given back.
func (s *Server) postpone(err error, is *bool, what string) error {
	if !errors.Is(err, store.ErrFull) {
		return err
	}
	*is = true
	s.log.Warn("storage is full: "+what+" once there is room", "error", err.Error())
	return nil
}

// catchUp writes them, and ends when it has.
func (s *Server) catchUp(ctx context.Context) {
	tick := time.NewTicker(lateEvery)
	defer tick.Stop()
	for s.late.root || s.late.prefix {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.late.prefix {
			_, err := s.db.RememberKeyPrefix(ctx, s.cfg.KeyPrefix)
			s.late.prefix = err != nil
		}
		if !s.late.root {
			continue
		}
		roots, err := s.control.SetUp(ctx, s.cfg.RootKey, s.steady())
		if s.late.root = err != nil; s.late.root {
			continue
		}
		s.tellEnded(roots)
		s.log.Info("the root key is written down")
		if !roots.Minted.IsZero() {
			go s.tellMinted(roots.Minted) // an output that is not read must not keep the process from its end
		}
	}
}
