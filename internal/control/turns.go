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

	// extra is how many turns are lent to a tenant who is alone, beside those of before; nil lends none.
	extra func() int
	now   func() time.Time

	mu      sync.Mutex
	running int
	rooms   map[string]*line // by tenant
	turns   []string         // the tenants whose work waits, the next one first

	last  string    // the tenant who came last
	since time.Time // when another one came last before
}

// line holds the work of a tenant.
type line struct {
	running int
	lent    int             // of turns that run beside those
	mean    time.Duration   // of the latest work
	waiting []chan struct{} // each is closed when its turn has come
}

func newTurns(most, each func() int) *turns {
	return &turns{most: most, each: each, rooms: map[string]*line{}}
}

// enter waits for a turn, no longer than ctx lasts.
func (s *turns) enter(ctx context.Context, tenant string) (leave func(), err error) {
	turn := make(chan struct{})
	s.mu.Lock()
	s.came(tenant)
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
	leave = func() { s.leave(tenant, 0) }
	select {
	case <-turn:
		return s.timed(tenant), nil
	case <-ctx.Done():
	}
	if !s.forget(tenant, turn) { // the turn came meanwhile
		leave()
	}
	return nil, ctx.Err()
}

// admit gives turns, as many as there are. s.mu is held.
func (s *turns) admit() {
	for i := 0; i < len(s.turns); {
		tenant := s.turns[i]
		room := s.rooms[tenant]
		switch {
		case s.running < max(1, s.most()) && room.running < max(1, s.each()):
			room.running++
			s.running++
		case s.lends(tenant, room):
			room.lent++
		default:
			i++
			continue
		}
		s.turns = slices.Delete(s.turns, i, i+1)
		close(room.waiting[0])
		if room.waiting = room.waiting[1:]; len(room.waiting) > 0 {
			s.turns = append(s.turns, tenant)
		}
		i = 0
	}
}

// Turns are lent to a tenant who is alone: with a few at once half of the processors' time goes by until the next
// piece of work takes its turn. A tenant is alone when no other has come for a moment. Another one that comes waits
// for no turn that is lent, and no further ones are lent then. None are lent for work that is not brief.
const (
	aloneFor = time.Second
	brief    = 25 * time.Millisecond // in the mean, with all that runs beside it
)

// came notes that a tenant has come. s.mu is held.
func (s *turns) came(tenant string) {
	if s.extra != nil && tenant != s.last {
		s.last = tenant
		s.since = s.now()
	}
}

// lends tells whether a tenant is lent a turn. s.mu is held.
func (s *turns) lends(tenant string, room *line) bool {
	return s.extra != nil && len(s.rooms) == 1 && tenant == s.last && room.lent < s.extra() && room.mean <= brief &&
		s.now().Sub(s.since) >= aloneFor
}

// timed is the function that ends a turn which begins now.
func (s *turns) timed(tenant string) (leave func()) {
	if s.extra == nil {
		return func() { s.leave(tenant, 0) }
	}
	began := s.now()
	return func() { s.leave(tenant, s.now().Sub(began)) }
}

// leave ends a turn after so long.
func (s *turns) leave(tenant string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := s.rooms[tenant]
	room.mean += (took - room.mean) / 8
	if room.lent > 0 {
		room.lent--
	} else {
		room.running--
		s.running--
	}
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

// waiting is how many pieces of work have no turn yet.
func (s *turns) waiting() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, room := range s.rooms {
		n += len(room.waiting)
	}
	return n
}

// tidy forgets a tenant without work.
func (s *turns) tidy(tenant string) {
	if room := s.rooms[tenant]; room.running+room.lent == 0 && len(room.waiting) == 0 {
		delete(s.rooms, tenant)
	}
}

const (
	readWait  = 10 * time.Second // of a read for its turn
	lentReads = 4                // times as many turns at reading are lent as there are
)

// Tenant names those with whom the caller shares the turns at reading, for a request that names a workspace, "" for
// none.
func (c Caller) Tenant(workspace string) string {
	c = c.in(workspace)
	return c.tenant()
}

// turnKey is the key of a context's turn at reading.
type turnKey struct{}

// InReadTurn is ReadTurn for work that may come to a search: that ends the turn with which the context was made, and
// waits for its own.
func (s *Service) InReadTurn(ctx context.Context, tenant string) (within context.Context, leave func(), err error) {
	end, err := s.ReadTurn(ctx, tenant)
	if err != nil {
		return ctx, func() {}, err
	}
	leave = sync.OnceFunc(end)
	return context.WithValue(ctx, turnKey{}, leave), leave, nil
}

// endReadTurn ends the turn of a context, if it has one.
func endReadTurn(ctx context.Context) {
	if leave, ok := ctx.Value(turnKey{}).(func()); ok {
		leave()
	}
}

// ReadsWaiting is how many reads have no turn yet.
func (s *Service) ReadsWaiting() int { return s.reads.waiting() }

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
