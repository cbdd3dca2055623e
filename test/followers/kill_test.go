package followers_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

const limit = 2 * time.Second

// soaking runs the longer scenarios, too: make soak sets it.
var soaking = os.Getenv("KEYWARD_SOAK_FOLLOWERS") != ""

// places are those of a core's data.
func places() map[string]func(testing.TB) string {
	all := map[string]func(testing.TB) string{"sqlite": func(testing.TB) string { return "" }}
	if soaking {
		all["postgres"] = func(t testing.TB) string { return pgtest.Database(t) }
	}
	return all
}

// The follower does not hear of the change, and its core is killed between the change and wait=all: the core that comes
// back has to know from the database that there is a follower.
func TestT110ACoreThatWasKilledWaitsForTheFollowersThatHadJoined(t *testing.T) {
	t.Parallel()
	for name, place := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCore(t, place(t), limit)
			link := rig.NewLink(t, c.addr)
			token := c.service().Key.Reveal()
			f := c.follow(link.Addr, token)
			id, value := c.key()
			f.eventually(value, keyward.VerdictValid, "the new key")
			link.Cut()
			if r := c.disable(id); r.Effective != "pending" {
				t.Errorf("without waiting: %+v", r)
			}
			c.Kill()
			c.again()
			c.disable(id, keyward.WaitAll())
			f.never(value, "after wait=all, at a follower that heard nothing")
			link.Mend()
			f.eventually(value, keyward.VerdictDisabled, "the link is back")
			rig.WaitFor(t, "the follower to count", func() error {
				if r := c.disable(id, keyward.WaitAll()); r.Nodes.Pending > 0 || r.Nodes.Confirmed != 2 {
					return fmt.Errorf("%+v", r)
				}
				return nil
			})
		})
	}
}

// A follower that is bound to one workspace is cut off: changes in another one do not wait for it.
func TestT110AChangeDoesNotWaitForAFollowerOfAnotherWorkspace(t *testing.T) {
	t.Parallel()
	c := startCore(t, "", limit)
	link := rig.NewLink(t, c.addr)
	c.follow(link.Addr, c.service(c.workspace("Other")).Key.Reveal())
	id, _ := c.key()
	link.Cut()
	if r := c.disable(id); r.Effective != "everywhere" || r.Nodes.Pending != 0 || r.Nodes.Confirmed != 1 {
		t.Errorf("%+v", r)
	}
	list, err := c.client.ListFollowers(t.Context())
	if err != nil || len(list) != 1 || len(list[0].WorkspaceIDs) != 1 || list[0].NodeID == "" {
		t.Errorf("%+v, %v", list, err)
	}
}
