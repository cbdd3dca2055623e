// Package database opens the database that the settings name, a file of SQLite or a PostgreSQL server.
package database

import (
	"context"
	"fmt"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// Driver is a database of either kind.
type Driver interface {
	store.Driver
	// Version tells the newest migration that the database has, 0 for none, and the newest that this program knows.
	Version(context.Context) (at, newest int, err error)
	// Servable refuses a database that a move fills or has left.
	Servable(context.Context) error
}

// Options say how a database is opened.
type Options struct {
	Lock        bool // as the only program on a file; PostgreSQL needs none
	Init        bool // a new file also where parts of another installation lie
	existing    bool
	Connections int32 // to PostgreSQL, 0 for as many as a server needs
}

// Open opens the database of cfg. It changes no schema.
func Open(ctx context.Context, cfg *config.Config, o Options) (Driver, error) {
	if !OnServer(cfg) {
		return sqlite.Open(cfg.Database, sqlite.Options{Lock: o.Lock, Init: o.Init, Existing: o.existing})
	}
	return postgres.Open(ctx, cfg.Postgres.Reveal(),
		postgres.Options{Connections: o.Connections, PasswordFile: cfg.DatabasePasswordFile})
}

// OpenCurrent is Open for work on a database that has this program's version already: a server, `keyward migrate` and
// a restore bring one up to date, and nothing else does.
func OpenCurrent(ctx context.Context, cfg *config.Config, o Options) (Driver, error) {
	o.existing = true
	d, err := Open(ctx, cfg, o)
	if err != nil {
		return nil, err
	}
	at, newest, err := d.Version(ctx)
	if err == nil && at == 0 && OnServer(cfg) {
		err = fmt.Errorf("there is no installation in the database %s: name the one that is meant, and its ?schema= "+
			"(KEYWARD_DATABASE_URL or --database-url), or make one: keyward migrate, or start a server", cfg.Database)
	} else if err == nil && at < newest {
		err = fmt.Errorf("the database %s has version %d and this program wants %d: keyward migrate, or start a server",
			cfg.Database, at, newest)
	}
	if err != nil {
		_ = d.Close() // nothing was written
		return nil, err
	}
	return d, nil
}

// OnServer reports whether the database is a PostgreSQL server's.
func OnServer(cfg *config.Config) bool { return !cfg.Postgres.IsZero() }
