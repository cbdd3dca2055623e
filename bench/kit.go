package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/keyward/keyward/internal/clock"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
	"github.com/keyward/keyward/internal/verify"
)

var noAddress netip.Addr

// kit is a whole installation without its HTTP door.
type kit struct {
	db      *store.DB
	control *control.Service
	engine  *verify.Engine
	replica *replica.Replica
	root    control.Caller
	open    time.Duration // from opening the file to ready
}

func open(ctx context.Context, dir string) (*kit, error) {
	start := time.Now()
	driver, err := sqlite.Open(filepath.Join(dir, "bench.db"), sqlite.Options{Lock: true})
	if err != nil {
		return nil, err
	}
	k, err := openOn(ctx, driver)
	if k != nil {
		k.open = time.Since(start)
	}
	return k, err
}

// openOn opens an installation on a database.
func openOn(ctx context.Context, driver store.Driver) (*kit, error) {
	catalogue, clk := perm.Builtin(), clock.New(time.Now)
	db, err := store.Open(ctx, driver, store.Options{Now: clk.Now, Catalogue: catalogue})
	if err != nil {
		return nil, err
	}
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		return nil, err
	}
	digester, err := keyfmt.NewDigester("")
	if err != nil {
		return nil, err
	}
	r := replica.New()
	db.Subscribe(r.Apply)
	if err := r.Load(func(tell func(feed.Change) error) error { return db.LoadAll(ctx, tell) }); err != nil {
		return nil, err
	}
	r.MarkReady()
	k := &kit{
		db: db, replica: r, engine: verify.New(verify.Config{Replica: r, Format: format, Digests: digester, Now: clk.Now}),
	}
	k.control = control.New(control.Config{DB: db, Catalogue: catalogue, Format: format, Digester: digester,
		IDs: id.NewGenerator(clk.Now, rand.Reader), Rand: rand.Reader, Now: time.Now})
	return k, k.findRoot(ctx, format)
}

// findRoot makes the installation's root key known to it and acts as it from then on.
func (k *kit) findRoot(ctx context.Context, format keyfmt.Format) error {
	secret, err := format.Mint(rand.Reader, keyfmt.Service)
	if err != nil {
		return err
	}
	if _, err := k.control.EnsureRoot(ctx, secret); err != nil {
		return err
	}
	var p verify.Principal
	code := k.engine.Authenticate(secret.Reveal(), noAddress, &p)
	if code != verify.Valid {
		return fmt.Errorf("the root key is %s", code)
	}
	k.root = control.Caller{ServiceKey: p.Service.ID, Presented: p.Presented}
	return nil
}

// catalogueNames lists every permission.
func catalogueNames() []string { c := perm.Builtin(); return c.Names(c.All()) }

// workspace makes a workspace owned by u-1.
func (k *kit) workspace(ctx context.Context, name string) (string, error) {
	ws, err := k.control.CreateWorkspace(ctx, k.root, control.CreateWorkspace{Name: name,
		Owner: control.Some(control.OwnerInput{User: "u-1", Email: "u-1@example.org"})})
	return string(ws.ID), err
}
