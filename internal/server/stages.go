package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/cataloguefile"
	"github.com/keyward/keyward/internal/clock"
	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/doctor"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/metrics"
	"github.com/keyward/keyward/internal/passkey"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/tally"
	"github.com/keyward/keyward/internal/verify"
)

func (s *Server) openLog(context.Context) error {
	options := &slog.HandlerOptions{Level: s.cfg.LogLevel}
	s.lines = newBufferedLog(s.opt.Log)
	s.push("the log", s.closeLog)
	if s.cfg.LogFormat == "text" || s.cfg.LogFormat == "" && s.opt.Terminal {
		s.log = slog.New(newLevelHandler(s.lines, func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, options) }))
	} else {
		s.log = slog.New(newLevelHandler(s.lines, func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, options) }))
		s.jsonLines = s.lines
	}
	for _, name := range s.cfg.Unknown {
		s.log.Warn("a name in the environment looks like a setting and is none", "name", name)
	}
	for _, f := range doctor.Cheap(&s.cfg) {
		if f.Level != doctor.OK {
			s.log.Warn(f.What, "why", f.Why, "do", f.Do)
		}
	}
	if s.cfg.Insecure && !s.cfg.TLS() {
		s.log.Warn(
			"plain HTTP is admitted on every address: see to it that a proxy in front speaks TLS", "address", s.cfg.Addr,
		)
	}
	s.metrics = metrics.New(s.opt.Version)
	return nil
}

func (s *Server) readCatalogue(context.Context) (err error) {
	if s.cfg.Catalogue == "" {
		s.catalogue = perm.Builtin()
		return nil
	}
	if s.catalogue, err = cataloguefile.Read(s.cfg.Catalogue); err != nil {
		return fmt.Errorf("KEYWARD_CATALOGUE: %w", err)
	}
	if missing := cataloguefile.Missing(s.catalogue); len(missing) > 0 {
		s.log.Warn(
			"the catalogue lacks permissions of Keyward's own operations: only service keys can do these", "missing", missing,
		)
	}
	return nil
}

func (s *Server) makeKeys(context.Context) (err error) {
	if s.format, err = s.cfg.Format(); err != nil {
		return fmt.Errorf("KEYWARD_KEY_PREFIX: %w", err)
	}
	if s.digester, err = s.cfg.Digester(); err != nil {
		return fmt.Errorf("KEYWARD_PEPPER_PREVIOUS: %w", err)
	}
	return nil
}

func (s *Server) openStore(ctx context.Context) error {
	s.ids = id.NewGenerator(s.clock.Now, rand.Reader)
	err := s.patiently(ctx, func(ctx context.Context) error {
		driver, err := s.connect(ctx)
		if err != nil {
			return err
		}
		s.db, err = store.Open(
			ctx, driver, store.Options{Clock: s.clock, Catalogue: s.catalogue, ChangesKept: changesKept, Fatal: s.fatal},
		)
		if err != nil {
			_ = driver.Close()
			return err
		}
		s.followDatabase(driver)
		return nil
	})
	if err != nil {
		return fmt.Errorf("KEYWARD_DATABASE_URL: %w", err)
	}
	s.waiting.waitFor("the keys to be loaded")
	s.push("the database", s.db.Close)
	s.db.Measure(ctx)
	s.tellTime()
	return s.admitPrefixes(ctx)
}

// admitPrefixes has keys of earlier prefixes work on: the installation remembers those that it has given to keys.
func (s *Server) admitPrefixes(ctx context.Context) error {
	known, err := s.db.RememberKeyPrefix(ctx, s.cfg.KeyPrefix)
	if err := s.postpone(err, &s.late.prefix, "the prefix for new keys is remembered"); err != nil {
		return fmt.Errorf("look at the prefixes of keys: %w", err)
	}
	s.format.Admit(known...)
	if earlier := s.format.Prefixes()[1:]; len(earlier) > 0 {
		s.log.Info("keys with earlier prefixes work on", "prefixes", earlier)
	}
	if root := s.cfg.RootKey.Reveal(); root != "" {
		if _, ok := s.format.Parse(root); !ok {
			return fmt.Errorf(
				"KEYWARD_ROOT_KEY: begins with %s_, and this installation has never given that prefix to keys",
				keyfmt.PrefixOf(root),
			)
		}
	}
	return nil
}

// tellTime says in one line where time does not go by the clock, or the clock is not trusted yet.
func (s *Server) tellTime() {
	s.stood = s.db.Time()
	switch t := s.stood; {
	case t.Behind > 0:
		s.log.Warn(
			"the clock is far behind the time that the database has seen, by which keys stay expired: set the clock if it is wrong; "+
				"if it is right, `keyward time reset` releases what a wrong clock left behind",
			"behind",
			t.Behind.Round(time.Second).String(),
		)
	case t.Ahead > 0:
		s.log.Info(
			"the clock is ahead of the time that the database has seen: this is provisional until it has been run with for an hour, "+
				"and nothing is removed meanwhile",
			"ahead",
			t.Ahead.Round(time.Second).String(),
			"left",
			t.Left.Round(time.Second).String(),
		)
	case s.told:
		s.log.Info("time goes by the clock")
	}
	s.told = s.stood != clock.Standing{}
}

// fatal ends the process at once. The state of the disk is unknown after a failed fsync, and every further answer
// would be a guess.
func (s *Server) fatal(err error) {
	s.log.Error(
		"the disk lost a write: this process ends, so that nothing is answered that may not be true", "error", err.Error(),
	)
	s.opt.Fatal(err)
}

// loadReplica brings everything that a verification asks about into memory.
func (s *Server) loadReplica(ctx context.Context) error {
	if s.db.Shared() {
		return s.join(ctx)
	}
	return s.loadSole(ctx)
}

func (s *Server) makeEngines(context.Context) error {
	s.tally = tally.New(tally.Config{DB: s.db, Keep: s.cfg.UsageKept, Limit: s.cfg.UsageWaiting,
		Names: s.catalogue.Names})
	s.engine = verify.New(
		verify.Config{Replica: s.replica.Load(), Format: s.format, Digests: s.digester, Now: s.clock.Now, Clocks: s.clocks,
			Limiter: s.limiter, Recorder: s.tally, Refusals: s.tally, Rehash: s.rehashing.offer, Second: s.offerSeconds(),
			Doubt: s.doubt()},
	)
	s.control = control.New(control.Config{
		DB: s.db, Catalogue: s.catalogue, Format: s.format, Digester: s.digester, IDs: s.ids, Rand: rand.Reader,
		Recent: s.tally, AnyoneCreatesWorkspaces: s.cfg.AnyoneCreatesWorkspaces, Reveal: s.cfg.IdempotencyReveal,
		Now: s.opt.Now, WebhookNetworks: s.cfg.WebhookNetworks,
	})
	s.makeSender()
	s.metrics.Observe(s.gauges())
	return nil
}

// doubt reports whether this node's clock differs so much from the database's that it must not judge keys with an
// end; nil if there is no other clock.
func (s *Server) doubt() func() bool {
	if s.node == nil {
		return nil
	}
	return func() bool { return s.node.Skew().Abs() > cluster.SkewToStop }
}

// announce tells operators the first facts. A root key that could not be printed is lost, and that is reported.
func (s *Server) announce(context.Context) error {
	s.log.Info("listening", "url", s.URL(), "data_url", s.DataURL(), "version", s.opt.Version, "database", s.cfg.Database)
	var b strings.Builder
	notice(&b, cmp.Or(s.opt.Program, "keyward"), s.address(), s.URL(), s.cfg.Database, s.minted, s.rootLink)
	if err := s.tell(b.String()); err != nil && !s.minted.IsZero() {
		return fmt.Errorf(
			"the root key could not be printed and is lost (%w): start again with one of your own in KEYWARD_ROOT_KEY, "+
				"which `keyward rootkey` makes",
			err,
		)
	}
	return nil
}

// address is where a person opens the dashboard: KEYWARD_PUBLIC_URL, else localhost by its name, because browsers make
// no passkey for an IP address.
func (s *Server) address() string {
	if s.cfg.PublicURL != "" {
		return s.cfg.PublicURL
	}
	_, host, _ := strings.Cut(s.URL(), "://")
	if local, ok := passkey.Localhost(host); ok && !s.cfg.TLS() {
		return "http://" + local
	}
	return s.URL()
}

// tell prints the notice. It waits without end only where the root key is in it: an output that nothing reads must not
// keep a server from its work.
func (s *Server) tell(text string) error {
	written := make(chan error, 1)
	go func() {
		_, err := io.WriteString(s.opt.Notice, text)
		written <- err
	}()
	if !s.minted.IsZero() {
		return <-written
	}
	select {
	case err := <-written:
		return err
	case <-time.After(logWait):
		s.log.Warn("the output did not take the notice in time")
		return nil
	}
}
