package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/fastpath"
	"github.com/keyward/keyward/internal/follower"
	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/gateway/extauthz"
	"github.com/keyward/keyward/internal/metrics"
	"github.com/keyward/keyward/internal/verify"
)

// startFollower loads everything from the source.
func (f *Follower) startFollower(ctx context.Context) error {
	err := f.follower.Start(ctx)
	switch {
	case err == nil:
		f.metrics.Observe(f.followGauges())
		f.log.Info("following", "source", f.follow.SourceURL, "url", f.address(), "version", f.opt.Version)
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case follower.Hopeless(err):
		return lasting{withSetting(err)}
	}
	return err
}

// withSetting names the setting that an error is about.
func withSetting(err error) error {
	if errors.Is(err, follower.ErrPepper) {
		return fmt.Errorf("KEYWARD_PEPPER: %w", err)
	}
	return err
}

// keepUp follows the source until ctx ends, or its settings have changed.
func (f *Follower) keepUp(ctx context.Context) error {
	err := f.follower.KeepUp(
		ctx,
		func(err error) bool { return errors.Is(err, ErrSettings) || follower.Unfit(err) },
	)
	return withSetting(err)
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
	return f.addLean(f.listener, latest{f}, "h2", "http/1.1")
}

// latest is the door of the load that is there. Before the first one no request is answered on the short way.
type latest struct{ f *Follower }

func (l latest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	door := l.f.door.Load()
	if door == nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "loading", http.StatusServiceUnavailable)
		return
	}
	door.ServeHTTP(w, r)
}

func (l latest) Quick(p *fastpath.Request, reply *fastpath.Reply) bool {
	door := l.f.door.Load()
	return door != nil && door.Quick(p, reply)
}

func (l latest) QuickCheck(p *fastpath.Check, reply *fastpath.Reply) bool {
	door := l.f.door.Load()
	return door != nil && door.QuickCheck(p, reply)
}

func (l latest) Admits(token string, client netip.Addr, caller *verify.Remembered) bool {
	door := l.f.door.Load()
	return door != nil && door.Admits(token, client, caller)
}

func (l latest) Client(peer netip.Addr, forwarded []string) netip.Addr {
	return gateway.ClientAddress(peer, l.f.proxies.List(), forwarded)
}

// state is the answer of /readyz.
func (f *Follower) state(context.Context) (bool, any) {
	state := "ready"
	switch {
	case f.stopping.Load():
		state = "stopping"
	case f.follower.Rejected() && !f.replica.Ready():
		state = "the source refuses KEYWARD_SOURCE_TOKEN, or a limit above its own"
	case !f.replica.Ready() && f.follower.Loads() == 0:
		state = "loading"
	case !f.replica.Ready():
		state = "the copy in memory is older than KEYWARD_MAX_STALENESS: the source cannot be reached, or is not fresh itself"
	case f.follower.Doubt():
		state = "this machine's clock and the source's differ by " + f.follower.Skew().Abs().Round(time.Second).String()
	}
	answer := map[string]any{"status": state}
	if f.hub != nil {
		answer["followers"], _ = f.hub.below()
	}
	return state == "ready", answer
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
	if f.hub != nil {
		tasks.Go(func() { f.every(background, lookEvery, f.hub.followers.Sweep) })
		tasks.Go(func() { f.reportBelow(background) })
	}
	tasks.Go(func() { f.follower.Account(background) })
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
		Gate:      f.gateway,
		Logger:    f.log,
		Now:       f.opt.Now,
		RequestID: f.ids.Next,
		Observer:  f.metrics,
		AccessLog: f.cfg.AccessLog,
	}
	if f.cfg.TLS() {
		c.TLS = f.certificate.config("h2")
	}
	return extauthz.New(c)
}
