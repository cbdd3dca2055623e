package followers_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/follower"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/verifier"
)

// seed is new for each run; KEYWARD_TEST_SEED repeats one.
func seed(t *testing.T) *rand.Rand {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if text := os.Getenv("KEYWARD_TEST_SEED"); text != "" {
		var err error
		n, err = strconv.ParseUint(text, 10, 64)
		check(t, err)
	}
	t.Logf("KEYWARD_TEST_SEED=%d repeats this schedule", n)
	return rand.New(rand.NewPCG(n, 0))
}

// theatre is an installation with followers of each kind: sidecars on a unix socket, over TCP and behind a proxy that
// goes wrong; three in this process, one of them behind the proxy and one below a hub; and a chain of two. The hub
// vouches for those below it, whose service key is bound to a network.
type theatre struct {
	*installation
	random *rand.Rand

	links  []*rig.Link // to each node
	proxy  *replayer
	stolen *rig.SteppedClock // the clock of all followers
	hub    *process
	others []*process // the followers beside the hub

	askers map[string]asker // of all places
}

func newTheatre(t *testing.T, at *installation, random *rand.Rand) *theatre {
	t.Helper()
	th := &theatre{installation: at, random: random, askers: map[string]asker{}, stolen: rig.NewSteppedClock(t)}
	at.followerEnv = append(slices.Clone(strict), th.stolen.Env)
	token, networked := at.service().Key.Reveal(), at.networked("127.0.0.0/8").Key.Reveal()
	for i, n := range at.nodes {
		th.links = append(th.links, rig.NewLink(t, n.addr))
		th.askers[fmt.Sprint("node ", i)] = n.quick
	}
	link := func(i int) string { return th.links[i%len(th.links)].Addr }
	th.proxy = &replayer{to: link(2)}
	wrong := httptest.NewServer(th.proxy)
	t.Cleanup(wrong.Close)
	behind := strings.TrimPrefix(wrong.URL, "http://")
	socket, err := os.MkdirTemp("", "keyward-socket-") // a path of a socket is short
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(socket) })
	th.hub = at.follow(link(0), token, "--feed")
	named := map[string]*process{
		"the sidecar on a socket": at.followAt(filepath.Join(socket, "k"), link(0), token).ready(),
		"the sidecar over TCP":    at.follow(link(1), token),
		"the sidecar behind":      at.follow(behind, token),
		"the last of the chain":   at.follow(th.hub.addr, networked),
		"the hub":                 th.hub,
	}
	for name, p := range named {
		th.askers[name] = p.quick
		if p != th.hub {
			th.others = append(th.others, p)
		}
	}
	for name, source := range map[string]string{
		"in process": link(1), "in process, behind": behind, "in process, below the hub": th.hub.addr,
	} {
		by := token
		if source == th.hub.addr {
			by = networked
		}
		v, err := verifier.New(follower.WithClock(t.Context(), th.stolen.Now), verifier.Config{
			URL: "http://" + source, Token: by, MaxStaleness: limit, RefuseWhileAway: true,
			Logger: slog.New(slog.DiscardHandler),
		})
		check(t, err)
		t.Cleanup(func() { _ = v.Close() })
		th.askers[name] = func(ctx context.Context, value string) keyward.VerdictCode {
			got, err := v.Verify(ctx, keyward.VerifyRequest{Key: value})
			if err != nil {
				return ""
			}
			return got.Code
		}
	}
	return th
}

// quick is says for a process that may be frozen.
func (p *process) quick(ctx context.Context, value string) keyward.VerdictCode {
	ctx, cancel := context.WithTimeout(ctx, 3*limit)
	defer cancel()
	v, err := p.client.Verify(ctx, keyward.VerifyRequest{Key: value})
	if err != nil {
		return ""
	}
	return v.Code
}

// pause lasts for so long at most, and at least for half of that.
func (th *theatre) pause(most time.Duration) {
	time.Sleep(most/2 + time.Duration(th.random.Int64N(int64(most/2))))
}

// step sets a clock, and sets it right again. The day stays the same one.
func (th *theatre) step(clock *rig.SteppedClock, by time.Duration) {
	if now := time.Now().UTC(); now.Add(by).Day() != now.Day() {
		by = -by
	}
	check(th.t, clock.Set(by))
	th.pause(limit)
	check(th.t, clock.Set(0))
}

// faults are those of every installation.
func (th *theatre) faults() map[string]func() {
	link := func() *rig.Link { return th.links[th.random.IntN(len(th.links))] }
	return map[string]func(){
		"a link is cut":        func() { l := link(); l.Cut(); th.pause(limit); l.Mend() },
		"a link is one-way":    func() { l := link(); l.Mute(); th.pause(limit); l.Mend() },
		"a link is slow":       func() { l := link(); l.Delay(100 * time.Millisecond); th.pause(limit); l.Delay(0) },
		"old pages":            func() { th.proxy.during(replays, 2*limit) },
		"pages are held back":  func() { th.proxy.during(buffers, 2*limit) },
		"a reload":             func() { th.proxy.during(conflict, limit/2) },
		"questions come twice": func() { th.proxy.during(doubles, limit) },
		"followers are frozen": func() {
			for _, p := range th.others[:2] {
				p.freeze()
				defer p.thaw()
			}
			th.pause(limit)
		},
		"the hub is killed": func() { th.hub.Kill(); th.pause(limit / 2); th.hub.again() },
		"a node is killed": func() {
			n := th.nodes[th.random.IntN(len(th.nodes))]
			n.Kill()
			n.again()
		},
		"a node's clock is ahead":      func() { th.step(th.clock, 5*time.Minute) },
		"a node's clock is behind":     func() { th.step(th.clock, -5*time.Minute) },
		"followers' clocks are ahead":  func() { th.step(th.stolen, 5*time.Minute) },
		"followers' clocks are behind": func() { th.step(th.stolen, -5*time.Minute) },
	}
}

const redisFalls = "Redis falls, and is empty"

// databaseFaults are those of an installation on PostgreSQL and Redis.
func (th *theatre) databaseFaults() map[string]func() {
	return map[string]func(){
		"a node loses the database": func() {
			l := th.databases[th.random.IntN(len(th.databases))]
			l.Cut()
			th.pause(2 * limit)
			l.Mend()
		},
		"the database falls": func() {
			th.postgres.Down(syscall.SIGQUIT)
			check(th.t, th.postgres.Up())
			th.installation.ready()
		},
		redisFalls: func() {
			th.redis.Process().Kill()
			th.pause(limit / 2)
			th.redis.Start()
		},
	}
}

// play has clients work while the faults happen, one after the other, and holds the history against the promises.
func (th *theatre) play(t *testing.T, faults map[string]func(), order []string) {
	th.installation.ready()
	h := newHistory(t, th.installation)
	ctx, stop := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	for range 2 {
		tasks.Go(func() { h.change(ctx) })
	}
	token := th.service().Key.Reveal()
	tasks.Go(func() { th.giveTooMuch(ctx, token) })
	for name, verify := range th.askers {
		if !strings.HasPrefix(name, "node") { // test/cluster holds these
			tasks.Go(func() { h.ask(ctx, name, verify) })
		}
		tasks.Go(func() { h.spend(ctx, verify) })
	}
	for _, name := range order {
		t.Log(time.Since(h.began).Round(time.Millisecond), name)
		if name == redisFalls {
			h.exhaust(th.nodes[0].quick)
		}
		faults[name]()
	}
	for end := time.Now().Add(2 * time.Minute); !h.enough() && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond) // a busy machine takes longer
	}
	stop()
	tasks.Wait()
	th.installation.ready()
	h.within()
	h.settled(th.askers)
}

// giveTooMuch is a follower that gives back units of a day that it does not hold. The limits hold all the same.
func (th *theatre) giveTooMuch(ctx context.Context, token string) {
	var keys keyward.KeyPage
	rig.WaitFor(th.t, "the keys with limits", func() (err error) {
		keys, err = th.client.ListKeys(context.Background(), keyward.ListKeysOptions{WorkspaceID: th.ws, Search: "limited"})
		return err
	})
	day := time.Now().UTC().Format(time.DateOnly)
	for n := 1; ctx.Err() == nil; n++ {
		for i, k := range keys.APIKeys {
			body := fmt.Sprintf(`{"incarnation":"greedy-%d","number":%d,"claims":[{"accountId":"%s","day":"%s","want":0,"giveBack":50}]}`,
				i, n, k.ID, day)
			to := "http://" + th.links[0].Addr + "/api/v2/feed/days"
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewBufferString(body))
			if err != nil {
				return
			}
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			if resp, err := http.DefaultClient.Do(r); err == nil {
				_ = resp.Body.Close()
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Real followers of each kind, while links are cut, one-way and slow, a proxy replays and holds back pages, processes
// are frozen and killed, clocks are stepped, everything is loaded anew, keys are taken back and limits are spent.
func TestT110HistoriesOfFollowersUnderFaults(t *testing.T) {
	t.Parallel()
	binary, err := stepped()
	check(t, err)
	random := seed(t)
	th := newTheatre(t, sole(t, binary), random)
	faults := th.faults()
	th.play(t, faults, schedule(random, faults, "old pages", "pages are held back"))
}

// The same with three nodes over PostgreSQL and Redis. In the end Redis forgets, and the database fails over to its
// standby.
func TestT110HistoriesOfFollowersOfSeveralNodesUnderFaults(t *testing.T) {
	t.Parallel()
	binary, err := stepped()
	check(t, err)
	random := seed(t)
	th := newTheatre(t, several(t, binary, false), random)
	faults := th.faults()
	maps.Copy(faults, th.databaseFaults())
	order := schedule(random, faults)
	faults["the database fails over"] = func() { th.failover(); th.installation.ready() }
	th.play(t, faults, append(order, redisFalls, "the database fails over"))
}

// schedule is the order of the faults: each of them in each round of a soak, and else those that are named and one
// more. KEYWARD_TEST_FAULTS chooses others, with a semicolon between.
func schedule(random *rand.Rand, faults map[string]func(), named ...string) []string {
	if chosen := os.Getenv("KEYWARD_TEST_FAULTS"); chosen != "" {
		return strings.Split(chosen, ";")
	}
	names := slices.Sorted(maps.Keys(faults))
	rounds, _ := strconv.Atoi(os.Getenv("KEYWARD_SOAK_FOLLOWERS"))
	if rounds == 0 {
		return append(named, names[random.IntN(len(names))])
	}
	var order []string
	for range rounds {
		for _, i := range random.Perm(len(names)) {
			order = append(order, names[i])
		}
	}
	return order
}
