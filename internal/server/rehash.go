package server

import (
	"context"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/verify"
)

const (
	offersWaiting = 4096 // digests that may wait; one that finds no room comes again with the next use of its key
	offersBatch   = 256  // keys that share a transaction, so few that a change waits for some milliseconds at most
	offersPause   = time.Second
)

// offers is a queue of digests that verifications have made, and that are to be kept.
type offers[T any] chan T

// offer never waits: a verification writes nothing.
func (o offers[T]) offer(one T) {
	select {
	case o <- one:
	default:
	}
}

// batch takes the waiting ones, each once.
func (o offers[T]) batch(about func(*T) any) (list []T) {
	seen := make(map[any]bool)
	for len(list) < offersBatch {
		select {
		case one := <-o:
			if what := about(&one); !seen[what] {
				seen[what] = true
				list = append(list, one)
			}
		default:
			return list
		}
	}
	return list
}

// keep writes what waits, one batch after the other. Digests left by an error or the end of the process come again with
// the next use.
func keep[T any](ctx context.Context, o offers[T], about func(*T) any, write func([]T) error, failed func(error, int)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(offersPause):
		}
		for list := o.batch(about); len(list) > 0 && ctx.Err() == nil; list = o.batch(about) {
			if err := write(list); err != nil && ctx.Err() == nil {
				failed(err, len(list))
			}
		}
	}
}

// rehash puts our own digests in the place of imported ones.
func (s *Server) rehash(ctx context.Context) {
	keep(ctx, s.rehashing, func(r *verify.Rehash) any { return r.Key }, func(batch []verify.Rehash) error {
		list := make([]control.Rehash, len(batch))
		for i, r := range batch {
			list[i] = control.Rehash{Key: id.Key(id.Format(r.Key)), From: r.From, To: r.To}
		}
		return s.control.Rehash(ctx, list)
	}, func(err error, n int) {
		s.log.Warn(
			"imported digests were not replaced, and will be after the next use", "error", err.Error(), "keys", n,
		)
	})
}

// keepSeconds keeps second digests, for followers that are bound to a workspace.
func (s *Server) keepSeconds(ctx context.Context) {
	type value struct {
		key     [16]byte
		service id.ServiceKey
		of      keyfmt.Digest
	}
	about := func(d *verify.Second) any { return value{d.Key, d.Service, d.Of} }
	keep(ctx, s.seconds, about, func(batch []verify.Second) error {
		list := make([]control.Second, len(batch))
		for i, d := range batch {
			list[i] = control.Second{Service: d.Service, Of: d.Of, To: d.To}
			if d.Service == "" {
				list[i].Key = id.Key(id.Format(d.Key))
			}
		}
		return s.control.KeepSeconds(ctx, list)
	}, func(err error, n int) {
		s.log.Warn("second digests were not kept, and will be after the next use", "error", err.Error(), "values", n)
	})
}

// offerSeconds takes second digests; nil without a pepper.
func (s *Server) offerSeconds() func(verify.Second) {
	if s.digester.SecondPeppers() == nil {
		return nil
	}
	return s.seconds.offer
}
