// Package verifier answers within your own process whether keys are good: from a copy of what a Keyward server knows,
// which it follows over HTTPS. It is for a service that does not want a question over the network for each request.
//
//	v, err := verifier.New(ctx, verifier.Config{URL: "https://keys.example.com", Token: os.Getenv("KEYWARD_TOKEN")})
//	guard := keyhttp.New(v, keyhttp.WithEnvironment("live"))
//	mux.Handle("GET /calls", guard.Require("calls:read")(listCalls))
//
// It decides by the same code as the server. A revocation reaches it in about one round trip; a copy that cannot prove
// that it is fresh answers ErrStale and never VALID, and the server's wait=all counts it. Limits stay exact: it takes
// units of them from the server and spends those in memory, and gives the rest back. Uses are counted here
// and told to the server every two seconds. Values that were imported in another form are decided by the server. The
// token is a service key with the scope follow, and with verify for those questions.
//
// The package does not own the decision, nor how a copy follows: `keyward follow` is the same for other languages.
package verifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/follower"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/verifycodec"
)

const (
	defaultStaleness = 5 * time.Second
	leastStaleness   = 100 * time.Millisecond
	leaveTime        = 2 * time.Second
	sweepEvery       = 30 * time.Second // rows of deleted keys are reused
	longestName      = 100
)

var (
	// ErrStale says that the copy is older than MaxStaleness: the server cannot be reached, is not fresh itself, or
	// refuses the token, or everything is being loaded anew. Nothing is said of any key meanwhile.
	ErrStale = errors.New("verifier: the copy cannot be proved to be fresh: nothing is said of any key")
	// ErrUnavailable says that this key cannot be judged now: the server alone decides about it and could not be asked,
	// or the clocks of the two machines differ and the key has an end.
	ErrUnavailable = errors.New("verifier: this key cannot be judged now")
	// ErrRefused says that the server refuses the token, or a MaxStaleness above its own.
	ErrRefused = errors.New("verifier: the server refuses this follower")
	// ErrPepper says that the server keeps digests under a pepper, and that Config.Pepper is not that one.
	ErrPepper = errors.New("verifier: Config.Pepper is not the pepper of the server")
	// ErrLeave says that the token gives no leave for Config.LimitMode or Config.LimitPolicy.
	ErrLeave = errors.New("verifier: the service key gives no leave for Config.LimitMode or Config.LimitPolicy")
	// ErrClosed says that the verifier was closed.
	ErrClosed = errors.New("verifier: closed")
)

// Config is the set-up of a verifier. URL and Token are needed. Package fmt, log/slog and encoding/json show neither
// Token nor Pepper of it.
type Config struct {
	// URL is the server: https://host[:port], or http:// on this machine.
	URL string
	// Token is a service key with the scope follow, and with verify where values were imported. One that is bound to
	// workspaces or environments makes a verifier that knows those alone.
	Token string `json:"-"`
	// TokenFile is a file with the token on its one line, in place of Token. It is read again with each question, so
	// that another token takes effect at once; while it cannot be read the one before is used.
	TokenFile string
	// Pepper is the server's KEYWARD_PEPPER, where it has one, and PreviousPeppers its KEYWARD_PEPPER_PREVIOUS.
	Pepper          string   `json:"-"`
	PreviousPeppers []string `json:"-"`
	// MaxStaleness is how old the copy may be; the default is 5 seconds, and the server's own limit is the most.
	MaxStaleness time.Duration
	// LimitMode is how minutes of keys are counted here; the default is LimitLeased. LimitPolicy is for keys with a limit
	// per minute while the server grants nothing; the default is the server's, and PolicyShare where that would admit
	// everything. Neither makes the verifier less strict than the server is, but LimitLocal and PolicyOpen: for these the
	// token needs leave (followerModes of the service key), or New fails with ErrLeave.
	LimitMode   LimitMode
	LimitPolicy LimitPolicy
	// RefuseWhileAway is PolicyClosed in another word: it refuses keys with a limit per minute, once
	// their last units are spent, while the server grants none.
	RefuseWhileAway bool
	// Name is what `keyward nodes` calls this verifier; the default is the machine's name.
	Name string
	// Logger is told of loads and of troubles with the server; nil is none.
	Logger *slog.Logger `json:"-"`
	// HTTPClient asks the server, instead of one of the verifier's own. Its Timeout has to leave time for loading
	// everything. Redirects are refused in any case.
	HTTPClient *http.Client `json:"-"`
	// Unzstd reads what zstd has compressed (RFC 8878), for a service that links a decoder: it makes loading much
	// cheaper. Nil asks for gzip, which the standard library reads.
	Unzstd func(io.Reader) (io.ReadCloser, error) `json:"-"`
}

// Format prints the server's address and the name alone, with every verb.
func (c Config) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "verifier.Config{URL:%q Name:%q MaxStaleness:%s}", c.shownURL(), c.Name, c.MaxStaleness)
}

// LogValue gives log/slog the same.
func (c Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// shownURL is "" for a URL that is refused: it may hold a password.
func (c Config) shownURL() string {
	u, _ := feedhttp.SourceURL(c.URL)
	return u
}

// Verifier answers from a copy of its own. It is safe for concurrent use. Close it in the end.
type Verifier struct {
	*process
	within *string // the one workspace that questions are about; nil for all
}

// process is what verifiers of one New share.
type process struct {
	follower *follower.Follower
	desks    atomic.Pointer[desk]
	url      string
	closed   atomic.Bool
	close    func() error
}

// desk is the engine of one state of the server's settings, and the codec of its catalogue.
type desk struct {
	*follower.Desk
	codec *verifycodec.Codec
}

var _ keyward.Verifier = (*Verifier)(nil)

// New loads everything from the server, and follows it from then on. While the server is away it tries again until ctx
// ends; ctx bounds the start alone. It gives up at once where the token is refused (ErrRefused) or gives no leave for
// the mode (ErrLeave), or the pepper is another one (ErrPepper).
func New(ctx context.Context, cfg Config) (*Verifier, error) {
	digests, err := cfg.check()
	if err != nil {
		return nil, fmt.Errorf("verifier: %w", err)
	}
	client, closeIdle := follower.HTTPClient(cfg.HTTPClient)
	v := &Verifier{process: &process{url: cfg.URL}}
	v.follower = follower.New(
		follower.Config{HTTP: client, Unzstd: cfg.Unzstd, URL: cfg.URL, Token: cfg.token(), Limit: cfg.MaxStaleness,
			Digests: digests, Now: follower.Clock(ctx, time.Now), Logger: cfg.Logger, Name: cfg.Name, Version: version(),
			Policy: cfg.LimitPolicy.policy(), Exact: cfg.LimitMode == LimitExact, Local: cfg.LimitMode == LimitLocal,
			OnDesk: func(d *follower.Desk) error {
				v.desks.Store(&desk{d, verifycodec.New(d.Catalogue)})
				return nil
			}},
	)
	if err := v.follower.Start(ctx); err != nil {
		leave(v.follower, cfg.Logger)
		closeIdle()
		return nil, told(err)
	}
	v.run(cfg.Logger, closeIdle)
	return v, nil
}

// check fills in the defaults, and says which field is wrong.
func (c *Config) check() (*keyfmt.Digester, error) {
	var err error
	if c.URL, err = feedhttp.SourceURL(c.URL); err != nil {
		return nil, fmt.Errorf("Config.URL: %w", err)
	}
	if err := c.checkToken(); err != nil {
		return nil, err
	}
	if c.MaxStaleness == 0 {
		c.MaxStaleness = defaultStaleness
	}
	if c.MaxStaleness < leastStaleness {
		return nil, fmt.Errorf("Config.MaxStaleness: want %s or more", leastStaleness)
	}
	if len(c.Name) > longestName || strings.ContainsFunc(c.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, fmt.Errorf("Config.Name: want at most %d printable bytes", longestName)
	}
	if err := c.checkLimits(); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	digests, err := keyfmt.NewDigester(c.Pepper, c.PreviousPeppers...)
	if err != nil {
		return nil, fmt.Errorf("Config.PreviousPeppers: %w", err)
	}
	return digests, nil
}

// told puts an error of the start into the words of this package.
func told(err error) error {
	switch {
	case errors.Is(err, follower.ErrPepper):
		return ErrPepper
	case errors.Is(err, follower.ErrLeave):
		return fmt.Errorf("%w: %w", ErrLeave, err)
	case errors.Is(err, feedhttp.ErrRefused):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return fmt.Errorf("verifier: %w", err)
}

// run follows the server until Close.
func (v *Verifier) run(log *slog.Logger, closeIdle func()) {
	ctx, stop := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() { _ = v.follower.KeepUp(ctx, func(error) bool { return false }) })
	tasks.Go(func() { v.sweep(ctx) })
	tasks.Go(func() { v.follower.Account(ctx) })
	v.close = sync.OnceValue(func() error {
		v.closed.Store(true)
		v.follower.Replica().Fence()
		stop()
		tasks.Wait()
		leave(v.follower, log)
		closeIdle()
		return nil
	})
}

// leave tells the server that this follower is gone, so that wait=all waits for it no longer.
func leave(f *follower.Follower, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	if err := f.Leave(ctx); err != nil {
		log.Info("the server could not be told that this verifier goes: it waits for a while", "error", err.Error())
	}
}

func (v *Verifier) sweep(ctx context.Context) {
	ticks := time.NewTicker(sweepEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			v.follower.Replica().Sweep(v.follower.Revision())
		}
	}
}

// Close ends everything that New began, and tells the server that this follower is gone; a server that is away is
// waited for some seconds at most. Afterwards every question is ErrClosed.
func (v *Verifier) Close() error { return v.close() }

// Format prints the server's address alone, with every verb.
func (v *Verifier) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "verifier.Verifier("+v.url+")")
}

// LogValue gives log/slog the same.
func (v *Verifier) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(v)) }
