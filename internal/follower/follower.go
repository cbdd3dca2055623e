// Package follower owns a follower of a source over HTTPS, put together: the copy and its following (follow), the
// source's end of the questions (feedhttp), and the engine that decides on the copy by the source's settings (verify).
// It does not own the doors at which it is asked: those are of `keyward follow` (server) and of package verifier.
package follower

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/follow"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/verify"
)

const (
	idleToSource = 64
	waitShare    = 6                // the part of the limit for which a question may be held
	skewToStop   = 15 * time.Second // as cluster.SkewToStop
)

// ErrPepper says that the source keeps digests under a pepper that is missing here.
var ErrPepper = errors.New(
	"the source keeps digests under a pepper that this follower does not have: give it the same one",
)

// ErrLeave says that the follower's service key gives no leave for its settings.
var ErrLeave = errors.New(
	"the service key gives this follower no leave for it: followerModes of the key has to name it",
)

// Config holds the parts of a follower. HTTP, URL, Token, Limit, Digests, Now and Logger are needed.
type Config struct {
	HTTP    *http.Client // see HTTPClient
	URL     string       // of the source: see feedhttp.SourceURL
	Token   func() string
	Limit   time.Duration // how old the copy may be
	Digests *keyfmt.Digester
	Now     func() time.Time
	Logger  *slog.Logger

	// Unzstd reads what zstd has compressed; nil where the source is asked for gzip alone.
	Unzstd func(io.Reader) (io.ReadCloser, error)

	// Onward is told what the copy has, and Below gives how many follow this follower and the least revision that one
	// of them has; nil where nobody does.
	Onward *follow.Onward
	Below  func() (followers int, least int64)

	Name    string // "" is the machine's name
	Version string
	// Policy decides about limits per minute while the source grants nothing. The source's holds where it is stricter.
	Policy lease.Policy
	// Local counts the minutes of keys here alone. It needs leave of the source, as does the policy open.
	Local bool
	// Exact has every verification of a key with a limit per minute ask the source.
	Exact bool
	// OnSwap is told of each copy before it is filled.
	OnSwap func(*replica.Replica)
	// OnDesk is told of the first desk, and of each one that takes its place because the source's settings have
	// changed. An error of it ends the load.
	OnDesk func(*Desk) error
}

// Desk decides by one state of the source's settings. Questions that were made for one desk go to that one: after
// a change of the settings its copy is fenced for good.
type Desk struct {
	Engine    *verify.Engine
	Catalogue *perm.Catalogue
	Format    keyfmt.Format
	Judge     *feedhttp.Judge

	settings *feedhttp.Settings
	keys     []keyfmt.WorkspaceKey // under which the source tells digests; nil where it tells them as they are stored
	onward   *feedhttp.Settings
	limits   *limits // nil where the source decides about keys with limits
	uses     *feedhttp.Reporter
}

// Follower follows one source. Its methods are safe for concurrent use.
type Follower struct {
	cfg    Config
	client *feedhttp.Client
	follow *follow.Follower
	desk   atomic.Pointer[Desk] // nil before the first load
	skew   atomic.Int64         // nanoseconds by which this machine's clock is ahead of the source's
	told   string               // the trouble that the log has
	began  time.Time
}

// HTTPClient makes a client for questions to a source: it follows no redirect, which would carry the token elsewhere.
// base is nil, or a client whose transport and timeout are taken over. closeIdle closes connections of its own.
func HTTPClient(base *http.Client) (c *http.Client, closeIdle func()) {
	closeIdle = func() {}
	c = &http.Client{}
	if base != nil {
		*c = *base
	} else if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		own := standard.Clone()
		own.MaxIdleConnsPerHost = idleToSource
		c.Transport, closeIdle = own, own.CloseIdleConnections
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, closeIdle
}

// New makes the parts, which do not ask yet.
func New(cfg Config) *Follower {
	if cfg.Name == "" {
		cfg.Name, _ = os.Hostname() // without one it has no name
	}
	if cfg.OnSwap == nil {
		cfg.OnSwap = func(*replica.Replica) {}
	}
	if cfg.OnDesk == nil {
		cfg.OnDesk = func(*Desk) error { return nil }
	}
	f := &Follower{cfg: cfg, began: cfg.Now()}
	f.client = feedhttp.NewClient(
		feedhttp.ClientConfig{HTTP: cfg.HTTP, URL: cfg.URL, Token: cfg.Token, Limit: cfg.Limit, Random: rand.Text,
			Second: cfg.Onward != nil && cfg.Digests.SecondPeppers() != nil,
			Name:   cfg.Name, Version: cfg.Version, Below: cfg.Below, Unzstd: cfg.Unzstd,
			Incarnation: id.NewGenerator(cfg.Now, rand.Reader).Next(), OnSettings: f.settings,
			OnCount: func(keys int64) { f.follow.Replica().Reserve(keys) }},
	)
	f.follow = follow.New(follow.Config{
		Source: f.client, Limit: cfg.Limit, Now: cfg.Now, Wait: cfg.Limit / waitShare, OnSwap: cfg.OnSwap,
		Onward:    cfg.Onward,
		OnPage:    func(p *feed.Page, start time.Time) { f.learnSkew(start.Add(p.Held).Sub(p.Now)) },
		OnHistory: func(err error) { cfg.Logger.Warn("everything is loaded anew", "because", err.Error()) },
		OnBusy:    func() { cfg.Logger.Info("the source is busy with others that load: waiting") },
		OnLoad: func(r *replica.Replica, at feed.Cursor) {
			cfg.Logger.Info("loaded", "keys", r.Size(), "revision", at.Revision)
		},
	})
	return f
}

// settings takes the source's settings at the beginning of a load. The engine gets the new copy here, and not before:
// an engine of earlier settings keeps the earlier copy, which is fenced.
func (f *Follower) settings(s *feedhttp.Settings, c *perm.Catalogue) error {
	if d := f.desk.Load(); d != nil && reflect.DeepEqual(d.settings, s) {
		d.Engine.Use(f.follow.Replica())
		return nil
	}
	d, err := f.newDesk(s, c)
	if err != nil {
		return err
	}
	if err = f.cfg.OnDesk(d); err != nil {
		d.limits.close(context.Background())
		return err
	}
	if before := f.desk.Swap(d); before != nil {
		f.retire(before)
	}
	return nil
}

func (f *Follower) newDesk(s *feedhttp.Settings, c *perm.Catalogue) (*Desk, error) {
	digests, keys, err := f.digests(s)
	if err != nil {
		return nil, err
	}
	if err := f.leave(s); err != nil {
		return nil, err
	}
	if len(s.KeyPrefixes) == 0 {
		return nil, errors.New("the source tells no prefix of keys")
	}
	format, err := keyfmt.NewFormat(s.KeyPrefixes[0])
	if err != nil {
		return nil, fmt.Errorf("the source's prefix of keys: %w", err)
	}
	format.Admit(s.KeyPrefixes[1:]...)
	judge := feedhttp.NewJudge(f.cfg.HTTP, f.cfg.URL, f.cfg.Token, f.client.Foreign, f.cfg.Now)
	judge.Use(c)
	desk := &Desk{Catalogue: c, Format: format, Judge: judge, settings: s, keys: keys}
	onward := *s
	onward.WorkspaceKeys, onward.FollowerModes = nil, nil // each reader gets its own
	desk.onward = &onward
	desk.uses = feedhttp.NewReporter(f.client, c.Names, usesWaiting)
	config := verify.Config{
		Replica: f.follow.Replica(), Format: format, Digests: digests, Clocks: f.clocks, Source: judge,
		Doubt: f.Doubt,
	}
	if s.TakesUses {
		config.Recorder = desk.uses
		config.Refusals = desk.uses
	}
	if desk.limits, err = f.newLimits(s.Limits); err != nil {
		return nil, err
	}
	if desk.limits != nil {
		config.Limiter = desk.limits.limiter
	}
	desk.Engine = verify.New(config)
	return desk, nil
}

// digests gives the digester for the source's digests: that of the keys of the workspaces that this follower is bound
// to, or by the peppers of its own configuration.
func (f *Follower) digests(s *feedhttp.Settings) (*keyfmt.Digester, []keyfmt.WorkspaceKey, error) {
	keys, ok := s.Keys()
	switch {
	case !ok:
		return nil, nil, errors.New("a key of a workspace in the source's settings is none")
	case len(keys) > 0:
		return keyfmt.NewWorkspaceDigester(keys), keys, nil
	case !f.cfg.Digests.Knows(keyfmt.PepperID(s.Pepper)):
		return nil, nil, ErrPepper
	}
	return f.cfg.Digests, nil, nil
}

// IsBound tells whether the source tells this follower digests under keys of workspaces.
func (d *Desk) IsBound() bool { return d.keys != nil }

// WorkspaceKeys gives the keys of workspaces for a follower of this one; none without a pepper.
func (f *Follower) WorkspaceKeys(d *Desk, workspaces []string) []keyfmt.WorkspaceKey {
	if d.IsBound() {
		return feedhttp.KeysOf(d.keys, workspaces)
	}
	if d.settings.Pepper == string(keyfmt.NoPepper) {
		return nil
	}
	return f.cfg.Digests.WorkspaceKeys(workspaces)
}

// Untold is about how many keys within a reach a follower of this one is not told the values of: those that the source
// does not tell, and those that have no second digest.
func (f *Follower) Untold(d *Desk, reach *account.Reach, second bool) int64 {
	n := f.client.ToAsk()
	if f.client.Foreign() {
		n = max(n, 1)
	}
	if !d.IsBound() {
		n += f.Replica().Untold(reach, second)
	}
	return n
}

// Desk is the one that decides now; nil before the first load.
func (f *Follower) Desk() *Desk { return f.desk.Load() }

// Replica is the copy that is in use now.
func (f *Follower) Replica() *replica.Replica { return f.follow.Replica() }

// Revision is the one up to which the copy has everything; 0 during a load.
func (f *Follower) Revision() int64 { return f.follow.Revision() }

// Loads is how often everything was loaded.
func (f *Follower) Loads() int64 { return f.follow.Loads() }

// Rejected tells whether the source refused this follower when it was asked last.
func (f *Follower) Rejected() bool { return f.client.Rejected() }

// Skew is by how much this machine's clock is ahead of the source's.
func (f *Follower) Skew() time.Duration { return time.Duration(f.skew.Load()) }

// learnSkew takes by how much this machine's clock is ahead. Where that changes the clock by which days are told, the
// limits read it at once: a decision on another day would stay on that one.
func (f *Follower) learnSkew(skew time.Duration) {
	before := f.Doubt()
	f.skew.Store(int64(skew))
	if d := f.desk.Load(); d != nil && d.limits != nil && (before || f.Doubt()) {
		d.limits.limiter.ReadClocks()
	}
}

// Doubt tells whether the two clocks differ by so much that the end of a key cannot be judged.
func (f *Follower) Doubt() bool { return f.Skew().Abs() > skewToStop }

// ToAsk is about how many keys the source is asked about, because the feed does not tell their values.
func (f *Follower) ToAsk() int64 { return f.client.ToAsk() }

// Settings are the source's, as they are told to those that follow this follower.
func (d *Desk) Settings() *feedhttp.Settings { return d.onward }

// Client asks the source.
func (f *Follower) Client() *feedhttp.Client { return f.client }

// Report tells the source at once how far those that follow this follower have come.
func (f *Follower) Report(ctx context.Context) error {
	r := f.Replica()
	return f.client.Report(ctx, r.Age(), !r.Ready())
}

// Leave ends this follower (End), and tells the source that it answers nothing any more.
func (f *Follower) Leave(ctx context.Context) error {
	return errors.Join(f.End(ctx), f.client.Leave(ctx))
}

// End fences the copy, gives back the limits that were not spent, and tells the source of the uses that it was not told
// of yet.
func (f *Follower) End(ctx context.Context) error {
	f.Replica().Fence()
	d := f.desk.Load()
	if d == nil {
		return nil
	}
	d.limits.close(ctx)
	return d.uses.Flush(ctx)
}
