package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/metrics"
)

const (
	drainTime    = 15 * time.Second // for requests that have begun
	noticeTime   = 250 * time.Millisecond
	markEvery    = 10 * time.Second // the clock's mark is kept
	cleanEvery   = 30 * time.Second // dead rows are looked for
	measureEvery = time.Minute      // the database's size is looked at
	usageEvery   = 2 * time.Second  // usage is written at least
	usageShare   = 4                // of the time is left to others, between two writings of usage
	lookEvery    = time.Second      // the database's file is looked at
	sweepEvery   = time.Second      // limits that nobody uses are looked for
	changesKept  = 10 * time.Minute // in the change log, for followers that are away for a while
	cleanPause   = 50 * time.Millisecond
	readHeader   = 5 * time.Second
	readBody     = 30 * time.Second
	writeAnswer  = 60 * time.Second
	idleTime     = 60 * time.Second
	maxHeader    = 16 << 10
	maxPurgeRuns = 1000
)

// Run serves until ctx ends or something fails, then stops in order: it says that it is not ready, takes no more
// requests, and answers those that have begun. It does not Close.
func (s *Server) Run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var tasks sync.WaitGroup
	tasks.Go(func() { s.every(background, markEvery, s.markTime) })
	tasks.Go(func() { s.every(background, cleanEvery, s.clean) })
	tasks.Go(func() { s.every(background, measureEvery, s.db.Measure) })
	tasks.Go(func() { s.every(background, lostEvery, s.reportLost) })
	tasks.Go(func() { s.writeUsage(background) })
	tasks.Go(func() { s.writeSettled(background) })
	tasks.Go(func() { s.every(background, usageEvery, s.writeRefusals) })
	tasks.Go(func() { s.rehash(background) })
	tasks.Go(func() { s.keepSeconds(background) })
	tasks.Go(func() { s.sender.Run(background) })
	tasks.Go(func() { s.collectSets(background) })
	tasks.Go(func() { s.catchUp(background) })
	if s.cfg.EventsKept > 0 {
		tasks.Go(func() { s.keepLogSmall(background) })
	}
	defer s.writeLastUsage()
	tasks.Go(func() { s.every(background, sweepEvery, func(context.Context) { s.limiter.Sweep() }) })
	tasks.Go(func() { s.every(background, lookEvery, s.feed.Followers.Sweep) })
	if s.certificate != nil {
		tasks.Go(func() { s.every(background, certificateEvery, s.certificate.look) })
	}
	if len(s.reread) > 0 {
		tasks.Go(func() { s.every(background, certificateEvery, s.lookAtFiles) })
	}
	if s.node == nil {
		tasks.Go(func() { s.watchFile(background) })
	}
	if s.node != nil {
		tasks.Go(func() { s.every(background, lookEvery, s.learnPrefixes) })
		s.node.Listens(s.URL())
		tasks.Go(func() { s.every(background, peppersEvery, s.watchPeppers) })
		tasks.Go(func() { s.every(background, alikeEvery, s.watchAlike) })
		tasks.Go(func() { s.every(background, rootsEvery, s.watchRoots) })
		tasks.Go(func() { s.node.Run(background) })
	}
	defer tasks.Wait()
	defer stop()

	failed := make(chan error, len(s.servers)+1)
	if s.envoy != nil {
		tasks.Go(func() { s.every(background, tellReady, s.tellEnvoy) })
		tasks.Go(func() { failed <- s.serveEnvoy() })
	}
	for _, one := range s.servers {
		tasks.Go(func() { failed <- s.serve(one) })
	}
	s.opt.Tell(Serving)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	return errors.Join(err, s.drain())
}

func (s *Server) serve(one *serving) error {
	err := one.by.Serve(one.listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", one.listener.Addr(), err)
}

func (s *Server) drain() error {
	s.stopping.Store(true)
	s.opt.Tell(Stopping)
	s.log.Info("stopping", "after", s.cfg.DrainDelay.String())
	time.Sleep(s.cfg.DrainDelay) // load balancers look at /readyz now and then, and send requests until they have
	s.settle()
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	s.stopEnvoy(ctx)
	var all []error
	for _, one := range s.servers {
		if err := one.by.Shutdown(ctx); err != nil {
			s.log.Warn("requests were still running and are cut off", "after", drainTime.String())
			all = append(all, one.by.Close())
		}
	}
	s.log.Info("stopped")
	return errors.Join(all...)
}

// settle gives clients the time to notice: for a moment every request is still answered, but each answer is the last
// of its connection, so that no active client is in the middle of a request when the idle connections are closed.
func (s *Server) settle() {
	open := func() (n int) {
		for _, one := range s.servers {
			if d, ok := one.by.(interface{ Drain() }); ok {
				d.Drain()
			}
		}
		return n + s.listener.open() + s.dataListener.open()
	}
	for end := time.Now().Add(noticeTime); open() > 0 && time.Now().Before(end); {
		time.Sleep(noticeTime / 50)
	}
}

// every does a task again and again until ctx ends.
func (s *Server) every(ctx context.Context, interval time.Duration, task func(context.Context)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			task(ctx)
		}
	}
}

// learnPrefixes admits those that another node, with another setting, gives to keys.
func (s *Server) learnPrefixes(ctx context.Context) {
	if known, err := s.db.KeyPrefixes(ctx); err == nil {
		s.format.Admit(known...)
	}
}

func (s *Server) markTime(ctx context.Context) {
	if err := s.db.MarkTime(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("the clock's mark was not kept", "error", err.Error())
	}
	s.limiter.Return()
	before := s.stood
	if s.stood = s.db.Time(); (s.stood.Behind > 0) != (before.Behind > 0) || (s.stood.Ahead > 0) != (before.Ahead > 0) {
		s.tellTime()
	}
}

// clean removes dead rows and old figures, and then frees the memory of deleted objects.
func (s *Server) clean(ctx context.Context) {
	if !s.purge(ctx, s.db.Purge) {
		return
	}
	s.replica.Sweep(s.settled())
	s.paceCollector()
	if !s.purge(ctx, s.db.PruneChanges) {
		return
	}
	s.purge(ctx, func(ctx context.Context) (bool, error) { return s.db.PurgeUsage(ctx, s.cfg.UsageKept) })
}

// purge goes on batch by batch, with pauses in which others write, and tells whether it got to its end.
func (s *Server) purge(ctx context.Context, batch func(context.Context) (more bool, err error)) bool {
	for range maxPurgeRuns {
		more, err := batch(ctx)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Warn("dead rows were not removed", "error", err.Error())
			}
			return false
		}
		if !more {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(cleanPause):
		}
	}
	return true
}

// listen takes the addresses, so that a port that is in use is known before anything is made.
func (s *Server) listen(ctx context.Context) (err error) {
	if s.cfg.TLS() {
		if s.certificate, err = newCertificate(s.cfg.TLSCert, s.cfg.TLSKey, s.log, s.opt.Now); err != nil {
			return err
		}
	}
	l, err := listenAt(ctx, "KEYWARD_ADDR", s.cfg.Addr)
	if err != nil {
		return err
	}
	s.listener = s.capped(l)
	s.push("the listener", ignoreClosed(s.listener.Close))
	return nil
}

// listenApart takes the other addresses.
func (s *Server) listenApart(ctx context.Context) error {
	if err := s.listenEnvoy(ctx); err != nil {
		return err
	}
	if err := s.listenData(ctx); err != nil {
		return err
	}
	if s.cfg.MetricsAddr == "" {
		return nil
	}
	l, err := listenAt(ctx, "KEYWARD_METRICS_ADDR", s.cfg.MetricsAddr)
	if err != nil {
		return err
	}
	s.metricsListener = s.capped(l)
	s.push("the listener for metrics", ignoreClosed(s.metricsListener.Close))
	return nil
}

// ignoreClosed: an HTTP server closes its listener itself.
func ignoreClosed(closeIt func() error) func() error {
	return func() error {
		if err := closeIt(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// overListeners adds up the counts of the listeners.
func (s *Server) overListeners(count func(*capped) int) float64 {
	return float64(count(s.listener) + count(s.dataListener) + count(s.envoyListener) + count(s.metricsListener))
}

// gauges are read at each request for the metrics.
func (s *Server) gauges() metrics.Gauges {
	g := metrics.Gauges{
		ReplicaKeys:     func() float64 { return float64(s.replica.Size()) },
		ReplicaRevision: func() float64 { return float64(s.settled()) },
		ReplicaReady:    s.Ready,
		ReplicaAge:      s.replica.Age,
		StoreCommits:    func() float64 { return float64(s.db.Stats().Updates) },
		StoreGroups:     func() float64 { return float64(s.db.Stats().Groups) },
		StoreRejected:   func() float64 { return float64(s.db.Stats().Rejected) },
		Connections:     func() float64 { return s.overListeners((*capped).open) },
		Refused:         func() float64 { return s.overListeners(func(l *capped) int { return int(l.refusals()) }) },
		DatabaseBytes:   func() float64 { return float64(s.db.Stats().Bytes) },
		StorageFull:     s.db.Full,
		StorageReadOnly: s.db.ReadOnly,
		ClockBehind:     func() time.Duration { return s.db.Time().Behind },
		ClockAhead:      func() time.Duration { return s.db.Time().Ahead },
		UsageLost:       func() float64 { return float64(s.tally.Stats().Lost) },
		RefusalsLost:    func() float64 { return float64(s.tally.Stats().RefusalsLost) },
		UsageWaiting:    func() float64 { return float64(s.tally.Stats().Waiting) },
		UsageWritten:    func() float64 { return float64(s.tally.Stats().Written) },
		UsageFailed:     func() float64 { return float64(s.tally.Stats().Failed) },
		LogLinesLost:    func() float64 { return float64(s.lines.lost.Load()) },
	}
	if s.certificate != nil {
		g.CertificateEnd = s.certificate.notAfter
	}
	s.limiterGauges(&g)
	s.sharedGauges(&g)
	if s.node != nil {
		s.feedGauges(&g)
	}
	return g
}
