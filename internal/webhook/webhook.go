// Package webhook owns the sending of notices: one node at a time reads the log behind a cursor of each endpoint,
// queues what the endpoint wants, and delivers it at least once, in order for each object. It does not own the
// endpoints and the queue (store), who may have one (control), nor what a notice says and how it is signed (notice).
package webhook

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/store"
)

// Config holds the parts of a Sender. All but the last three are needed.
type Config struct {
	DB       *store.DB
	Digester *keyfmt.Digester // opens the secrets
	IDs      *id.Generator    // of deliveries
	Purpose  string           // under which the secrets are sealed
	Node     string           // names this process
	Networks notice.Networks  // beside the public Internet
	Disable  func(ctx context.Context, w id.Webhook, reason string) error
	Now      func() time.Time     // the wall clock, by which attempts are timed and signed
	Elapsed  func() time.Duration // a clock that nobody sets
	Chance   func() float64       // from 0 to 1, for the jitter
	Log      *slog.Logger

	Resolver *net.Resolver  // nil is the machine's
	Roots    *x509.CertPool // nil are the machine's
	Pace     Pace           // zero is the usual one
}

// Pace holds the intervals of a Sender.
type Pace struct {
	Tick    time.Duration // between two looks at the log
	Lease   time.Duration // for which a node sends alone, unless it renews
	Look    time.Duration // between two looks at what the clock brings
	Attempt time.Duration // an attempt lasts at most
	First   time.Duration // from a failed attempt to the next one, at first
}

// usual is the pace of a server.
var usual = Pace{
	Tick: 500 * time.Millisecond, Lease: 30 * time.Second, Look: 30 * time.Second, Attempt: 10 * time.Second,
	First: 5 * time.Second,
}

func (p Pace) orUsual() Pace {
	if p == (Pace{}) {
		return usual
	}
	return p
}

// The most attempts that run at once: of endpoints that answer, and apart from those of endpoints that fail or are
// slow, so that the latter hold nothing back.
const (
	atOnce     = 64
	atOnceSlow = 16
)

// Sender sends the notices of an installation while it has the lease. Make it with New, and Run it once.
type Sender struct {
	Config
	open, plain client
	quick, slow chan struct{} // one entry for each attempt that runs

	mu       sync.Mutex
	all      map[id.Webhook]*endpoint
	toLook   []*endpoint   // whose notices of the clock are still looked for in this round
	until    time.Duration // when the present step has to end, by Elapsed
	workers  sync.WaitGroup
	renewed  time.Duration // when the lease was asked for that holds, by Elapsed
	leads    bool
	loaded   time.Duration // when the endpoints were read, by Elapsed
	looked   time.Duration // when the clock's notices were looked for, by Elapsed
	position int64         // in the log, up to which endpoints know that there is news

	complaining sync.Mutex
	complaints  map[string]time.Duration // when each was logged last, by Elapsed
}

// endpoint is an endpoint in the memory of the leading node. The rows themselves are read again for each step.
type endpoint struct {
	name id.Webhook
	notice.Endpoint
	place    sync.Mutex    // held while its places are read and moved
	news     bool          // events may have to be queued
	follow   bool          // its place has to be moved, also where no event concerns it
	followed time.Duration // when that was found last, by Elapsed
	low      bool          // few deliveries are due
	full     time.Duration // until when the queue counts as full, by Elapsed
	due      time.Duration // when deliveries may have to be sent, by Elapsed; notDue for never
	rest     time.Duration // until when nothing is sent, by Elapsed
	failed   int           // attempts in a row
	slow     bool          // the last attempt failed or was slow
	busy     bool          // a worker is at it
}

const notDue = time.Duration(1<<63 - 1)

// New makes a Sender.
func New(c Config) *Sender {
	c.Pace = c.Pace.orUsual()
	s := &Sender{Config: c, all: map[id.Webhook]*endpoint{}, quick: make(chan struct{}, atOnce),
		slow: make(chan struct{}, atOnceSlow), complaints: map[string]time.Duration{}}
	s.open, s.plain = s.newClient(true), s.newClient(false)
	return s
}

// Run sends until ctx ends, then gives the lease back.
func (s *Sender) Run(ctx context.Context) {
	defer s.leave()
	defer s.workers.Wait()
	tick := time.NewTicker(s.Pace.Tick)
	defer tick.Stop()
	force := !s.DB.Shared() // no other process has this database
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.renew(ctx, force); err != nil {
			s.complain(ctx, "the lease for sending notices was not renewed", err)
		}
		if !s.leading() {
			s.forget()
			continue
		}
		force = false
		if err := s.step(ctx); err != nil && !errors.Is(err, store.ErrNotLeader) {
			s.complain(ctx, "notices were not queued, and will be", err)
		}
	}
}

// complaintsEvery is how often the same complaint is logged at most: a database that takes no writes refuses each tick.
const complaintsEvery = time.Minute

func (s *Sender) complain(ctx context.Context, what string, err error) {
	s.complaining.Lock()
	defer s.complaining.Unlock()
	now := s.Elapsed()
	last, said := s.complaints[what]
	if ctx.Err() != nil || said && now-last < complaintsEvery {
		return
	}
	s.complaints[what] = now
	s.Log.Warn(what, "error", err.Error())
}

// renew asks for the lease where a sixth of it has passed. It counts from the moment of the question.
func (s *Sender) renew(ctx context.Context, force bool) error {
	asked := s.Elapsed()
	if s.leads && asked-s.renewed < s.Pace.Lease/6 {
		return nil
	}
	if !s.leads && !force {
		// A look costs less than a write that changes nothing.
		free, err := s.free(ctx)
		if err != nil || !free {
			return err
		}
	}
	var held bool
	err := s.DB.Count(ctx, func(c *store.Counting) (err error) {
		held, err = c.LeaseWebhooks(s.Node, c.Now().Add(s.Pace.Lease), force)
		return err
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if held && !s.leads {
		s.Log.Info("this node sends the notices to webhooks")
	}
	if s.leads = held; held {
		s.renewed = asked
	}
	return nil
}

func (s *Sender) free(ctx context.Context) (free bool, err error) {
	err = s.DB.Glance(ctx, func(v *store.View) error {
		free, err = v.WebhookLeaseFree(s.Node)
		return err
	})
	return free, err
}

// leading tells whether the lease holds for one more attempt.
func (s *Sender) leading() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leads && s.Elapsed()-s.renewed < s.Pace.Lease/2
}

// forget drops all knowledge of the endpoints: another node has moved their places meanwhile.
func (s *Sender) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Elapsed()-s.renewed >= s.Pace.Lease/2 {
		s.leads = false
	}
	if len(s.all) > 0 {
		s.all = map[id.Webhook]*endpoint{}
	}
	s.loaded, s.looked, s.position, s.toLook = 0, 0, 0, nil
}

// leave gives the lease back.
func (s *Sender) leave() {
	if !s.leads {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.DB.Count(ctx, func(c *store.Counting) error { return c.DropWebhookLease(s.Node) })
	if err != nil {
		s.Log.Warn("another node waits until the lease for sending notices ends", "error", err.Error())
	}
}

// reloadEvery is how often the endpoints are read again, whether the log tells of changes or not.
const reloadEvery = 30 * time.Second

// over tells whether the present step has to end, because the lease has to be renewed.
func (s *Sender) over() bool { return s.Elapsed() > s.until }

// step looks at the log and the clock once, and starts the workers, which queue the events of their endpoints. What it
// has no time for is left to the next one.
func (s *Sender) step(ctx context.Context) error {
	s.until = s.Elapsed() + s.Pace.Lease/6
	changed, err := s.news(ctx)
	if err != nil {
		return err
	}
	if changed || s.loaded == 0 || s.Elapsed()-s.loaded > reloadEvery {
		if err := s.load(ctx); err != nil {
			return err
		}
	}
	if len(s.all) == 0 {
		return nil
	}
	s.work(ctx)
	var all []error
	if len(s.toLook) == 0 && (s.looked == 0 || s.Elapsed()-s.looked > s.Pace.Look) {
		s.toLook = s.waiting(func(e *endpoint) bool {
			return (e.Wants(notice.KeyExpiring) || e.Wants(notice.KeyExpired)) && (e.low || !e.slow)
		}) // one that fails has enough to try: its place in time stays
		all = append(all, s.lookAtPlans(ctx))
		s.follow()
		s.looked = s.Elapsed() + 1
	}
	all = append(all, s.lookAtEnds(ctx))
	s.work(ctx)
	return errors.Join(all...)
}

// waiting lists the endpoints that a condition picks.
func (s *Sender) waiting(pick func(*endpoint) bool) (out []*endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.all {
		if pick(e) {
			out = append(out, e)
		}
	}
	return out
}

// loadAtOnce is how many endpoints a read gives.
const loadAtOnce = 500

// load reads the endpoints. A new one, and one that has changed, is looked at whole.
func (s *Sender) load(ctx context.Context) error {
	found := map[id.Webhook]notice.Endpoint{}
	for after := ""; ; {
		var page []notice.Endpoint
		err := s.DB.View(ctx, func(v *store.View) (err error) {
			page, err = v.ActiveWebhooks(store.Page{Limit: loadAtOnce, After: after})
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range page {
			found[e.ID] = e
		}
		if len(page) < loadAtOnce {
			break
		}
		after = string(page[len(page)-1].ID)
	}
	s.take(found)
	s.reseal(ctx, found)
	return nil
}

// take brings the rows that were read into memory.
func (s *Sender) take(found map[id.Webhook]notice.Endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, e := range s.all {
		if _, there := found[name]; !there && !e.busy {
			delete(s.all, name)
		}
	}
	for name, row := range found {
		was := s.all[name]
		if was == nil {
			was = &endpoint{name: name, news: true, low: true}
			s.all[name] = was
		}
		was.Endpoint = row
		was.due = 0 // a test or a replay may wait
	}
	s.loaded = s.Elapsed() + 1
}

// reseal seals under the present pepper what was sealed under a former one, so that the former one can go.
func (s *Sender) reseal(ctx context.Context, all map[id.Webhook]notice.Endpoint) {
	current := s.Digester.CurrentPepper()
	for _, e := range all {
		if keyfmt.PepperID(e.Pepper) == current {
			continue
		}
		secret, previous, err := s.secrets(&e)
		if err != nil || current == keyfmt.NoPepper {
			continue // told where it is sent; and nothing is written plain that was sealed
		}
		sealed := make([][]byte, 2)
		for i, one := range [][]byte{secret, previous} {
			if len(one) > 0 && err == nil {
				_, sealed[i], err = s.Digester.Seal(s.Purpose, one, []byte(e.ID))
			}
		}
		if err == nil {
			err = s.DB.Count(ctx, func(c *store.Counting) error {
				return c.Reseal(&e, sealed[0], sealed[1], string(current))
			})
		}
		if err != nil {
			s.complain(ctx, "the secret of a webhook was not sealed under the present pepper", err)
		}
	}
}

// secrets opens the secrets of an endpoint; previous is nil where there is none.
func (s *Sender) secrets(e *notice.Endpoint) (secret, previous []byte, err error) {
	about, pepper := []byte(e.ID), keyfmt.PepperID(e.Pepper)
	if secret, err = s.Digester.Unseal(pepper, s.Purpose, e.Secret, about); err != nil {
		return nil, nil, err
	}
	if len(e.Previous) > 0 {
		previous, err = s.Digester.Unseal(pepper, s.Purpose, e.Previous, about)
	}
	return secret, previous, err
}
