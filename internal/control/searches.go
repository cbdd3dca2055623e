package control

import (
	"context"
	"errors"
	"slices"
	"sync"
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

// searches bounds how many searches run at once: of one workspace, and of all, so that there are always readers and,
// where the database is read by this process itself, a processor for the rest. Workspaces take turns: the searches of
// one do not stand between two of another.
type searches struct {
	most func() int // at once

	mu      sync.Mutex
	running int
	rooms   map[string]*searchRoom
	turns   []string // the workspaces of which searches wait, the next one first
}

// searchRoom holds the searches of a workspace.
type searchRoom struct {
	running int
	waiting []chan struct{} // each is closed when its search has its turn
}

func newSearches(most func() int) *searches {
	return &searches{most: most, rooms: map[string]*searchRoom{}}
}

// enter waits for a turn, no longer than ctx lasts.
func (s *searches) enter(ctx context.Context, workspace string) (leave func(), err error) {
	turn := make(chan struct{})
	s.mu.Lock()
	room := s.rooms[workspace]
	if room == nil {
		room = new(searchRoom)
		s.rooms[workspace] = room
	}
	if room.waiting = append(room.waiting, turn); len(room.waiting) == 1 {
		s.turns = append(s.turns, workspace)
	}
	s.admit()
	s.mu.Unlock()
	leave = func() { s.leave(workspace) }
	select {
	case <-turn:
		return leave, nil
	case <-ctx.Done():
	}
	if !s.forget(workspace, turn) { // the turn came meanwhile
		leave()
	}
	return nil, ctx.Err()
}

// admit gives turns, as many as there are. s.mu is held.
func (s *searches) admit() {
	for i := 0; i < len(s.turns) && s.running < max(1, s.most()); {
		workspace := s.turns[i]
		room := s.rooms[workspace]
		if room.running == searchesAtOnce {
			i++
			continue
		}
		s.turns = slices.Delete(s.turns, i, i+1)
		room.running++
		s.running++
		close(room.waiting[0])
		if room.waiting = room.waiting[1:]; len(room.waiting) > 0 {
			s.turns = append(s.turns, workspace)
		}
		i = 0
	}
}

// leave ends a search.
func (s *searches) leave(workspace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.rooms[workspace].running--
	s.tidy(workspace)
	s.admit()
}

// forget takes out a search that waits no longer, and tells whether it still waited.
func (s *searches) forget(workspace string, turn chan struct{}) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := s.rooms[workspace]
	i := slices.Index(room.waiting, turn)
	if i < 0 {
		return false
	}
	if room.waiting = slices.Delete(room.waiting, i, i+1); len(room.waiting) == 0 {
		s.turns = slices.DeleteFunc(s.turns, func(w string) bool { return w == workspace })
	}
	s.tidy(workspace)
	return true
}

// tidy forgets a workspace without searches.
func (s *searches) tidy(workspace string) {
	if room := s.rooms[workspace]; room.running == 0 && len(room.waiting) == 0 {
		delete(s.rooms, workspace)
	}
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
