package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/keyward/keyward/internal/cataloguefile"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/store/sqlite"
)

type doctorCmd struct{ serverFlags }

func (doctorCmd) Help() string {
	return `Changes nothing, and works beside a running server. Each line says ok, warn or fail, and what to do. Ends with status 1 where
something fails.

Example:
  keyward doctor --config /etc/keyward.yaml`
}

// doctor counts what it finds.
type doctor struct {
	out    io.Writer
	failed int
}

func (d *doctor) report(how, mark, what, format string, args ...any) {
	fmt.Fprintf(d.out, "%s  %-11s %s\n", paint(d.out, how, mark), what, visible(fmt.Sprintf(format, args...)))
}

func (d *doctor) ok(what, format string, args ...any) { d.report(green, "ok  ", what, format, args...) }

func (d *doctor) warn(what, format string, args ...any) {
	d.report(yellow, "warn", what, format, args...)
}

func (d *doctor) fail(what, format string, args ...any) {
	d.failed++
	d.report(red, "fail", what, format, args...)
}

// Run examines an installation.
func (c *doctorCmd) Run(ctx context.Context, a *app) error {
	d := &doctor{out: a.Out}
	cfg, err := c.load()
	if err != nil {
		d.fail("settings", "%s", oneLine(err))
		return status(exitFailure)
	}
	d.settings(cfg)
	d.catalogue(cfg)
	d.clock(time.Now())
	if cfg.Postgres.IsZero() {
		d.files(cfg)
		d.database(ctx, cfg)
	} else {
		d.postgres(ctx, cfg)
	}
	if d.failed > 0 {
		return status(exitFailure)
	}
	return nil
}

func (d *doctor) settings(cfg config.Config) {
	d.ok("settings", "every value can be used")
	for _, name := range cfg.Unknown {
		d.warn("settings", "%s looks like a setting and is none: correct its name or take it out", name)
	}
	if cfg.Pepper.IsZero() {
		d.warn("settings", "there is no KEYWARD_PEPPER: somebody who can write to the database could plant a key; "+
			"make one with `openssl rand -base64 32`, and put the word none into KEYWARD_PEPPER_PREVIOUS")
	}
	if cfg.Insecure && !cfg.TLS() {
		d.warn("settings", "plain HTTP is admitted at %s: see to it that a proxy in front speaks TLS", cfg.Addr)
	}
}

func (d *doctor) catalogue(cfg config.Config) {
	c, err := catalogueOf(cfg)
	if err != nil {
		d.fail("catalogue", "%s", err)
		return
	}
	if missing := cataloguefile.Missing(c); len(missing) > 0 {
		d.warn("catalogue", "lacks permissions of Keyward's own operations, which only service keys can do then: %v", missing)
		return
	}
	d.ok("catalogue", "%d permissions", c.Len())
}

func (d *doctor) clock(now time.Time) {
	if now.Year() < 2026 {
		d.fail("clock", "it is %s: set the clock, keys expire by it", now.UTC().Format(time.RFC3339))
		return
	}
	d.ok("clock", "%s", now.UTC().Format(time.RFC3339))
}

// files looks at who may read what. Settings that nobody should see are refused by config already.
func (d *doctor) files(cfg config.Config) {
	dir := filepath.Dir(cfg.Database)
	if info, err := os.Stat(dir); err != nil {
		d.fail("files", "%s: make the directory", err)
	} else if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		d.fail("files", "everybody can replace files in %s: chmod o-w %s", dir, dir)
	}
	info, err := os.Stat(cfg.Database)
	switch {
	case err != nil:
		return
	case info.Mode().Perm()&0o077 != 0:
		d.warn("files", "%s has mode %04o: chmod 600 %s, unless the group is meant to read it", cfg.Database, info.Mode().Perm(), cfg.Database)
	default:
		d.ok("files", "%s is for its owner alone", cfg.Database)
	}
}

func (d *doctor) database(ctx context.Context, cfg config.Config) {
	if err := sqlite.Startable(cfg.Database); err != nil {
		d.fail("database", "%s", err)
		return
	}
	if _, err := os.Stat(cfg.Database); errors.Is(err, fs.ErrNotExist) {
		d.ok("database", "%s is not there yet: the first start makes it", cfg.Database)
		return
	}
	d.serving(cfg.Database)
	driver, err := sqlite.Open(cfg.Database, sqlite.Options{})
	if err != nil {
		d.fail("database", "%s", err)
		return
	}
	err = driver.Check(ctx)
	at, newest, versionErr := driver.Version(ctx)
	moving, movingErr := driver.Moving(ctx)
	if err := errors.Join(err, versionErr, movingErr, driver.Close()); err != nil {
		d.fail("database", "%s: restore a backup, see keyward restore --help", err)
		return
	}
	d.ok("database", "%s is sound", cfg.Database)
	switch {
	case moving.Gone:
		d.fail("database", "it was moved to %s: serve that one", moving.To)
	case moving.To != "":
		d.fail("database", "it takes no changes while it is moved to %s: if nobody is doing that, run keyward migrate-store again, "+
			"or with --abort", moving.To)
	}
	d.version(ctx, cfg, at, newest)
}

// version compares what the database has with what this program knows.
func (d *doctor) version(ctx context.Context, cfg config.Config, at, newest int) {
	switch {
	case at > newest:
		d.fail("database", "has version %d, and this program knows only up to %d: use a newer program", at, newest)
	case at < newest:
		d.warn("database", "has version %d, and the next start brings it to %d: make a backup before", at, newest)
	default:
		d.contents(ctx, cfg)
	}
}

func (d *doctor) serving(path string) {
	held, err := sqlite.Lock(path)
	switch {
	case errors.Is(err, sqlite.ErrLocked):
		d.ok("server", "a process serves %s", path)
	case err != nil:
		d.fail("server", "%s", err)
	default:
		_ = held.Close()
		d.ok("server", "no process serves %s", path)
	}
}

// contents looks into a database of this version.
func (d *doctor) contents(ctx context.Context, cfg config.Config) {
	db, err := open(ctx, cfg.Database, cfg)
	if err != nil {
		d.fail("database", "%s", err)
		return
	}
	defer db.Close()
	if events, err := db.VerifyLog(ctx); err != nil {
		d.fail("log", "%s: somebody or something changed it; compare it with a backup", err)
	} else {
		d.ok("log", "%d events, each as it was written", events)
	}
	switch strange, err := db.strangePeppers(ctx, cfg); {
	case err != nil:
		d.fail("peppers", "%s", err)
	case len(strange) > 0:
		d.fail("peppers", "keys were made under %v, which are not configured: set KEYWARD_PEPPER and KEYWARD_PEPPER_PREVIOUS", strange)
	default:
		d.ok("peppers", "every one in use is configured")
	}
	switch t := db.Time(); {
	case t.Behind > 0:
		d.fail("clock", "says %s, and the database has seen a time %s later, by which keys stay expired: if the clock is wrong, set it; "+
			"if it is right, `keyward time reset` releases what a wrong clock left behind", instantOf(db.Reference()), t.Behind.Round(time.Second))
	case t.Ahead > 0:
		d.ok("clock", "is %s ahead of the time that the database has seen, as after a pause; nothing is removed until it has been run with "+
			"for another %s", t.Ahead.Round(time.Second), t.Left.Round(time.Second))
	}
}
