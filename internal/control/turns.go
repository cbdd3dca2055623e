package control

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/fault"
)

// turns bounds how much of one kind of work runs at once: for one tenant, and for all, so that readers of the database
// and, where this process itself reads it, a processor are left to the rest. Tenants take turns: the work of one does
// not stand between two pieces of another's.
type turns struct {
	most func() int // at once
	each func() int // of a tenant

	mu      sync.Mutex
	running int
	rooms   map[string]*line // by tenant
	turns   []string         // the tenants whose work waits, the next one first
}

// line holds the work of a tenant.
type line struct {
	running int
	waiting []chan struct{} // each is closed when its turn has come
}

func newTurns(most, each func() int) *turns {
	return &turns{most: most, each: each, rooms: map[string]*line{}}
}

// enter waits for a turn, no longer than ctx lasts.
func (s *turns) enter(ctx context.Context, tenant string) (leave func(), err error) {
	turn := make(chan struct{})
	s.mu.Lock()
	of := s.rooms[tenant]
	if of == nil {
		of = new(line)
		s.rooms[tenant] = of
	}
	if of.waiting = append(of.waiting, turn); len(of.waiting) == 1 {
		s.turns = append(s.turns, tenant)
	}
	s.admit()
	s.mu.Unlock()
	leave = func() { s.leave(tenant) }
	select {
	case <-turn:
		return leave, nil
	case <-ctx.Done():
	}
	if !s.forget(tenant, turn) { // the turn came meanwhile
		leave()
	}
	return nil, ctx.Err()
}

// admit gives turns, as many as there are. s.mu is held.
func (s *turns) admit() {
	for i := 0; i < len(s.turns) && s.running < max(1, s.most()); {
		tenant := s.turns[i]
		room := s.rooms[tenant]
		if room.running >= max(1, s.each()) {
			i++
			continue
		}
		s.turns = slices.Delete(s.turns, i, i+1)
		room.running++
		s.running++
		close(room.waiting[0])
		if room.waiting = room.waiting[1:]; len(room.waiting) > 0 {
			s.turns = append(s.turns, tenant)
		}
		i = 0
	}
}

// leave ends a turn.
func (s *turns) leave(tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.rooms[tenant].running--
	s.tidy(tenant)
	s.admit()
}

// forget takes out work that waits no longer, and tells whether it still waited.
func (s *turns) forget(tenant string, turn chan struct{}) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := s.rooms[tenant]
	i := slices.Index(room.waiting, turn)
	if i < 0 {
		return false
	}
	if room.waiting = slices.Delete(room.waiting, i, i+1); len(room.waiting) == 0 {
		s.turns = slices.DeleteFunc(s.turns, func(w string) bool { return w == tenant })
	}
	s.tidy(tenant)
	return true
}

// tidy forgets a tenant without work.
func (s *turns) tidy(tenant string) {
	if room := s.rooms[tenant]; room.running == 0 && len(room.waiting) == 0 {
		delete(s.rooms, tenant)
	}
}

// readWait bounds how long a read waits for its turn.
const readWait = 10 * time.Second

// Tenant names those with whom the caller shares the turns at reading, for a request that names a workspace, "" for
// none.
func (c Caller) Tenant(workspace string) string {
	c = c.in(workspace)
	return c.tenant()
}

// ReadTurn waits until a tenant has a turn at reading, and returns the function that ends it.
func (s *Service) ReadTurn(ctx context.Context, tenant string) (leave func(), err error) {
	limited, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	leave, err = s.reads.enter(limited, tenant)
	if err != nil && ctx.Err() == nil {
		return nil, fault.New(fault.Unavailable, "too many reads wait: ask again").Because(err)
	}
	return leave, err
}
