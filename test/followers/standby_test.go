package followers_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

// The source fails over to a standby that lacks its latest changes: an older history under the same address. Followers
// load it anew, each of those of a chain, too, and after wait=all none says VALID of a key that it does not have.
func TestT34AFollowerOfASourceThatFailsOverToAnOlderStandbyLoadsAnew(t *testing.T) {
	t.Parallel()
	at := several(t, binary, true)
	token := at.service().Key.Reveal()
	kept, keptValue := at.key()
	off, offValue := at.key()
	at.disable(off, keyward.WaitAll())
	at.standby.CatchUp(t, at.postgres)
	at.standby.Pause(t) // what comes now never reaches it
	hub := at.follow(at.nodes[0].addr, token, "--feed")
	places := map[string]*process{
		"the hub": hub, "the last": at.follow(hub.addr, token), "of another node": at.follow(at.nodes[1].addr, token),
	}
	_, lostValue := at.key()
	_, err := at.client.UpdateKeys(t.Context(), []keyward.KeyUpdate{{ID: off, IsActive: keyward.Set(true)}},
		keyward.WaitAll())
	check(t, err)
	for name, p := range places {
		p.eventually(lostValue, keyward.VerdictValid, name+": a key that the standby lacks")
		p.eventually(offValue, keyward.VerdictValid, name+": a change that the standby lacks")
	}
	at.failover()
	at.ready()
	// Each node and each follower takes part in this change on the new history, or must have fenced itself.
	rig.WaitFor(t, "a change that is everywhere", func() error {
		done, err := at.client.UpdateKeys(t.Context(), []keyward.KeyUpdate{{ID: kept, IsActive: keyward.Set(false)}},
			keyward.WaitAll())
		if err != nil {
			return err
		}
		if done.Revocation == nil || done.Revocation.Effective != "everywhere" {
			return errors.New("it is not everywhere")
		}
		return nil
	})
	for name, p := range places {
		for what, value := range map[string]string{"a lost key": lostValue, "a lost change": offValue,
			"the new change": keptValue} {
			p.never(value, name+", "+what+", after wait=all")
		}
	}
	for name, p := range places {
		p.eventually(lostValue, keyward.VerdictNotFound, name+": a key of the other history")
		p.eventually(offValue, keyward.VerdictDisabled, name+": a change of the other history")
		p.eventually(keptValue, keyward.VerdictDisabled, name+": the new change")
	}
	for i, n := range at.nodes {
		n.eventually(lostValue, keyward.VerdictNotFound, "node "+strconv.Itoa(i))
	}
}
