package server

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/gateway/extauthz"
	"github.com/keyward/keyward/internal/metrics"
)

// startFollower loads everything from the source. It tries again while the source is away, and gives up where asking
// again would not help: a token that is refused, a pepper that is missing.
func (f *Follower) startFollower(ctx context.Context) error {
	for try := 0; ; try++ {
		err := f.follower.Start(ctx)
		switch {
		case err == nil:
			f.metrics.Observe(f.followGauges())
			f.log.Info("following", "source", f.follow.SourceURL, "url", f.address(), "version", f.opt.Version)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, feedhttp.ErrRefused), errors.Is(err, ErrPepper):
			return lasting{err}
		}
		f.trouble(err)
		if !pauseFor(ctx, backoff(try, err)) {
			return ctx.Err()
		}
	}
}

// backoff is how long to wait after so many tries: longer each time, never the same for all followers of a source that
// comes back, and not less than it asks for.
func backoff(try int, err error) time.Duration {
	d := min(firstTry<<min(try, 10), followTries)
	d = d/2 + rand.N(d/2+1)
	var later interface{ RetryAfter() time.Duration }
	if errors.As(err, &later) {
		d = max(d, later.RetryAfter()+rand.N(d+1))
	}
	return d
}

func pauseFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// trouble says once why the source cannot be followed.
func (f *Follower) trouble(err error) {
	if text := err.Error(); text != f.told {
		f.told = text
		f.log.Warn(
			"the source cannot be followed: verifications go on until the copy is too old", "source", f.follow.SourceURL,
			"error", text, "limit", f.cfg.MaxStaleness.String(),
		)
	}
}

// keepUp follows the source until ctx ends, or its settings have changed.
func (f *Follower) keepUp(ctx context.Context) error {
	for try := 0; ctx.Err() == nil; try++ {
		err := f.follower.Look(ctx)
		switch {
		case err == nil:
			if f.told != "" {
				f.told = ""
				f.log.Info("the source is followed again", "revision", f.follower.Revision())
			}
			try = -1
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrSettings), errors.Is(err, ErrPepper):
			return err
		}
		f.trouble(err)
		if !pauseFor(ctx, backoff(try, err)) {
			return nil
		}
	}
	return nil
}

// address is where the follower is reached from this machine.
func (f *Follower) address() string {
	if f.follow.Socket != "" {
		return "unix:" + f.follow.Socket
	}
	return f.URL()
}

// Address is where the follower is reached from this machine: a URL, or unix: and a path.
func (f *Follower) Address() string { return f.address() }

// serveHere makes the servers. They answer once everything is loaded for the first time.
func (f *Follower) serveHere(ctx context.Context) error {
	if f.cfg.TLS() {
		if f.certificate == nil {
			var err error
			if f.certificate, err = newCertificate(f.cfg.TLSCert, f.cfg.TLSKey, f.log, f.opt.Now); err != nil {
				return err
			}
		}
	}
	l := net.Listener(f.listener)
	if f.cfg.TLS() {
		l = tls.NewListener(l, f.certificate.config("h2", "http/1.1"))
	}
	f.servers = append(f.servers, &serving{listener: l, by: f.bounded(http.HandlerFunc(f.answer))})
	return nil
}

// answer answers from the doors of the latest load.
func (f *Follower) answer(w http.ResponseWriter, r *http.Request) {
	door := f.door.Load()
	if door == nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "loading", http.StatusServiceUnavailable)
		return
	}
	door.ServeHTTP(w, r)
}

// state is the answer of /readyz.
func (f *Follower) state(context.Context) (bool, any) {
	state := "ready"
	switch {
	case f.stopping.Load():
		state = "stopping"
	case f.client.Rejected() && !f.replica.Ready():
		state = "the source refuses KEYWARD_SOURCE_TOKEN, or a limit above its own"
	case !f.replica.Ready() && f.follower.Loads() == 0:
		state = "loading"
	case !f.replica.Ready():
		state = "the copy in memory is older than KEYWARD_MAX_STALENESS: the source cannot be reached, or is not fresh itself"
	case time.Duration(f.skew.Load()).Abs() > skewToStop:
		state = "this machine's clock and the source's differ by " + time.Duration(f.skew.Load()).
			Abs().
			Round(time.Second).
			String()
	}
	return state == "ready", map[string]string{"status": state}
}

// followGauges are a follower's.
func (f *Follower) followGauges() metrics.Gauges {
	return metrics.Gauges{
		ReplicaKeys:     func() float64 { return float64(f.replica.Size()) },
		ReplicaRevision: func() float64 { return float64(f.follower.Revision()) },
		ReplicaReady:    func() bool { return !f.stopping.Load() && f.replica.Ready() },
		ReplicaAge:      f.replica.Age,
	}
}

// Run answers until ctx ends or something fails, then stops in order. It does not Close.
func (f *Follower) Run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer stop()
	tasks.Go(func() {
		f.every(background, cleanEvery, func(context.Context) { f.replica.Sweep(f.follower.Revision()) })
	})
	tasks.Go(func() { f.every(background, lostEvery, f.reportLost) })
	if f.certificate != nil {
		tasks.Go(func() { f.every(background, certificateEvery, f.certificate.look) })
	}
	if len(f.reread) > 0 {
		tasks.Go(func() { f.every(background, certificateEvery, f.lookAtFiles) })
	}
	failed := make(chan error, len(f.servers)+2)
	tasks.Go(func() {
		if err := f.keepUp(background); err != nil {
			failed <- err
		}
	})
	if f.envoyListener != nil {
		f.envoy = f.makeEnvoyDoor()
		tasks.Go(func() { f.every(background, tellReady, f.tellEnvoy) })
		tasks.Go(func() { failed <- f.serveEnvoy() })
	}
	for _, one := range f.servers {
		tasks.Go(func() { failed <- f.serve(one) })
	}
	f.opt.Tell(Serving)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	return errors.Join(err, f.drain())
}

// makeEnvoyDoor makes the gRPC door over the gate of the first load.
func (f *Follower) makeEnvoyDoor() *extauthz.Server {
	c := extauthz.Config{
		Gate: f.gateway, Logger: f.log, Now: f.opt.Now, RequestID: f.ids.Next, Observer: f.metrics,
		AccessLog: f.cfg.AccessLog,
	}
	if f.cfg.TLS() {
		c.TLS = f.certificate.config("h2")
	}
	return extauthz.New(c)
}
