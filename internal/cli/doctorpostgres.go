package cli

import (
	"context"
	"errors"
	"time"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
)

// postgres looks at a database that several nodes may share.
func (d *doctor) postgres(ctx context.Context, cfg config.Config) {
	driver, err := postgres.Open(ctx, cfg.Postgres.Reveal(), postgres.Options{Connections: 2, PasswordFile: cfg.DatabasePasswordFile})
	if err != nil {
		d.fail("database", "%s: %s", cfg.Database, oneLine(err))
		return
	}
	defer driver.Close()
	d.primary(ctx, cfg, driver)
	for _, f := range driver.Findings(ctx) {
		if f.Fails {
			d.fail("database", "%s", f.Text)
		} else {
			d.warn("database", "%s", f.Text)
		}
	}
	d.bell(ctx, driver)
	d.ok("backup", "not Keyward's affair here: see to pg_dump, or pg_basebackup and an archive of the write-ahead log")
	at, newest, err := driver.Version(ctx)
	switch {
	case err != nil:
		d.fail("database", "%s", err)
	case at == 0:
		d.ok("database", "there is nothing in it yet: the first start fills it")
	case at > newest: // the driver itself knows whether it can work beside that
		d.warn("database", "has version %d, and this program knows up to %d: it was upgraded, so replace this program soon", at, newest)
		d.contents(ctx, cfg)
	default:
		d.version(ctx, cfg, at, newest)
	}
	if err := driver.Servable(ctx); err != nil {
		d.fail("database", "%s", err)
	}
}

// primary asks who answers and what time it is there.
func (d *doctor) primary(ctx context.Context, cfg config.Config, driver *postgres.Driver) {
	start := time.Now()
	var server store.Server
	err := driver.Read(ctx, func(q store.SQL) (err error) {
		server, err = driver.Server(ctx, q)
		return err
	})
	if err != nil {
		d.fail("database", "%s: %s", cfg.Database, err)
		return
	}
	took := time.Since(start)
	d.ok("database", "%s is the primary, and answers within %s", cfg.Database, took.Round(time.Millisecond))
	if skew := start.Add(took / 2).Sub(server.Now).Abs(); skew > 2*time.Second {
		d.fail("clock", "this machine's and the database's differ by %s: set them right, keys expire by them", skew.Round(time.Second))
	}
}

// bell tells whether changes of other nodes are told of at once.
func (d *doctor) bell(ctx context.Context, driver *postgres.Driver) {
	listening, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	heard := false
	err := driver.Listen(listening, func() { heard = true; cancel() })
	switch {
	case heard:
		d.ok("feed", "nodes hear of each other's changes at once")
	case errors.Is(err, postgres.ErrPooled):
		d.ok("feed", "%s", err)
	default:
		d.warn("feed", "nobody can listen for changes, which are looked for at intervals then: %s", err)
	}
}
