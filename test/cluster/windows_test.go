package cluster_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

// Without Redis each node has a minute of its own. Nodes that are stopped in order and started again go on with their
// own, not with each other's.
func TestEachNodeGoesOnWithItsOwnMinutesT38(t *testing.T) {
	t.Parallel()
	c := start(t, 2)
	for _, n := range c.nodes {
		for i, e := range n.env {
			if strings.HasPrefix(e, "KEYWARD_REDIS_URL=") {
				n.env[i] = "KEYWARD_LIMIT_MODE=leased" // the default: nothing is shared without Redis
			}
		}
	}
	restart := func() {
		t.Helper()
		for _, n := range c.nodes {
			n.process.Signal(syscall.SIGTERM)
		}
		for _, n := range c.nodes {
			<-n.process.Done()
			n.start()
		}
		for _, n := range c.nodes {
			n.ready()
		}
	}
	restart()
	ws := c.workspace("Acme")
	made, err := c.nodes[0].client.CreateKey(
		t.Context(),
		keyward.CreateKeyRequest{WorkspaceID: ws, UserID: "ada", Name: "k",
			RateLimit: keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(10)})},
	)
	if err != nil {
		t.Fatal(err)
	}
	spend := func(node, times int) (valid int) {
		t.Helper()
		for range times {
			v, err := c.nodes[node].client.Verify(t.Context(), keyward.VerifyRequest{Key: made.Key.Reveal()})
			if err != nil {
				t.Fatal(err)
			}
			if v.Valid {
				valid++
			}
		}
		return valid
	}
	rig.WaitFor(t, "the other node to know the key", func() error {
		zero := 0
		v, err := c.nodes[1].client.Verify(t.Context(), keyward.VerifyRequest{Key: made.Key.Reveal(), Cost: &zero})
		if err == nil && !v.Valid {
			err = errors.New(string(v.Code))
		}
		return err
	})
	if spend(0, 9) != 9 || spend(1, 4) != 4 {
		t.Fatal("a node refuses what is within its own limit")
	}
	restart()
	if a, b := spend(0, 12), spend(1, 12); a != 1 || b != 6 {
		t.Errorf("after the restart the nodes admit %d and %d more, want 1 and 6", a, b)
	}
}
