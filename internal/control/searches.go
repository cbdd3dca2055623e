package control

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

// Bounds of a search: the events of one page, its time, and the number of searches of one workspace at once.
const (
	maxSearched       = 10_000
	searchTime        = 2 * time.Second
	searchesAtOnce    = 2
	readersForTheRest = 2 // at least so many are left to what is no search
)

// searches bounds how many searches run at once: of one workspace, and of all, so that there are always readers for the
// rest.
type searches struct {
	mu    sync.Mutex
	all   chan struct{}
	rooms map[string]*searchRoom
}

type searchRoom struct {
	turns chan struct{}
	users int // that hold or wait for a turn
}

func newSearches(readers int) *searches {
	return &searches{all: make(chan struct{}, max(readers-readersForTheRest, 1)), rooms: map[string]*searchRoom{}}
}

// enter waits for a turn, no longer than ctx lasts.
func (s *searches) enter(ctx context.Context, workspace string) (leave func(), err error) {
	s.mu.Lock()
	room := s.rooms[workspace]
	if room == nil {
		room = &searchRoom{turns: make(chan struct{}, searchesAtOnce)}
		s.rooms[workspace] = room
	}
	room.users++
	s.mu.Unlock()
	forget := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if room.users--; room.users == 0 {
			delete(s.rooms, workspace)
		}
	}
	held := 0
	for _, turns := range []chan struct{}{room.turns, s.all} {
		select {
		case turns <- struct{}{}:
			held++
			continue
		case <-ctx.Done():
		}
		if held > 0 {
			<-room.turns
		}
		forget()
		return nil, ctx.Err()
	}
	return func() {
		<-s.all
		<-room.turns
		forget()
	}, nil
}

// search is view for reads that may look at many rows: it has its turn, and ends after a while with Unavailable. Its
// turn is that of the workspace in which it looks.
func (s *Service) search(ctx context.Context, c Caller, named string, look func(*store.View, *actor) error) error {
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
