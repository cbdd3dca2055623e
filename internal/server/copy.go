package server

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
)

// current is the copy in memory that is in use. It is another one after everything had to be loaded anew.
type current struct {
	atomic.Pointer[replica.Replica]
}

func (c *current) Size() int           { return c.Load().Size() }
func (c *current) Revision() int64     { return c.Load().Revision() }
func (c *current) Ready() bool         { return c.Load().Ready() }
func (c *current) Age() time.Duration  { return c.Load().Age() }
func (c *current) Sweep(settled int64) { c.Load().Sweep(settled) }

// sole is the copy of a database that this process alone changes, or should.
type sole struct {
	detached atomic.Bool   // the database's file is not the open one any more: nothing is answered
	anew     chan struct{} // another process has committed: everything is to be read again
	names    int           // of the file, as they were last
	loaded   atomic.Pointer[loaded]
}

// loaded is a copy, and where the log ended before it was filled.
type loaded struct {
	replica *replica.Replica
	at      feed.Cursor
}

// loadSole loads the copy. It subscribes before it loads, so that no change falls between the two.
func (s *Server) loadSole(ctx context.Context) error {
	s.sole.anew = make(chan struct{}, 1)
	s.sole.names = 1
	s.db.Subscribe(func(changes []feed.Change) { s.replica.Load().Apply(changes) })
	s.db.OnAnotherHistory(func() {
		s.replica.Load().Fence()
		s.feed.Followers.Forget()
		select {
		case s.sole.anew <- struct{}{}:
		default:
		}
	})
	s.db.OnDetached(func(err error) {
		s.sole.detached.Store(true)
		s.replica.Load().Fence()
		s.log.Error(
			"the database's file is not the one that this server has open: nothing is answered any more; stop this server, put "+
				"the right file in place, and start again",
			"database",
			s.cfg.Database,
			"error",
			err.Error(),
		)
	})
	r, err := s.fill(ctx)
	if err != nil {
		return err
	}
	r.MarkReady()
	s.paceCollector()
	s.log.Info("loaded", "keys", s.replica.Size(), "revision", s.replica.Revision())
	return nil
}

// fill puts a new copy in the place of the one in use, and loads it. It is not ready yet.
func (s *Server) fill(ctx context.Context) (*replica.Replica, error) {
	r := replica.New()
	r.KeepSecond(s.digester.SecondPeppers())
	s.replica.Store(r)
	s.sole.loaded.Store(nil)
	if s.engine != nil {
		s.engine.Use(r)
	}
	head := s.db.Stats().LogHead
	before, err := s.db.Cursor(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the keys: %w", err)
	}
	keys, err := s.db.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the keys: %w", err)
	}
	r.Reserve(keys)
	told := 0
	err = r.Load(func(tell func(feed.Change) error) error {
		return s.db.LoadAll(ctx, func(c feed.Change) error {
			if told++; told%paceEvery == 0 {
				s.paceCollector()
			}
			return tell(c)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("load the keys: %w", err)
	}
	r.SetRevision(head)
	s.sole.loaded.Store(&loaded{r, before})
	return r, nil
}

// watchFile looks after the file, and reads everything anew where another process has committed to it.
func (s *Server) watchFile(ctx context.Context) {
	s.every(ctx, lookEvery, func(ctx context.Context) {
		names, err := s.db.Look(ctx)
		if err != nil && !errors.Is(err, store.ErrDetached) {
			s.log.Warn("the database's file could not be looked at", "error", err.Error())
		}
		if names > 1 && s.sole.names <= 1 {
			s.log.Warn(
				"the database's file has got a second name: a server that is started under that name is refused, and so is the next "+
					"start of this one; remove it, or copy the file instead (keyward backup)",
				"database",
				s.cfg.Database,
				"names",
				names,
			)
		}
		s.sole.names = names
		select {
		case <-s.sole.anew:
			s.readAnew(ctx)
		default:
		}
	})
}

// readAnew loads everything again and answers from it. Where that fails it is tried again with the next look.
func (s *Server) readAnew(ctx context.Context) {
	s.log.Warn("another process has changed the database: everything is read anew", "database", s.cfg.Database)
	r, err := s.fill(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.log.Warn("the database could not be read anew", "error", err.Error())
		select {
		case s.sole.anew <- struct{}{}:
		default:
		}
	case len(s.sole.anew) > 0: // and once more
	case !s.sole.detached.Load():
		r.MarkReady()
		s.paceCollector()
		s.log.Info("loaded", "keys", s.replica.Size(), "revision", s.replica.Revision())
	}
	if s.sole.detached.Load() {
		s.replica.Load().Fence()
	}
}
