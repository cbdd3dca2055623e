package followers_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/verifier"
)

// A chain of three: a revocation is true at its end when wait=all answers, and while nothing happens nobody is fenced.
func TestT110ARevocationHoldsAtTheEndOfAChainOfThree(t *testing.T) {
	t.Parallel()
	c := startCore(t, "", limit)
	token := c.service().Key.Reveal()
	first := c.follow(c.addr, token, "--feed")
	second := c.follow(first.addr, token, "--feed")
	last := c.follow(second.addr, token)
	ids, values := make([]string, 6), make([]string, 6)
	for i := range ids {
		ids[i], values[i] = c.key()
	}
	last.eventually(values[len(values)-1], keyward.VerdictValid, "a new key")
	for i := range ids[:len(ids)-1] {
		if r := c.disable(ids[i], keyward.WaitAll()); r.Effective != "everywhere" {
			t.Errorf("%+v", r)
		}
		last.must(values[i], keyward.VerdictDisabled, "after wait=all")
	}
	for idle := time.Now().Add(limit * 3 / 2); time.Now().Before(idle); time.Sleep(20 * time.Millisecond) {
		last.must(values[len(values)-1], keyward.VerdictValid, "while nothing happens")
	}
	list, err := c.client.ListFollowers(t.Context())
	if err != nil || len(list) != 1 || list[0].Followers != 2 || list[0].LowestRevision == nil {
		t.Errorf("%+v, %v", list, err)
	}
}

const staysAway = "the hub, which stays away"

// The follower of a hub does not hear of the change. The hub has it, and is killed between the change and wait=all.
func TestT110AHubThatWasKilledIsWaitedForWithThoseBelowIt(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(c *core, hub *process){
		"the hub": func(_ *core, hub *process) {
			hub.Kill()
			hub.again()
		},
		staysAway: func(_ *core, hub *process) { hub.Kill() },
		"the hub and the core": func(c *core, hub *process) {
			hub.Kill()
			c.Kill()
			c.again()
			hub.again()
		},
		"nothing": func(*core, *process) {},
		"the hub, in order": func(_ *core, hub *process) {
			hub.stop()
			hub.again()
		},
	} {
		if !soaking && name != "the hub" && name != "the hub and the core" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCore(t, "", limit)
			token := c.service().Key.Reveal()
			hub := c.follow(c.addr, token, "--feed")
			link := rig.NewLink(t, hub.addr)
			last := c.follow(link.Addr, token)
			id, value := c.key()
			last.eventually(value, keyward.VerdictValid, "a new key")
			link.Cut()
			c.disable(id)
			hub.eventually(value, keyward.VerdictDisabled, "the hub has the change")
			kill(c, hub)
			c.disable(id, keyward.WaitAll())
			last.never(value, "after wait=all, at a follower that heard nothing")
			link.Mend()
			if name != staysAway {
				last.eventually(value, keyward.VerdictDisabled, "the link is back")
			}
		})
	}
}

// A hub passes nothing on that lies outside of the token of those below, and no more to a token that has ended.
func TestT107AHubTellsNothingOutsideTheBoundsOfATokenAndNothingAfterItsEnd(t *testing.T) {
	t.Parallel()
	c := startCore(t, "", limit)
	hub := c.follow(c.addr, c.service().Key.Reveal(), "--feed")
	other := c.workspace("Other")
	bound := c.service(other)
	id, value := c.key()
	_, within := c.keyIn(other)
	hub.eventually(within, keyward.VerdictValid, "a new key")
	last := c.follow(hub.addr, bound.Key.Reveal())
	last.must(within, keyward.VerdictValid, "within the bounds")
	last.must(value, keyward.VerdictNotFound, "outside of them")
	snapshot := hub.read(bound.Key.Reveal(), "/api/v2/feed/snapshot?nonce=n")
	at := strings.Split(strings.Split(snapshot, `"cursor":"`)[1], `"`)[0]
	_, err := c.client.DeleteKey(t.Context(), id, keyward.WaitAll())
	check(t, err)
	foreign := c.service(c.ws)
	_, err = c.client.DeleteServiceKey(t.Context(), foreign.ServiceKey.ID)
	check(t, err)
	_, another := c.keyIn(other)
	hub.eventually(another, keyward.VerdictValid, "a later key")
	page := hub.read(bound.Key.Reveal(), "/api/v2/feed?nonce=n&after="+at)
	for what, text := range map[string]string{"snapshot": snapshot, "page": page} {
		for _, outside := range []string{c.ws, id, foreign.ServiceKey.ID} {
			if strings.Contains(text, outside) {
				t.Errorf("the %s tells of %s: %s", what, outside, text)
			}
		}
		if !strings.Contains(text, other) {
			t.Errorf("the %s tells nothing of the workspace: %s", what, text)
		}
	}
	_, err = c.client.DeleteServiceKey(t.Context(), bound.ServiceKey.ID)
	check(t, err)
	ended := time.Now()
	rig.WaitFor(t, "the follower to be fenced", func() error {
		asked := time.Now()
		switch {
		case last.says(within) != keyward.VerdictValid:
			return nil
		case asked.Sub(ended) > limit:
			t.Fatalf("the follower of a token that has ended says VALID %s later", asked.Sub(ended))
		}
		return errors.New("it answers")
	})
	if text := hub.read(bound.Key.Reveal(), "/api/v2/feed/snapshot"); !strings.Contains(text, "unauthenticated") {
		t.Errorf("a token that has ended: %s", text)
	}
}

// read is a raw answer.
func (p *process) read(token, path string) string {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://"+p.addr+path, nil)
	check(p.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	check(p.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(p.t, err)
	return string(text)
}

// An edge with forty processes (ten, but in a soak) costs the core one follower, and the connections of that one.
func TestAnEdgeOfManyCostsTheCoreOneFollower(t *testing.T) {
	t.Parallel()
	c := startCore(t, "", limit)
	token := c.service().Key.Reveal()
	link := rig.NewLink(t, c.addr)
	hub := c.follow(link.Addr, token, "--feed")
	edge := 10
	if soaking {
		edge = 40
	}
	all := make([]*verifier.Verifier, edge)
	var starting sync.WaitGroup
	for i := range all {
		starting.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			v, err := verifier.New(ctx, verifier.Config{
				URL: "http://" + hub.addr, Token: token, MaxStaleness: limit, Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Error(err)
				return
			}
			all[i] = v
		})
	}
	starting.Wait()
	defer func() {
		for _, v := range all {
			if v != nil {
				_ = v.Close()
			}
		}
	}()
	if t.Failed() {
		return
	}
	rig.WaitFor(t, "the core to know of forty", func() error {
		list, err := c.client.ListFollowers(t.Context())
		if err != nil || len(list) != 1 || list[0].Followers != edge {
			return errors.Join(errors.New("not yet"), err)
		}
		return nil
	})
	id, value := c.key()
	rig.WaitFor(t, "a new key everywhere", func() error {
		for _, v := range all {
			if verdict, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: value}); err != nil || !verdict.Valid {
				return errors.Join(errors.New("not yet"), err)
			}
		}
		return nil
	})
	c.disable(id, keyward.WaitAll())
	for i, v := range all {
		if verdict, err := v.Verify(t.Context(), keyward.VerifyRequest{Key: value}); err == nil && verdict.Valid {
			t.Errorf("follower %d says VALID after wait=all", i)
		}
	}
	if n := link.Connections(); n > 3+8 { // its own, and those of the uses that it passes on
		t.Errorf("%d connections to the core", n)
	}
}
