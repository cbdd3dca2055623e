package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/database"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/wire"
)

const (
	waitFirst = 250 * time.Millisecond // between two tries to reach the database
	waitMost  = 2 * time.Second
	waitLine  = 5 * time.Second // between two lines of the log
)

// waitingRoom answers on the main listener until the server can: it is alive, it is not ready, and it says why. So a
// load balancer sees a process that starts, not one that is gone.
type waitingRoom struct {
	server   *http.Server
	listener *interruptible
	state    atomic.Pointer[string] // what is waited for
	done     chan struct{}
	ending   sync.Once
}

// openWaitingRoom begins to answer. The listener stays open when the room ends.
func (s *Server) openWaitingRoom(context.Context) error {
	tcp, ok := s.listener.Listener.(*net.TCPListener)
	if !ok {
		return fmt.Errorf("KEYWARD_ADDR: a listener of type %T cannot be waited on", s.listener.Listener)
	}
	w := &waitingRoom{listener: &interruptible{Listener: s.listener, tcp: tcp}, done: make(chan struct{})}
	w.waitFor("the start")
	ids := id.NewGenerator(s.opt.Now, rand.Reader)
	w.server = &http.Server{
		Handler: w.handler(ids), ReadHeaderTimeout: readHeader, ReadTimeout: readBody, WriteTimeout: writeAnswer,
		IdleTimeout: time.Second, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	var l net.Listener = w.listener
	if s.certificate != nil {
		l = tls.NewListener(l, s.certificate.config("http/1.1"))
	}
	go func() {
		defer close(w.done)
		_ = w.server.Serve(l)
	}()
	s.waiting = w
	s.push("the waiting room", func() error { w.end(); return nil })
	return nil
}

// endWaitingRoom leaves the listener to the server that is ready now.
func (s *Server) endWaitingRoom(context.Context) error {
	s.waiting.end()
	return nil
}

func (w *waitingRoom) waitFor(what string) { w.state.Store(&what) }

func (w *waitingRoom) handler(ids *id.Generator) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		request := ids.Next()
		status := http.StatusServiceUnavailable
		var body any = wire.Failure{Error: wire.Error{Code: string(fault.Unavailable),
			Message: "this server is starting: it waits for " + *w.state.Load(),
			Details: []wire.Detail{}, RequestID: request}}
		if r.URL.Path == "/healthz" {
			status = http.StatusOK
			body = wire.Success[map[string]string]{
				Success: true, Data: wire.Data[map[string]string]{Message: "Alive.", Result: map[string]string{"status": "ok"}},
			}
		}
		raw, err := wire.Marshal(body)
		if err != nil {
			status = http.StatusInternalServerError
		}
		h := out.Header()
		h.Set("X-Request-Id", request)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(raw)))
		h.Set("Connection", "close")
		if status != http.StatusOK {
			h.Set("Retry-After", "1")
		}
		out.WriteHeader(status)
		_, _ = out.Write(raw)
	})
}

func (w *waitingRoom) end() {
	w.ending.Do(func() {
		_ = w.server.Close()
		<-w.done
		_ = w.listener.tcp.SetDeadline(time.Time{})
	})
}

// interruptible is a listener whose Close ends the waiting for a connection and leaves the listener open.
type interruptible struct {
	net.Listener
	tcp   *net.TCPListener
	ended atomic.Bool
}

// Accept waits for a connection.
func (l *interruptible) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil && l.ended.Load() {
		return nil, net.ErrClosed
	}
	return c, err
}

// Close ends the waiting.
func (l *interruptible) Close() error {
	l.ended.Store(true)
	return l.tcp.SetDeadline(time.Unix(1, 0))
}

// Lasting reports that an error of New comes again at every start until a setting or the database is changed.
func Lasting(err error) bool {
	var l lasting
	return errors.As(err, &l)
}

// lasting marks an error that no other try would mend.
type lasting struct{ error }

// Unwrap gives the error itself.
func (l lasting) Unwrap() error { return l.error }

// lastingStage has the errors of a stage last.
func lastingStage(stage func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := stage(ctx); err != nil {
			return lasting{err}
		}
		return nil
	}
}

// patiently opens the database, and waits for a PostgreSQL that cannot be reached yet: after a power cut machines
// start in any order. An error that waiting cannot mend, such as a wrong password, ends the start.
func (s *Server) patiently(ctx context.Context, open func(context.Context) error) error {
	pause := waitFirst
	var said time.Time
	for {
		err := open(ctx)
		switch {
		case err == nil || !database.OnServer(&s.cfg) || ctx.Err() != nil:
			return err
		case postgres.Refused(err) || !errors.Is(err, store.ErrUnavailable):
			return lasting{err}
		}
		s.waiting.waitFor("the database")
		if now := time.Now(); now.Sub(said) >= waitLine {
			said = now
			s.log.Warn("the database cannot be reached: waiting for it", "database", s.cfg.Database, "error", err.Error(),
				"do", postgres.Remedy(err))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, waitMost)
	}
}
