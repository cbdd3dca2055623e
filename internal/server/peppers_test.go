package server_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/server"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// T23: the pepper is changed across two nodes. One that has the new pepper among its previous ones goes on; one that
// was left out says that it is not ready and which setting is wrong, instead of answering that keys of the other node
// are not there.
func TestT23APepperIsChangedAcrossTwoNodes(t *testing.T) {
	t.Parallel()
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	old := config.Default()
	old.Addr, old.Pepper = "127.0.0.1:0", keyfmt.NewSecret("the old pepper")
	if old.RootKey, err = format.Mint(rand.Reader, keyfmt.Service); err != nil {
		t.Fatal(err)
	}
	old.Postgres = keyfmt.NewSecret(pgtest.Database(t))
	told, swapped := old, old
	told.PepperPrevious = []keyfmt.Secret{keyfmt.NewSecret("the new pepper")}
	swapped.Pepper, swapped.PepperPrevious = keyfmt.NewSecret("the new pepper"), []keyfmt.Secret{
		keyfmt.NewSecret("the old pepper"),
	}

	leftOut, stopLeftOut := start(t, old, server.Options{})
	prepared, _ := start(t, told, server.Options{})
	root := old.RootKey.Reveal()
	ca := client(t, leftOut, root)
	ws, err := ca.CreateWorkspace(
		t.Context(),
		keyward.CreateWorkspaceRequest{Name: "W", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	make := func(c *keyward.Client) keyward.CreatedKey {
		k, err := c.CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: ws.ID, UserID: "ada", Name: "k"})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	before := make(ca)
	ahead, _ := start(t, swapped, server.Options{})
	cs, cp := client(t, ahead, root), client(t, prepared, root)
	after := make(cs)

	for name, c := range map[string]*keyward.Client{"the node that went ahead": cs, "the prepared node": cp} {
		for which, k := range map[string]keyward.CreatedKey{"before": before, "after": after} {
			until(t, name+" verifies the key from "+which, func() bool { return verdictOf(t, c, k.Key) == "VALID" })
		}
	}
	until(t, "the node that was left out is not ready", func() bool { return ca.Ready(t.Context()) != nil })
	if status, body := get(t, leftOut.URL()+"/readyz"); status != 503 ||
		!strings.Contains(body, "KEYWARD_PEPPER_PREVIOUS") {
		t.Errorf("it answers %d, %s", status, body)
	}
	until(t, "another node shows what it lacks", func() bool {
		nodes, err := cp.ListNodes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range nodes {
			if (n.Lacks != nil) != (n.Address == leftOut.URL()) {
				return false
			}
		}
		return len(nodes) == 3
	})
	if verdictOf(t, ca, before.Key) != "VALID" {
		t.Error("it refuses a key that it knows")
	}
	if err := cp.Ready(t.Context()); err != nil {
		t.Errorf("the prepared node: %v", err)
	}
	if err := stopLeftOut(); err != nil {
		t.Error(err)
	}
	again, _ := start(t, told, server.Options{})
	if got := verdictOf(t, client(t, again, root), after.Key); got != "VALID" {
		t.Errorf("after a restart with the pepper: %s", got)
	}
}
