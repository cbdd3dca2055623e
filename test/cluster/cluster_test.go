// Package cluster_test runs several nodes of the real binary over a real PostgreSQL with a standby and a real Redis,
// injects a seeded schedule of faults while clients work, records every call, and compares the history with the
// promises.
package cluster_test

import (
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"syscall"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

var binary string

func TestMain(m *testing.M) {
	built, remove, err := rig.Build()
	if err != nil {
		log.Fatal(err)
	}
	binary = built
	code := pgtest.Main(m)
	remove()
	os.Exit(code)
}

// cluster is an installation of several nodes.
type cluster struct {
	t        testing.TB
	postgres *pgtest.Server
	standby  *pgtest.Server
	database string
	redis    *rig.Redis
	root     string
	nodes    []*node
}

// start brings an installation up. Commits wait for the standby, so that a failover loses none that was acknowledged.
func start(t testing.TB, nodes int) *cluster {
	t.Helper()
	c := on(t, pgtest.Own(t, "synchronous_commit=on", "wal_receiver_status_interval=1s", "hot_standby_feedback=off"))
	c.standby = c.postgres.Standby(t)
	c.postgres.Run(t, "postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
	c.postgres.Run(t, "postgres", "SELECT pg_reload_conf()")
	c.add(nodes)
	return c
}

// on is an installation without nodes.
func on(t testing.TB, postgres *pgtest.Server) *cluster {
	t.Helper()
	c := &cluster{t: t, root: newRoot(t), database: "keyward", redis: rig.StartRedis(t), postgres: postgres}
	c.postgres.Run(t, "postgres", "CREATE DATABASE "+c.database+" TEMPLATE template0")
	return c
}

// add starts nodes, all at once.
func (c *cluster) add(nodes int) {
	c.t.Helper()
	for i := range nodes {
		c.nodes = append(c.nodes, c.newNode(i))
	}
	for _, n := range c.nodes {
		n.start()
	}
	for _, n := range c.nodes {
		n.ready()
	}
}

func newRoot(t testing.TB) string {
	t.Helper()
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	root, err := format.Mint(rand.Reader, keyfmt.Service)
	if err != nil {
		t.Fatal(err)
	}
	return root.Reveal()
}

func (c *cluster) primary() string { return fmt.Sprintf("127.0.0.1:%d", c.postgres.Port) }

// restartDatabase lets PostgreSQL fall and start again.
func (c *cluster) restartDatabase() {
	c.t.Helper()
	c.postgres.Down(syscall.SIGQUIT)
	if err := c.postgres.Up(); err != nil {
		c.t.Fatal(err)
	}
}

// failover lets the primary fall for good and puts the standby in its place, as an address that moves does.
func (c *cluster) failover() {
	c.t.Helper()
	c.postgres.Down(syscall.SIGQUIT)
	c.standby.Promote(c.t)
	c.postgres = c.standby
	for _, n := range c.nodes {
		n.database.Lead(c.primary())
	}
}

// workspace makes a workspace with one member who holds all permissions.
func (c *cluster) workspace(name string) string {
	c.t.Helper()
	w, err := c.nodes[0].client.CreateWorkspace(c.t.Context(), keyward.CreateWorkspaceRequest{
		Name: name, Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return w.ID
}
