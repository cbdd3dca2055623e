package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/follow"
	"github.com/keyward/keyward/internal/follower"
	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/httplimit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/packing"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/routes"
)

// Follower is a process without a database: it follows a node, and answers verifications from a copy of its own. Make
// it with NewFollower, and then Run it once; Close it in any case.
type Follower struct {
	*Server
	follow   config.Follow
	follower *follower.Follower
	door     atomic.Pointer[httpapi.API] // nil before the first load
	hub      *hub                        // nil where the feed is not offered onward
}

const (
	leaveTime  = 2 * time.Second
	socketMode = 0o600
)

// NewFollower takes the addresses and asks the source for everything. It waits for a source that is away.
func NewFollower(ctx context.Context, cfg config.Follow, opt Options) (*Follower, error) {
	began := time.Now() // its monotonic half counts
	f := &Follower{
		follow: cfg,
		Server: &Server{
			cfg:     cfg.Config,
			opt:     opt.withDefaults(),
			elapsed: func() time.Duration { return time.Since(began) },
		},
	}
	f.format, _ = keyfmt.NewFormat("kw") // until the source has told its own
	f.ids = id.NewGenerator(f.opt.Now, rand.Reader)
	for _, stage := range []func(context.Context) error{
		f.openLog, lastingStage(f.readProxies), lastingStage(f.makeDigester), f.listenHere, f.listenEnvoy,
		f.makeFollower, f.serveHere, f.startFollower,
	} {
		if err := stage(ctx); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

func (f *Follower) makeDigester(context.Context) (err error) {
	if f.digester, err = f.cfg.Digester(); err != nil {
		return fmt.Errorf("KEYWARD_PEPPER_PREVIOUS: %w", err)
	}
	return nil
}

// listenHere takes the address or the socket.
func (f *Follower) listenHere(ctx context.Context) error {
	if f.follow.Socket == "" {
		return f.listen(ctx)
	}
	l, err := listenUnix(ctx, f.follow.Socket)
	if err != nil {
		return fmt.Errorf("KEYWARD_ADDR: %w", err)
	}
	f.listener = f.capped(l)
	f.push("the listener", ignoreClosed(f.listener.Close))
	return nil
}

// listenUnix makes a socket that only its owner can reach, in the place of one that nobody listens on any more.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return nil, fmt.Errorf("%s is there, and is no socket", path)
		}
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			_ = c.Close()
			return nil, fmt.Errorf("%s: another process listens there", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// makeFollower makes the parts that follow, which do not ask yet.
func (f *Follower) makeFollower(ctx context.Context) (err error) {
	var onward *follow.Onward
	var below func() (int, int64)
	if f.follow.Feed {
		if f.hub, err = newHub(ctx, f.opt.Now); err != nil {
			return err
		}
		onward, below = f.hub.onward, f.hub.below
	}
	client, closeIdle := follower.HTTPClient(nil)
	f.push("the connections to the source", func() error { closeIdle(); return nil })
	f.follower = follower.New(
		follower.Config{HTTP: client, Unzstd: packing.Unzstd, URL: f.follow.SourceURL, Token: f.token,
			Limit: f.cfg.MaxStaleness, Onward: onward, Below: below, Digests: f.digester, Now: f.opt.Now, Logger: f.log,
			Name: f.follow.Name, Version: f.opt.Version,
			Policy: f.cfg.LimitPolicy, Exact: f.cfg.LimitMode == lease.Exact, Local: f.cfg.LimitMode == lease.Local,
			OnSwap: f.swap, OnDesk: f.settle},
	)
	f.push("the place at the source", f.leave)
	return nil
}

// swap takes a new copy, before it is filled. The revisions of followers of this one were those of the copy before.
func (f *Follower) swap(r *replica.Replica) {
	if f.hub != nil { // followers of this one may be bound to workspaces
		r.KeepSecond(f.digester.SecondPeppers())
		f.hub.followers.Forget()
	}
	f.replica.Store(r)
}

// token reads the file of the service key with each question, so that another one takes effect at once.
func (f *Follower) token() string {
	secret, err := f.follow.Token()
	if err != nil {
		f.log.Warn("KEYWARD_SOURCE_TOKEN_FILE", "error", err.Error())
	}
	return secret.Reveal()
}

func (f *Follower) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	end := f.follower.Leave
	if f.hub.leads() { // the source waits until those below must have fenced themselves
		end = f.follower.End
	}
	if err := end(ctx); err != nil {
		f.log.Info("the source could not be told that this follower goes: it waits for a while", "error", err.Error())
	}
	return nil
}

// ErrSettings says that the source's settings have changed, by which this follower was set up.
var ErrSettings = errors.New(
	"the catalogue, the prefixes of keys or the pepper of the source have changed: start this follower again",
)

// settle makes the doors that go by the source's settings, once.
func (f *Follower) settle(d *follower.Desk) error {
	if f.door.Load() != nil {
		return ErrSettings
	}
	gate := gateway.New(
		gateway.Config{
			Engine:         d.Engine,
			Catalogue:      d.Catalogue,
			Format:         d.Format,
			Now:            f.opt.Now,
			TrustedProxies: &f.proxies,
		},
	)
	f.format, f.catalogue, f.engine, f.gateway = d.Format, d.Catalogue, d.Engine, gate
	if f.cfg.Routes != "" {
		table, err := routes.Read(f.cfg.Routes, d.Catalogue)
		if err != nil {
			return fmt.Errorf("KEYWARD_ROUTES: %w", err)
		}
		gate.SetRoutes(table)
	}
	f.door.Store(httpapi.New(httpapi.Config{
		Follower: true, Feed: f.feedOnward(d), Engine: d.Engine, Catalogue: d.Catalogue, Format: d.Format, Logger: f.log,
		Now:      f.opt.Now,
		Observer: f.metrics,
		Ready:    f.state, TrustedProxies: &f.proxies, Gateway: gate, Metrics: f.metrics.Handler(),
		Failures: httplimit.NewFailures(f.cfg.BadCredentials, f.elapsed), Clock: f.opt.Now,
		Stopping: f.stopping.Load, Lines: f.jsonLines, AccessLog: f.cfg.AccessLog,
	}))
	return nil
}
