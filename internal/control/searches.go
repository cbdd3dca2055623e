package control

import (
	"context"
	"errors"
	"time"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

// Bounds of a search: the events of one page, its time, and the number of searches of one workspace at once.
const (
	maxSearched    = 10_000
	searchTime     = 2 * time.Second
	searchesAtOnce = 2
)

// search is view for reads that may look at many rows: it has its turn, and ends after a while with Unavailable. Its
// turn is that of the workspace in which it looks, and ends one at reading.
func (s *Service) search(ctx context.Context, c Caller, named string, look func(*store.View, *actor) error) error {
	endReadTurn(ctx)
	limited, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	room := named
	if room == "" {
		err := readFault(s.db.Glance(limited, func(v *store.View) error {
			a, err := s.actor(v, c)
			if err == nil {
				room = string(a.workspace)
			}
			return err
		}))
		if err != nil {
			return err
		}
	}
	leave, err := s.searches.enter(limited, room)
	if err == nil {
		err = s.view(limited, c, look)
		leave()
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fault.New(fault.Unavailable, "the search took too long, or too many run at once: ask for less, or again").
			Because(
				errors.Join(err, limited.Err()))
	}
	return err
}
