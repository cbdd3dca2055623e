// Package server owns the composition: it plugs the store, the copy in memory, the engines and the transports
// together, in stages that each register their undoing, runs them, and stops them in order. It does not own the work
// of any of them.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/clock"
	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/dashboard"
	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/gateway/extauthz"
	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/metrics"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/keyward/keyward/internal/ratelimit/redislimit"
	"github.com/keyward/keyward/internal/signin"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/tally"
	"github.com/keyward/keyward/internal/verify"
	"github.com/keyward/keyward/internal/webhook"
)

// Options are the parameters of a server beside its settings. The zero value serves: it logs nowhere and reports
// nothing.
type Options struct {
	Version string
	Program string    // how the command is called, for what the notice says to do next; "" is keyward
	Log     io.Writer // lines for machines, or for people where Terminal is set
	// Terminal says that the log is read as it is written.
	Terminal bool
	// Notice receives, once, the server's address, the root key if one was minted, and the next steps.
	Notice io.Writer
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
	// Slow is told of every request that may take its time, which is any but a verification, before it is answered. It
	// must be quick. nil is told nothing.
	Slow func()
	// LongWay has net/http read every request, and nothing answered on a shorter way: what the short ways are compared
	// with.
	LongWay bool
	// Webhooks is the pace at which notices are sent; zero is the usual one.
	Webhooks webhook.Pace
	// Tell receives the server's state; nil receives nothing. It must be quick.
	Tell func(State)
	// Fatal is told that the disk lost a write, after it was logged; nil ends the process with status 1.
	Fatal func(error)
}

// State is a server's present activity.
type State string

// The states, in the order in which a server goes through them.
const (
	Serving  State = "serving"
	Stopping State = "stopping"
)

// Server is one node. Make it with New, which loads everything, and then Run it once; Close it in any case.
type Server struct {
	cfg config.Config
	opt Options

	log       *slog.Logger
	lines     *bufferedLog // behind it
	jsonLines io.Writer    // the same, where they are JSON
	format    keyfmt.Format
	digester  *keyfmt.Digester
	catalogue *perm.Catalogue
	clock     *clock.Clock
	stood     clock.Standing // when markTime looked last
	told      bool           // that time does not go by the clock alone
	ids       *id.Generator
	metrics   *metrics.Metrics
	db        *store.DB
	replica   current
	sole      sole
	feed      *httpapi.Feed
	node      *cluster.Node // nil where nobody shares the database
	tally     *tally.Tally
	limiter   *ratelimit.Limiter
	shared    *redislimit.Limiter  // nil where limits per minute are not shared
	own       *lease.Own           // the bank of followers, where the limiter's windows are that
	cold      time.Duration        // for which the windows lack units at the start
	elapsed   func() time.Duration // since the start, by a clock that nobody sets
	// the wall clock and elapsed; nil where the wall clock is not the machine's
	clocks      func() (ms int64, elapsed time.Duration)
	engine      *verify.Engine
	rehashing   offers[verify.Rehash]
	seconds     offers[verify.Second]
	lack        atomic.Pointer[string] // the pepper that the database needs and this node does not have
	differed    string                 // differenceNote, when watchAlike looked last
	rootMissing bool                   // that this was told of the root key that the environment sets
	control     *control.Service
	sender      *webhook.Sender
	gateway     *gateway.Gate
	minted      keyfmt.Secret
	late        late
	rootLink    keyfmt.Secret // a one-time sign-in for the root, at the first start
	gate        *signin.Gate
	dashboard   *dashboard.Dashboard

	proxies         gateway.Proxies
	reread          []*reread
	certificate     *certificate // nil where TLS is not spoken
	waiting         *waitingRoom
	listener        *capped
	dataListener    *capped          // nil where there is none
	metricsListener *capped          // nil where there is none
	envoyListener   *capped          // nil where there is none
	envoy           *extauthz.Server // nil where no gRPC is answered
	servers         []*serving

	stopping atomic.Bool
	closers  []closer
	closing  sync.Once
}

// closer undoes a stage.
type closer struct {
	name string
	undo func() error
}

// serving is a server and where it listens.
type serving struct {
	by       transport
	listener net.Listener
}

// transport is the common interface of *http.Server and the data plane's server.
type transport interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

// New goes through the stages: afterwards everything is loaded, the address is taken and the root key is there. If a
// stage fails, the ones before it are undone.
func New(ctx context.Context, cfg config.Config, opt Options) (*Server, error) {
	began := time.Now() // its monotonic half counts
	s := &Server{
		cfg: cfg, opt: opt.withDefaults(), rehashing: make(offers[verify.Rehash], offersWaiting),
		seconds: make(offers[verify.Second], offersWaiting),
		elapsed: func() time.Duration { return time.Since(began) },
	}
	now := s.opt.Now
	if opt.Now == nil { // one look at the machine's clock tells both
		s.clock = clock.NewWith(func() (time.Time, time.Duration) {
			t := now()
			return t, t.Sub(began)
		})
		s.clocks = s.clock.Look
	} else {
		s.clock = clock.NewWith(func() (time.Time, time.Duration) { return now(), time.Since(began) })
	}
	for _, stage := range []func(context.Context) error{
		s.openLog, lastingStage(s.readCatalogue), lastingStage(s.readProxies), lastingStage(s.makeKeys), s.listen,
		s.openWaitingRoom, s.openStore, lastingStage(s.checkPeppers),
		s.makeFeed, s.loadReplica, s.shareLimits, s.makeLimiter, s.listenApart, s.makeEngines, s.makeLender,
		lastingStage(s.makeGateway), s.makeHTTP, s.makeEnvoy,
		s.ensureRoot, s.endWaitingRoom, s.announce,
	} {
		if err := stage(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Notice == nil {
		o.Notice = io.Discard
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Slow == nil {
		o.Slow = func() {}
	}
	if o.Tell == nil {
		o.Tell = func(State) {}
	}
	if o.Fatal == nil {
		o.Fatal = func(error) { os.Exit(1) }
	}
	return o
}

// push remembers how to undo a stage.
func (s *Server) push(name string, undo func() error) {
	s.closers = append(s.closers, closer{name, undo})
}

// Close undoes the stages, the last one first. It may be called more than once.
func (s *Server) Close() error {
	var all []error
	s.closing.Do(func() {
		for i := len(s.closers) - 1; i >= 0; i-- {
			if err := s.closers[i].undo(); err != nil {
				all = append(all, fmt.Errorf("close %s: %w", s.closers[i].name, err))
			}
		}
	})
	return errors.Join(all...)
}

// URL is where the server is reached from this machine.
func (s *Server) URL() string {
	return s.scheme() + "://" + reachable(s.listener.Addr())
}

func (s *Server) scheme() string {
	if s.cfg.TLS() {
		return "https"
	}
	return "http"
}

// reachable gives an address that can be called: a server that listens everywhere is called here.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// Minted is the root key where this start made one, else zero.
func (s *Server) Minted() keyfmt.Secret { return s.minted }

// RootLink is the code of the root's one-time link where this start made one, else zero.
func (s *Server) RootLink() keyfmt.Secret { return s.rootLink }

// Ready tells whether verifications are answered.
func (s *Server) Ready() bool { return !s.stopping.Load() && s.replica.Ready() }
