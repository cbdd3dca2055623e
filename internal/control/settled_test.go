package control_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/auditreplay"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// history is a random one of members who leave, come back and inherit, with rows that are written now and then, and
// nodes that end in between. Every key is asked of every reader after each step, and compared with the effect of the
// step alone.
type history struct {
	failer
	random *rand.Rand
	open   func() *settledNode
	nodes  []*settledNode
	ws     string
	users  []string
	keys   []id.Key
	now    map[id.Key]apikey.Key
	told   []string
	heir   string // of the latest transfer
	tries  map[string]int
	gone   []*undoable
}

var permissionsOfKeys = [][]string{
	{}, {"calls:read"}, {"calls:read", "calls:write"}, {"api-keys:read", "api-keys:write"}, {"members:invite"},
}

func (h *history) pick(list []string) string { return list[h.random.IntN(len(list))] }

func (h *history) node() *settledNode { return h.nodes[h.random.IntN(len(h.nodes))] }

// Fatalf tells the history, too.
func (h *history) Fatalf(format string, args ...any) {
	h.Helper()
	h.failer.Fatalf("%s\nafter:\n%s", fmt.Sprintf(format, args...), strings.Join(h.told, "\n"))
}

// look asks every node, and returns their common answer.
func (h *history) look() map[id.Key]apikey.Key {
	h.Helper()
	var first map[id.Key]apikey.Key
	for i, n := range h.nodes {
		got := n.readers(h, h.ws, h.users, h.keys)
		if i == 0 {
			first = got
		} else if diff := same(first, got); diff != "" {
			h.Fatalf("node %d is not as the first:\n%s", i, diff)
		}
	}
	return first
}

// step does one thing, and wants the keys to be what it makes of them.
func (h *history) step() {
	h.Helper()
	want := maps.Clone(h.now)
	what := h.random.IntN(14)
	if h.heir != "" && h.random.IntN(3) == 0 {
		what = 5 // before the rows of the transfer are written
	}
	switch n := h.node(); what {
	case 0, 1:
		h.make(n)
		return
	case 2, 3, 4:
		h.remove(n, want)
	case 5, 6, 7:
		h.add(n, want)
	case 8:
		h.change(n, want)
	case 12, 13:
		h.undo(n, want)
	case 9:
		i := h.random.IntN(len(h.nodes))
		h.told = append(h.told, fmt.Sprintf("node %d ends and begins again", i))
		h.nodes[i].close()
		h.nodes[i] = h.open()
	default:
		found, err := n.WriteChunk(context.Background())
		must(h, err)
		h.told = append(h.told, fmt.Sprintf("a row is written: %v", found))
	}
	got := h.look()
	if diff := same(want, got); diff != "" {
		h.Fatalf("the keys (-want +got):\n%s", diff)
	}
	h.now = got
}

// make makes a key for a user who is there.
func (h *history) make(n *settledNode) {
	h.Helper()
	user := h.pick(h.users)
	if !n.present(h.ws, user) || len(h.now) > 14 {
		return
	}
	made, err := n.CreateKey(
		context.Background(),
		n.root,
		control.CreateKey{Workspace: h.ws, User: user, Name: fmt.Sprint("k", len(h.keys)),
			Permissions: control.Some(permissionsOfKeys[h.random.IntN(len(permissionsOfKeys))])},
	)
	if codeOf(err) == "permission_escalation" {
		return
	}
	must(h, err)
	h.told = append(h.told, fmt.Sprintf("%s makes %s", user, made.Key.ID))
	h.keys = append(h.keys, made.Key.ID)
	h.now = h.look()
}

// holds is what a member holds, and whether there is one.
func (n *settledNode) holds(t failer, ws, user string) (set perm.Set, member bool) {
	t.Helper()
	m, err := n.GetMember(context.Background(), n.root, ws, user)
	if codeOf(err) == "not_found" {
		return set, false
	}
	must(t, err)
	return n.roles(t, ws)[m.RoleName].Permissions, true
}

// remove takes a member out, and does to every key of theirs what the removal says.
func (h *history) remove(n *settledNode, want map[id.Key]apikey.Key) {
	h.Helper()
	user, heir := h.pick(h.users), h.pick(h.users)
	in := control.RemoveMember{Keys: h.pick([]string{"stop", "keep", "transfer:" + heir}), DryRun: true}
	ways := h.overrides(n, user, &in)
	preview, refusal := n.RemoveMember(context.Background(), n.root, h.ws, user, in)
	holds, _ := n.holds(h, h.ws, heir)
	in.DryRun = false
	at := h.written(n)
	out, err := n.RemoveMember(context.Background(), n.root, h.ws, user, in)
	if codeOf(err) != codeOf(refusal) {
		h.Fatalf("the removal of %s with %s: %v, the preview: %v", user, in.Keys, err, refusal)
	}
	if err != nil {
		return
	}
	h.told = append(h.told, fmt.Sprintf("%s is removed with %s: %+v", user, in.Keys, out))
	h.tries[in.Keys[:4]]++
	if h.heir = ""; strings.HasPrefix(in.Keys, "transfer:") {
		h.heir = heir
	}
	preview.Keys = nil
	h.leaves(user, heir, in.Keys, out.Removal)
	out.Removal, out.Until = "", time.Time{}
	var count control.Removed
	count.User = id.User(user)
	h.narrow(n, want, at, user)
	for name, k := range want {
		if string(k.User) != user || at[name].User != k.User && h.lost(n, &k) {
			continue
		}
		way, holds := in.Keys, holds
		if o, alone := ways[name]; alone {
			way, holds = o.keys, o.holds
			h.tries["alone"]++
		}
		to, _ := strings.CutPrefix(way, "transfer:")
		switch {
		case way == "keep":
			k.Orphan = true
			count.Kept++
		case way == "stop" || k.Revoked || !k.Permissions.Within(holds):
			k.Orphan = false
			k.Disable(apikey.Mark{By: string(n.root.ServiceKey), Right: true})
			count.Stopped++
		default:
			k.User, k.Orphan = id.User(to), false
			count.Transferred++
		}
		want[name] = k
	}
	if fmt.Sprint(count) != fmt.Sprint(out) || fmt.Sprint(preview) != fmt.Sprint(out) {
		h.Fatalf("%s with %s: the removal counts %+v, the preview %+v, want %+v", user, in.Keys, out, preview, count)
	}
	h.tries["handed over"] += count.Transferred
	h.adoptTimes(want)
}

// alone is how one key of a removal is settled otherwise than the rest.
type alone struct {
	keys  string
	holds perm.Set // of the new owner
}

// overrides chooses otherwise for some keys of the one who leaves, in every second removal.
func (h *history) overrides(n *settledNode, user string, in *control.RemoveMember) map[id.Key]alone {
	h.Helper()
	out := map[id.Key]alone{}
	if h.random.IntN(2) == 0 {
		return out
	}
	for _, name := range h.keys {
		if k, there := h.now[name]; !there || string(k.User) != user || h.random.IntN(3) > 0 {
			continue
		}
		heir := h.pick(h.users)
		for heir == user {
			heir = h.pick(h.users)
		}
		one := alone{keys: h.pick([]string{"stop", "keep", "transfer:" + heir})}
		one.holds, _ = n.holds(h, h.ws, heir)
		out[name] = one
		in.Overrides = append(in.Overrides, control.KeyOverride{Key: string(name), Keys: one.keys})
	}
	return out
}

// written is each key as its row has it, before the rows of this step.
func (h *history) written(n *settledNode) map[id.Key]apikey.Key {
	h.Helper()
	out := map[id.Key]apikey.Key{}
	must(h, n.db.View(context.Background(), func(v *store.View) error {
		for _, name := range h.keys {
			k, err := v.WrittenKey(name)
			if err == nil {
				out[name] = k
			}
		}
		return nil
	}))
	return out
}

// lost tells whether a key that goes to an heir, and whose row does not say so yet, is not for the heir any more.
func (h *history) lost(n *settledNode, k *apikey.Key) bool {
	holds, member := n.holds(h, h.ws, string(k.User))
	return !member || !k.Permissions.Within(holds)
}

// narrow stops the keys that an heir was to get and holds no more. Whose they are then follows from the settlements
// after.
func (h *history) narrow(n *settledNode, want, at map[id.Key]apikey.Key, heir string) {
	h.Helper()
	for name, k := range want {
		if string(k.User) != heir || at[name].User == k.User || !h.lost(n, &k) {
			continue
		}
		got, err := n.GetKey(context.Background(), n.root, string(name))
		must(h, err)
		if got.Key.IsActive || string(got.Key.User) == heir {
			h.Fatalf("key %s was to go to %s, who does not hold it any more, and stands as %+v", name, heir, got.Key)
		}
		h.tries["lost"]++
		want[name] = got.Key
	}
}

// adoptTimes takes over what no rule here says: when a key was changed, and when it was disabled.
func (h *history) adoptTimes(want map[id.Key]apikey.Key) {
	h.Helper()
	for name, got := range h.look() {
		k := want[name]
		k.UpdatedAt = got.UpdatedAt
		if !k.IsActive && !got.IsActive {
			k.Disabled.At = got.Disabled.At
		}
		want[name] = k
	}
}

func (h *history) add(n *settledNode, want map[id.Key]apikey.Key) {
	h.Helper()
	user, role := h.pick(h.users), h.pick([]string{"Viewer", "Member", "Admin", "Admin", "Admin"})
	if h.heir != "" && h.random.IntN(2) == 0 {
		user, role = h.heir, "Viewer"
	}
	_, there := n.holds(h, h.ws, user)
	at := h.written(n)
	_, created, err := n.PutMember(
		context.Background(),
		n.root,
		h.ws,
		user,
		control.PutMember{Email: user + "@example.org",
			Role: string(n.roles(h, h.ws)[role].ID)},
	)
	must(h, err)
	if created == there {
		h.Fatalf("%s was a member: %v, and was added: %v", user, there, created)
	}
	h.told = append(h.told, fmt.Sprintf("%s is %s", user, role))
	h.comes(user)
	if before := h.tries["lost"]; there {
		h.narrow(n, want, at, user)
		h.tries["demoted"] += h.tries["lost"] - before
	} else {
		h.tries["back"]++
		for name, k := range want {
			if string(k.User) == user {
				k.Orphan = false
				want[name] = k
			}
		}
	}
	h.adoptTimes(want)
}

// change does something to one key by its id.
func (h *history) change(n *settledNode, want map[id.Key]apikey.Key) {
	h.Helper()
	if len(h.keys) == 0 {
		return
	}
	name := h.keys[h.random.IntN(len(h.keys))]
	k, there := want[name]
	if !there {
		return
	}
	switch what := h.pick([]string{"enable", "disable", "revoke", "delete"}); what {
	case "enable", "disable":
		on := what == "enable"
		done, failed, err := n.UpdateKeys(
			context.Background(), n.root, []control.UpdateKey{{ID: string(name), IsActive: control.Some(on)}},
		)
		must(h, err)
		if len(failed) > 0 {
			return
		}
		h.told = append(h.told, fmt.Sprintf("%s is switched: %v", name, on))
		h.touches(name, !on || !k.IsActive)
		k.IsActive, k.Disabled = on, done[0].Disabled
		want[name] = k
	case "revoke":
		must(h, n.RevokeByValue(context.Background(), n.root, name, k.Value.Digest.Sum))
		h.told = append(h.told, fmt.Sprintf("%s is revoked", name))
		h.touches(name, true)
		k.Disable(apikey.Mark{By: string(n.root.ServiceKey), Right: true})
		k.Revoked = true
		want[name] = k
	default:
		must(h, n.DeleteKey(context.Background(), n.root, string(name)))
		h.told = append(h.told, fmt.Sprintf("%s is deleted", name))
		h.touches(name, true)
		delete(want, name)
	}
	h.adoptTimes(want)
}

// end writes all rows, which changes nothing that is read, and leaves none that a settlement covers.
func (h *history) end() {
	h.Helper()
	for found := true; found; {
		var err error
		found, err = h.node().WriteChunk(context.Background())
		must(h, err)
	}
	h.told = append(h.told, "all rows are written")
	if diff := same(h.now, h.look()); diff != "" {
		h.Fatalf("the rows that were written (-before +after):\n%s", diff)
	}
	log := h.log()
	for name, k := range h.written(h.nodes[0]) {
		if differ, known := log.Compare(&k); !known || len(differ) > 0 {
			h.Fatalf("the log says another %v of key %s (known: %v): %+v", differ, name, known, k)
		}
		now := h.now[name]
		if k.Unsettled || standingOf(&k) != standingOf(&now) {
			h.Fatalf("key %s is not written: %+v", name, k)
		}
	}
	h.counts()
	for _, n := range h.nodes {
		n.replica().Sweep(n.replica().Revision())
	}
	if diff := same(h.now, h.look()); diff != "" {
		h.Fatalf("after a sweep (-before +after):\n%s", diff)
	}
}

// counts wants each member to have as many keys as there are.
func (h *history) counts() {
	h.Helper()
	for _, user := range h.users {
		m, err := h.nodes[0].GetMember(context.Background(), h.nodes[0].root, h.ws, user)
		if codeOf(err) == "not_found" {
			continue
		}
		must(h, err)
		n := int64(0)
		for _, k := range h.now {
			if string(k.User) == user {
				n++
			}
		}
		if m.KeyCount != n {
			h.Fatalf("%s has %d keys, and %d are counted", user, n, m.KeyCount)
		}
	}
}

// log is what the events say of keys.
func (h *history) log() *auditreplay.Standings {
	h.Helper()
	told := auditreplay.NewStandings(catalogue)
	must(h, h.nodes[0].db.View(context.Background(), func(v *store.View) error {
		events, err := v.Logs(store.LogFilter{All: true, Ascending: true})
		for i := range events {
			err = errors.Join(err, told.Add(&events[i]))
		}
		return err
	}))
	return told
}

func (h *history) run(steps, nodes int) {
	for range nodes {
		h.nodes = append(h.nodes, h.open())
	}
	defer func() {
		for _, n := range h.nodes {
			n.close()
		}
	}()
	h.ws = h.nodes[0].found(h)
	h.users = []string{"ann", "bob", "cy"}
	for _, user := range h.users {
		h.nodes[0].join(h, h.ws, user, "Admin")
	}
	h.now = h.look()
	for range 8 {
		h.make(h.node())
	}
	for range steps {
		h.step()
	}
	h.end()
}

func histories(t *testing.T, seeds int, run func(t *testing.T, h *history)) {
	tries := map[string]int{}
	if n, err := strconv.Atoi(os.Getenv("KEYWARD_SOAK_SETTLEMENTS")); err == nil {
		seeds = n
	}
	for seed := range seeds {
		h := &history{failer: t, random: rand.New(rand.NewPCG(uint64(seed), 12)), tries: tries}
		h.told = append(h.told, fmt.Sprint("seed ", seed))
		run(t, h)
	}
	for _, what := range []string{"stop", "keep", "tran", "alone", "back", "lost", "demoted", "undone", "past undoing"} {
		if tries[what] == 0 && (seeds > 5 || what != "lost" && what != "demoted" && what != "undone") {
			t.Errorf("%q never happened: too little to tell anything; there was %v", what, tries)
		}
	}
}

// A removal holds for every key and every reader from its commit on, however far its rows are written.
func TestASettlementHoldsFromItsCommitOnT104(t *testing.T) {
	t.Parallel()
	histories(t, 10, func(t *testing.T, h *history) {
		dir := t.TempDir()
		h.open = func() *settledNode { return openSole(h, dir) }
		h.run(50, 1)
	})
}

func TestASettlementHoldsOnEveryNodeT104(t *testing.T) {
	t.Parallel()
	histories(t, 3, func(t *testing.T, h *history) {
		url := pgtest.Database(t)
		h.open = func() *settledNode { return openShared(h, url) }
		h.run(20, 2)
	})
}
