package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/follow"
	"github.com/keyward/keyward/internal/gateway"
	"github.com/keyward/keyward/internal/httpapi"
	"github.com/keyward/keyward/internal/httplimit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/routes"
	"github.com/keyward/keyward/internal/verify"
)

// Follower is a process without a database: it follows a node, and answers verifications from a copy of its own. Make it
// with NewFollower, and then Run it once; Close it in any case.
type Follower struct {
	*Server
	follow   config.Follow
	client   *feedhttp.Client
	judge    *feedhttp.Judge
	follower *follow.Follower
	door     atomic.Pointer[httpapi.API] // nil before the first load
	given    *feedhttp.Settings          // the source's, at the first load
	skew     atomic.Int64                // nanoseconds by which this machine's clock is ahead of the source's
	told     string                      // the trouble that the log has
}

const (
	followTries  = 2 * time.Second // between questions to a source that is away, at most
	firstTry     = 50 * time.Millisecond
	leaveTime    = time.Second
	socketMode   = 0o600
	skewToStop   = 15 * time.Second // as cluster.SkewToStop
	idleToSource = 64
)

// ErrPepper says that the source keeps digests under a pepper that this follower was not given.
var ErrPepper = errors.New(
	"KEYWARD_PEPPER: the source keeps digests under a pepper that this follower does not have: give it the same one",
)

// NewFollower takes the addresses and asks the source for everything. It waits for a source that is away.
func NewFollower(ctx context.Context, cfg config.Follow, opt Options) (*Follower, error) {
	began := time.Now() // its monotonic half counts
	f := &Follower{
		follow: cfg,
		Server: &Server{cfg: cfg.Config, opt: opt.withDefaults(), elapsed: func() time.Duration { return time.Since(began) }},
	}
	f.format, _ = keyfmt.NewFormat("kw") // until the source has told its own
	f.ids = id.NewGenerator(f.opt.Now, rand.Reader)
	for _, stage := range []func(context.Context) error{
		f.openLog, lastingStage(f.readProxies), lastingStage(f.makeDigester), f.listenHere, f.listenEnvoy, f.makeFollower, f.serveHere, f.startFollower,
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
func (f *Follower) makeFollower(context.Context) error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = idleToSource
	f.push("the connections to the source", func() error { transport.CloseIdleConnections(); return nil })
	client := &http.Client{
		Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	name := f.follow.Name
	if name == "" {
		name, _ = os.Hostname() // without one it has no name
	}
	f.client = feedhttp.NewClient(
		feedhttp.ClientConfig{HTTP: client, URL: f.follow.SourceURL, Token: f.token, Limit: f.cfg.MaxStaleness,
			Random: rand.Text, Name: name, Version: f.opt.Version, Incarnation: f.ids.Next(), OnSettings: f.settings},
	)
	f.judge = feedhttp.NewJudge(client, f.follow.SourceURL, f.token, f.client.Foreign, f.opt.Now)
	f.follower = follow.New(follow.Config{
		Source: f.client, Limit: f.cfg.MaxStaleness, Now: f.opt.Now, Wait: f.cfg.MaxStaleness / waitShare,
		OnSwap: func(r *replica.Replica) {
			f.replica.Store(r)
			if f.engine != nil {
				f.engine.Use(r)
			}
		},
		OnPage: func(p *feed.Page, start time.Time) { f.skew.Store(int64(start.Add(p.Held).Sub(p.Now))) },
		OnHistory: func(err error) {
			f.log.Warn("everything is loaded anew", "because", err.Error())
		},
		OnBusy: func() { f.log.Info("the source is busy with others that load: waiting") },
		OnLoad: func(r *replica.Replica, at feed.Cursor) {
			f.log.Info("loaded", "keys", r.Size(), "revision", at.Revision)
		},
	})
	f.push("the place at the source", f.leave)
	return nil
}

// waitShare is the part of the limit for which a question may be held.
const waitShare = 6

// token reads the file of the service key with each question, so that another one takes effect at once.
func (f *Follower) token() string {
	secret, err := f.follow.Token()
	if err != nil {
		f.log.Warn("KEYWARD_SOURCE_TOKEN_FILE", "error", err.Error())
	}
	return secret.Reveal()
}

func (f *Follower) leave() error {
	f.replica.Load().Fence()
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	if err := f.client.Leave(ctx); err != nil {
		f.log.Info("the source could not be told that this follower goes: it waits for a while", "error", err.Error())
	}
	return nil
}

// ErrSettings says that the source's settings have changed, by which this follower was set up.
var ErrSettings = errors.New(
	"the catalogue, the prefixes of keys or the pepper of the source have changed: start this follower again",
)

// settings takes the source's settings, and makes the doors that go by them.
func (f *Follower) settings(s *feedhttp.Settings, c *perm.Catalogue) error {
	if f.given != nil {
		if !reflect.DeepEqual(f.given, s) {
			return ErrSettings
		}
		return nil
	}
	if !f.digester.Knows(keyfmt.PepperID(s.Pepper)) {
		return ErrPepper
	}
	if len(s.KeyPrefixes) == 0 {
		return errors.New("the source tells no prefix of keys")
	}
	format, err := keyfmt.NewFormat(s.KeyPrefixes[0])
	if err != nil {
		return fmt.Errorf("the source's prefix of keys: %w", err)
	}
	format.Admit(s.KeyPrefixes[1:]...)
	f.judge.Use(c)
	engine := verify.New(
		verify.Config{Replica: f.replica.Load(), Format: format, Digests: f.digester, Now: f.opt.Now, Source: f.judge,
			Doubt: func() bool { return time.Duration(f.skew.Load()).Abs() > skewToStop }},
	)
	gate := gateway.New(
		gateway.Config{Engine: engine, Catalogue: c, Format: format, Now: f.opt.Now, TrustedProxies: &f.proxies},
	)
	f.format, f.catalogue, f.engine, f.gateway = format, c, engine, gate
	if f.cfg.Routes != "" {
		table, err := routes.Read(f.cfg.Routes, c)
		if err != nil {
			return fmt.Errorf("KEYWARD_ROUTES: %w", err)
		}
		gate.SetRoutes(table)
	}
	f.door.Store(httpapi.New(httpapi.Config{
		Follower: true, Engine: engine, Catalogue: c, Format: format, Logger: f.log, Now: f.opt.Now, Observer: f.metrics,
		Ready: f.state, TrustedProxies: &f.proxies, Gateway: gate, Metrics: f.metrics.Handler(),
		Failures: httplimit.NewFailures(
			f.cfg.BadCredentials, f.elapsed,
		), Clock: f.opt.Now, Stopping: f.stopping.Load, Lines: f.jsonLines, AccessLog: f.cfg.AccessLog,
	}))
	f.given = s
	return nil
}
