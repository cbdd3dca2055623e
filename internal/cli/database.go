package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/cataloguefile"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/database"
	"github.com/keyward/keyward/internal/logarchive"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
)

// databaseFlags say which database file a command is about, in the words of serve.
type databaseFlags struct {
	DatabaseURL *string `name:"database-url" placeholder:"URL" help:"sqlite:FILE, or postgres://USER@HOST/DATABASE. Default: sqlite:./keyward.db. [KEYWARD_DATABASE_URL]"`
	Config      *string `placeholder:"FILE" help:"The server's file of settings. [KEYWARD_CONFIG]"`
}

func (f *databaseFlags) load() (config.Config, error) {
	given := map[string]string{}
	if f.DatabaseURL != nil {
		given["database-url"] = *f.DatabaseURL
	}
	if f.Config != nil {
		given[config.ConfigFlag] = *f.Config
	}
	return loadWith(given)
}

// opened is a database that is open for a command.
type opened struct{ *store.DB }

// fileOnly refuses a command that is about a file.
func fileOnly(cfg config.Config, instead string) error {
	if !database.OnServer(&cfg) {
		return nil
	}
	return usageError(cfg.Database + " is a PostgreSQL database: " + instead)
}

// few is how many connections to PostgreSQL a command needs.
const few = 2

// open opens a database of this program's version. Only a server, migrate and restore bring one up to date.
func open(ctx context.Context, cfg config.Config, lock bool) (*opened, error) {
	d, err := database.OpenCurrent(ctx, &cfg, database.Options{Lock: lock, Connections: few})
	if err != nil {
		return nil, err
	}
	return openStore(ctx, d, cfg)
}

func openStore(ctx context.Context, d store.Driver, cfg config.Config) (*opened, error) {
	catalogue, err := catalogueOf(cfg)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	db, err := store.Open(ctx, d, store.Options{Now: time.Now, Catalogue: catalogue})
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &opened{db}, nil
}

func catalogueOf(cfg config.Config) (*perm.Catalogue, error) {
	if cfg.Catalogue == "" {
		return perm.Builtin(), nil
	}
	c, err := cataloguefile.Read(cfg.Catalogue)
	if err != nil {
		return nil, fmt.Errorf("KEYWARD_CATALOGUE: %w", err)
	}
	return c, nil
}

// lastEvent is the newest event of the log, and the zero value where there is none.
func (d *opened) lastEvent(ctx context.Context) (last audit.Event, err error) {
	err = d.View(ctx, func(v *store.View) error {
		events, err := v.Logs(store.LogFilter{All: true, Limit: 1})
		if len(events) > 0 {
			last = events[0]
		}
		return err
	})
	return last, err
}

// strangePeppers lists the peppers in use that the settings do not have.
func (d *opened) strangePeppers(ctx context.Context, cfg config.Config) (strange []string, err error) {
	digester, err := cfg.Digester()
	if err != nil {
		return nil, err
	}
	used, err := d.Peppers(ctx)
	for _, p := range used {
		if !digester.Knows(p) {
			strange = append(strange, string(p))
		}
	}
	return strange, err
}

type logsVerify struct {
	databaseFlags
	Archive []string `type:"existingfile" sep:"none" placeholder:"FILE" help:"An archive of the log, the oldest first; repeat it for each."`
}

// Run walks the log's chain of hashes.
func (c *logsVerify) Run(ctx context.Context, a *app) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	db, err := open(ctx, cfg, false)
	if err != nil {
		return err
	}
	defer db.Close()
	n, err := db.VerifyLog(ctx)
	if err != nil {
		return err
	}
	cuts, err := db.Cuts(ctx)
	if err != nil {
		return err
	}
	if len(c.Archive) > 0 {
		archived, err := logarchive.Verify(c.Archive, cuts)
		if err != nil {
			return err
		}
		n += archived
	} else if len(cuts) > 0 {
		fmt.Fprintf(a.Out, "events 1 to %d are in archives: name them with --archive to check them, too\n",
			cuts[len(cuts)-1].To)
	}
	_, err = fmt.Fprintf(a.Out, "%d events, each as it was written\n", n)
	return err
}

type migrateCmd struct {
	databaseFlags
	initFlag
}

func (migrateCmd) Help() string {
	return `A server does the same when it starts. Make a backup before: a database does not go back to an earlier version.

Example:
  keyward backup before.db && keyward migrate`
}

// Run brings the database up to date; a new one is made where there is none.
func (c *migrateCmd) Run(ctx context.Context, a *app) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	d, err := database.Open(ctx, &cfg, database.Options{Lock: true, Init: c.Init, Connections: few})
	if err != nil {
		return err
	}
	before, newest, err := d.Version(ctx)
	if err != nil {
		return errors.Join(err, d.Close())
	}
	db, err := openStore(ctx, d, cfg)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	if before == newest {
		fmt.Fprintf(a.Out, "%s has version %d already\n", cfg.Database, newest)
		return nil
	}
	fmt.Fprintf(a.Out, "%s: version %d, was %d\n", cfg.Database, newest, before)
	return nil
}
