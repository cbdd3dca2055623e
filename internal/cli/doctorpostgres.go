package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
)

// postgres looks at a database that several nodes may share.
func (d *examination) postgres(ctx context.Context, cfg config.Config) {
	driver, err := postgres.Open(
		ctx, cfg.Postgres.Reveal(), postgres.Options{Connections: 2, PasswordFile: cfg.DatabasePasswordFile},
	)
	if err != nil {
		d.fail(
			"database", cfg.Database+": "+oneLine(err), "nothing can be read or changed",
			todo(err),
		)
		return
	}
	defer driver.Close()
	d.primary(ctx, cfg, driver)
	for _, f := range driver.Findings(ctx) {
		if f.Fails {
			d.fail("database", f.Text, "what was acknowledged may be lost", "set it on")
		} else {
			d.warn("database", f.Text, "", "")
		}
	}
	d.bell(ctx, driver)
	d.ok("backup", "not Keyward's affair here: see to pg_dump, or pg_basebackup and an archive of the write-ahead log")
	at, newest, err := driver.Version(ctx)
	switch {
	case err != nil:
		d.fail("database", err.Error(), noStart, todo(err))
	case at == 0:
		if err := driver.Fresh(ctx); err != nil {
			d.fail("database", err.Error(), noStart, todo(err))
			return
		}
		d.ok("database", "there is nothing in it yet: the first start fills it")
	case at > newest: // the driver itself knows whether it can work beside that
		d.warn(
			"database", fmt.Sprintf("has version %d, and this program knows up to %d", at, newest), "it was upgraded",
			"replace this program soon",
		)
		d.contents(ctx, cfg)
	default:
		d.version(ctx, cfg, at, newest)
	}
	if err := driver.Servable(ctx); err != nil {
		d.fail("database", err.Error(), noStart, todo(err))
	}
}

// todo is the remedy for an error of a database.
func todo(err error) string { return cmp.Or(postgres.Remedy(err), "see the error") }

// primary identifies the server and reads its time.
func (d *examination) primary(ctx context.Context, cfg config.Config, driver *postgres.Driver) {
	start := time.Now()
	var server store.Server
	err := driver.Read(ctx, func(q store.SQL) (err error) {
		server, err = driver.Server(ctx, q)
		return err
	})
	if err != nil {
		d.fail("database", cfg.Database+": "+err.Error(), "nothing can be read or changed", todo(err))
		return
	}
	took := time.Since(start)
	d.ok("database", "%s is the primary, and answers within %s", cfg.Database, took.Round(time.Millisecond))
	if skew := start.Add(took / 2).Sub(server.Now).Abs(); skew > 2*time.Second {
		d.fail(
			"clock", fmt.Sprintf("this machine's and the database's differ by %s", skew.Round(time.Second)),
			"keys expire by them", "set them right, with chrony or systemd-timesyncd",
		)
	}
}

// bell tells whether changes of other nodes are told of at once.
func (d *examination) bell(ctx context.Context, driver *postgres.Driver) {
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
		d.warn(
			"feed", "nobody can listen for changes: "+err.Error(),
			"a revocation is known at other nodes within 500 ms instead of at once",
			"with a pooler in between that is so; else look at the error",
		)
	}
}

// nodes compares the settings here with those that all nodes must have alike.
func (d *examination) nodes(ctx context.Context, cfg config.Config, db *opened) {
	digester, err := cfg.Digester()
	if err != nil {
		return // the settings were looked at before
	}
	nodes, now, _, err := db.Nodes(ctx)
	if err != nil {
		d.fail("nodes", err.Error(), "whether the nodes are alike is not known", todo(err))
		return
	}
	own, live := db.Describe(cfg.RootKey, digester), 0
	before := d.failed
	for _, n := range nodes {
		if now.Sub(n.Seen) > n.Silence() {
			continue
		}
		live++
		if differs := own.Differs(&n.Alike); len(differs) > 0 {
			d.fail(
				"nodes",
				fmt.Sprintf("the node at %s has another %s than the settings here", n.Address, strings.Join(differs, ", ")),
				"a key that one node takes may be unknown to the other, or may do something else there",
				"give all nodes the same KEYWARD_ROOT_KEY, KEYWARD_CATALOGUE and KEYWARD_PEPPER, and restart those that had others",
			)
		}
		if n.Lacks != "" {
			d.fail(
				"nodes", fmt.Sprintf("the node at %s lacks a pepper: %s", n.Address, n.Lacks), "it answers that it is not ready",
				"add it there and restart the node",
			)
		}
	}
	if d.failed == before && live > 0 {
		d.ok("nodes", "%d are alive, and have the same root key, catalogue and pepper as the settings here", live)
	}
}
