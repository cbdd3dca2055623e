package server

import (
	"context"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/verify"
)

const (
	rehashWaiting = 4096 // digests that may wait; one that finds no room comes again with the next use of its key
	rehashBatch   = 256  // keys that share a transaction, so few that a change waits for some milliseconds at most
	rehashPause   = time.Second
)

// rehashing is the queue of our own digests that are to take the place of imported ones.
type rehashing chan verify.Rehash

// offer never waits: a verification writes nothing.
func (r rehashing) offer(one verify.Rehash) {
	select {
	case r <- one:
	default:
	}
}

// batch takes the waiting keys, each once.
func (r rehashing) batch() (list []control.Rehash) {
	seen := make(map[[16]byte]bool)
	for len(list) < rehashBatch {
		select {
		case one := <-r:
			if !seen[one.Key] {
				seen[one.Key] = true
				list = append(list, control.Rehash{Key: id.Key(id.Format(one.Key)), From: one.From, To: one.To})
			}
		default:
			return list
		}
	}
	return list
}

// rehash writes them, one batch after the other. Keys left by an error or the end of the process come again with the
// next use.
func (s *Server) rehash(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(rehashPause):
		}
		for list := s.rehashing.batch(); len(list) > 0 && ctx.Err() == nil; list = s.rehashing.batch() {
			if err := s.control.Rehash(ctx, list); err != nil && ctx.Err() == nil {
				s.log.Warn(
					"imported digests were not replaced, and will be after the next use", "error", err.Error(), "keys", len(list),
				)
			}
		}
	}
}
