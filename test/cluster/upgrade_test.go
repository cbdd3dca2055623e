package cluster_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store/postgres"
)

// nextRelease builds the program as its next release may be: it knows one step of the schema more, beside which this
// one can work.
func nextRelease(t *testing.T, url string) string {
	t.Helper()
	d, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, newest, err := d.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	migrations, err := filepath.Abs("../../internal/store/postgres/migrations")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script, overlay := filepath.Join(dir, "next.sql"), filepath.Join(dir, "overlay.json")
	steps := fmt.Sprintf("-- oldest: %d\nALTER TABLE api_keys ADD COLUMN next_note text NOT NULL DEFAULT '';\n"+
		"ALTER TABLE events ADD COLUMN next_note text;\nCREATE TABLE next_things (id text PRIMARY KEY);\n"+
		"CREATE INDEX next_by_note ON api_keys (next_note);\n", newest)
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(migrations, fmt.Sprintf("%04d_next.sql", newest+1)): script,
	}})
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{script: steps, overlay: string(replace)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	next, remove, err := rig.Build("-overlay", overlay, "-ldflags", "-X main.version=next")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	return next
}

// Nodes are replaced one by one by those of the next release, and then by those of this one again, while clients work.
func TestT91TwoReleasesServeOneDatabaseWhileNodesAreReplaced(t *testing.T) {
	n := seed(t)
	c := start(t, 3)
	next := nextRelease(t, "postgres://postgres@"+c.primary()+"/"+c.database+"?sslmode=disable")
	l := c.begin(n, c.workspace("Acme"), 12)
	for _, release := range []string{next, binary} {
		for _, n := range c.nodes {
			time.Sleep(either(20*time.Second, time.Second))
			n.stop()
			n.binary = release
			n.start()
			n.ready()
		}
		if got, want := c.next(), map[string]int{next: len(c.nodes)}[release]; got != want {
			t.Errorf("%d nodes are of the next release, want %d", got, want)
		}
	}
	c.postgres.Run(t, c.database, "SELECT next_note FROM api_keys") // the step stays
	time.Sleep(time.Second)
	l.end()
	for _, wrong := range l.h.stale(staleness) {
		t.Error(wrong)
	}
	l.settled(t)
	l.within(t, 1)
}

// stop ends the node in order.
func (n *node) stop() {
	n.t.Helper()
	n.process.Signal(syscall.SIGTERM)
	rig.WaitFor(n.t, n.name+" to stop", func() error {
		select {
		case <-n.process.Done():
			return nil
		default:
			return fmt.Errorf("it runs")
		}
	})
}

// next counts the nodes that say they are of the next release.
func (c *cluster) next() (n int) {
	c.t.Helper()
	nodes, err := c.nodes[0].client.ListNodes(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, node := range nodes {
		if node.Version == "next" {
			n++
		}
	}
	return n
}
