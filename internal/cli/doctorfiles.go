package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/keyward/keyward/internal/cataloguefile"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/database"
	"github.com/keyward/keyward/internal/store/sqlite"
)

func (d *examination) settings(cfg config.Config) {
	d.ok("settings", "every value can be used")
	for _, name := range cfg.Unknown {
		d.warn("settings", name+" looks like a setting and is none", "it changes nothing", "correct its name or take it out")
	}
	if cfg.Pepper.IsZero() {
		d.warn("settings", "there is no KEYWARD_PEPPER", "somebody who can write to the database could plant a key",
			"make one with `openssl rand -base64 32`, and put the word none into KEYWARD_PEPPER_PREVIOUS")
	}
	if cfg.Insecure && !cfg.TLS() {
		d.warn(
			"settings", "plain HTTP is admitted at "+cfg.Addr, "keys travel in requests",
			"see to it that a proxy in front speaks TLS",
		)
	}
}

func (d *examination) catalogue(cfg config.Config) {
	c, err := catalogueOf(cfg)
	if err != nil {
		d.fail("catalogue", err.Error(), noStart, "correct the file: keyward catalogue check FILE")
		return
	}
	if missing := cataloguefile.Missing(c); len(missing) > 0 {
		d.warn(
			"catalogue", fmt.Sprintf("lacks permissions of Keyward's own operations: %v", missing),
			"only service keys can do these", "add them",
		)
		return
	}
	d.ok("catalogue", "%d permissions", c.Len())
}

func (d *examination) clock(now time.Time) {
	if now.Year() < 2026 {
		d.fail("clock", "it is "+now.UTC().Format(time.RFC3339), "keys expire by it", "set the clock")
		return
	}
	d.ok("clock", "%s", now.UTC().Format(time.RFC3339))
}

// files checks who may read the files. Settings that must be private are refused by config already.
func (d *examination) files(cfg config.Config) {
	dir := filepath.Dir(cfg.Database)
	if info, err := os.Stat(dir); err != nil {
		d.fail("files", err.Error(), noStart, "make the directory")
	} else if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		d.fail("files", "everybody can replace files in "+dir, "another database could be put in the place of this one",
			"chmod o-w "+dir)
	}
	info, err := os.Stat(cfg.Database)
	switch {
	case err != nil:
		return
	case info.Mode().Perm()&0o077 != 0:
		d.warn(
			"files", fmt.Sprintf("%s has mode %04o", cfg.Database, info.Mode().Perm()), "digests, names and the log stand in it",
			"chmod 600 "+cfg.Database+", unless the group is meant to read it",
		)
	default:
		d.ok("files", "%s is for its owner alone", cfg.Database)
	}
}

func (d *examination) database(ctx context.Context, cfg config.Config) {
	if err := sqlite.Startable(cfg.Database); err != nil {
		d.fail("database", err.Error(), noStart, "see \"The database's file\" of the page for operators")
		return
	}
	if _, err := os.Stat(cfg.Database); errors.Is(err, fs.ErrNotExist) {
		d.ok("database", "%s is not there yet: the first start makes it", cfg.Database)
		return
	}
	d.serving(cfg.Database)
	driver, err := sqlite.Open(cfg.Database, sqlite.Options{})
	if err != nil {
		d.fail("database", err.Error(), noStart, "put the database back, or restore a backup")
		return
	}
	err = driver.Check(ctx)
	at, newest, versionErr := driver.Version(ctx)
	moving, movingErr := driver.Moving(ctx)
	if err := errors.Join(err, versionErr, movingErr, driver.Close()); err != nil {
		d.fail("database", err.Error(), "what it holds cannot be relied upon", "restore a backup, see keyward restore --help")
		return
	}
	d.ok("database", "%s is sound", cfg.Database)
	switch {
	case moving.Gone:
		d.fail("database", "it was moved to "+moving.To, "what is revoked there is not known here", "serve that one")
	case moving.To != "":
		d.fail("database", "it is being moved to "+moving.To, "it takes no changes meanwhile",
			"if nobody is doing that, run keyward migrate-store again, or with --abort")
	}
	d.version(ctx, cfg, at, newest)
}

// version compares the database's version with this program's.
func (d *examination) version(ctx context.Context, cfg config.Config, at, newest int) {
	switch {
	case at > newest:
		d.fail(
			"database", fmt.Sprintf("has version %d, and this program knows only up to %d", at, newest), noStart,
			"use a newer program",
		)
	case at < newest:
		d.warn(
			"database", fmt.Sprintf("has version %d, and the next start brings it to %d", at, newest),
			"an older program does not serve it then", "make a backup before",
		)
	default:
		d.contents(ctx, cfg)
	}
}

func (d *examination) serving(path string) {
	served, err := sqlite.Served(path)
	switch {
	case err != nil:
		d.fail("server", err.Error(), "whether a server is running is not known", "see who may open the file")
	case served:
		d.ok("server", "a process serves %s", path)
	default:
		d.ok("server", "no process serves %s", path)
	}
}

// contents looks into a database of this version.
func (d *examination) contents(ctx context.Context, cfg config.Config) {
	db, err := open(ctx, cfg, false)
	if err != nil {
		d.fail("database", err.Error(), "it cannot be looked into", todo(err))
		return
	}
	defer db.Close()
	if events, err := db.VerifyLog(ctx); err != nil {
		d.fail("log", err.Error(), "somebody or something changed it", "compare it with a backup")
	} else {
		d.ok("log", "%d events, each as it was written", events)
	}
	switch strange, err := db.strangePeppers(ctx, cfg); {
	case err != nil:
		d.fail("peppers", err.Error(), "whether every key can be recognised is not known", "see the error")
	case len(strange) > 0:
		d.fail("peppers", fmt.Sprintf("keys were made under %v, which are not configured", strange), noStart,
			"set KEYWARD_PEPPER and KEYWARD_PEPPER_PREVIOUS")
	default:
		d.ok("peppers", "every one in use is configured")
	}
	if database.OnServer(&cfg) {
		d.nodes(ctx, cfg, db)
	}
	switch t := db.Time(); {
	case t.Behind > 0:
		d.fail(
			"clock",
			fmt.Sprintf(
				"says %s, and the database has seen a time %s later", instantOf(db.Reference()), t.Behind.Round(time.Second),
			),
			"keys stay expired by that",
			"if the clock is wrong, set it; if it is right, `keyward time reset` releases what a wrong clock left behind",
		)
	case t.Ahead > 0:
		d.ok(
			"clock",
			"is %s ahead of the time that the database has seen, as after a pause; nothing is removed until it has been run with "+
				"for another %s",
			t.Ahead.Round(time.Second),
			t.Left.Round(time.Second),
		)
	}
}
