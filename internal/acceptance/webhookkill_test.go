package acceptance_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

// arrival is a notice that came, in the order of coming.
type arrival struct{ id, key, body string }

// hooks receives notices. At one of them it stops the server: before the answer, or a moment after it.
type hooks struct {
	*httptest.Server
	mu     sync.Mutex
	all    []arrival
	killAt int // the number of the notice; 0 for none
	kill   func()
	late   time.Duration // after the answer; negative for before it
}

func receiveHooks(t *testing.T) *hooks {
	h := &hooks{}
	h.Server = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(h.Close)
	return h
}

func (h *hooks) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the server was killed while it wrote: no notice came
	}
	var notice struct {
		Data struct {
			APIKeyID string `json:"apiKeyId"`
		} `json:"data"`
	}
	_ = json.Unmarshal(body, &notice)
	h.mu.Lock()
	h.all = append(h.all, arrival{r.Header.Get("webhook-id"), notice.Data.APIKeyID, string(body)})
	kill, late := h.kill, h.late
	if len(h.all) != h.killAt {
		kill = nil
	}
	h.mu.Unlock()
	switch {
	case kill != nil && late < 0:
		kill()
		return
	case kill != nil:
		go func() {
			time.Sleep(late)
			kill()
		}()
	}
	w.WriteHeader(http.StatusNoContent)
}

// at has the n-th notice from now stop the server, and tells when it is stopped.
func (h *hooks) at(n int, late time.Duration, kill func()) (killed chan struct{}) {
	killed = make(chan struct{})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.killAt, h.late = len(h.all)+n, late
	h.kill = func() { kill(); close(killed) }
	return killed
}

func (h *hooks) arrivals() []arrival {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.all)
}

// changesARound is how many changes are made between two kills at most.
const changesARound = 60

// TestT112KilledBetweenDeliveryAndItsRecordEveryNoticeComes kills a server that sends notices, before it has their
// answers, and while it writes these. Each event of the log comes, under its id, and those of a key in their order. The
// number of rounds is KEYWARD_SOAK_KILLS.
func TestT112KilledBetweenDeliveryAndItsRecordEveryNoticeComes(t *testing.T) {
	t.Parallel()
	rounds, _ := strconv.Atoi(os.Getenv("KEYWARD_SOAK_KILLS"))
	rounds = max(rounds, 6)
	settings := []string{"KEYWARD_LOG_LEVEL=error", "KEYWARD_WEBHOOK_ALLOW_NETWORKS=127.0.0.0/8"}
	p := start(t)
	p.stop(t)
	p = p.again(t, settings...)
	h := receiveHooks(t)
	keys, ws := hookedKeys(t, p, h.URL)
	p.kill(t)
	for round := range rounds {
		p = p.again(t, settings...)
		late := time.Duration(-1)
		if round%2 == 1 {
			late = time.Duration(rand.IntN(5000)) * time.Microsecond
		}
		killed := h.at(1+rand.IntN(changesARound/2), late, func() { p.kill(t) })
		change(t, p, keys, killed)
		select {
		case <-killed:
		case <-time.After(patience):
			t.Fatalf("round %d: the notice at which the server is killed did not come\n%s", round, p.output)
		}
	}
	p = p.again(t, settings...)
	var want map[string][]string
	rig.WaitFor(t, "all notices", func() error {
		want = loggedChanges(t, p, ws)
		return allCame(want, h.arrivals())
	})
	repeats := cameInOrder(t, want, h.arrivals())
	t.Logf("%d notices and %d repeats in %d rounds", len(h.arrivals())-repeats, repeats, rounds)
	if repeats < (rounds+1)/2 { // a notice whose answer was not given is repeated
		t.Errorf("%d repeats in %d rounds: the kills came at other moments", repeats, rounds)
	}
}

// hookedKeys makes keys in a workspace of their own, and a webhook that is told of their changes.
func hookedKeys(t *testing.T, p *process, url string) (keys []string, ws string) {
	t.Helper()
	h := newHooked(t, p)
	for range 7 {
		keys = append(keys, h.key())
	}
	h.hook(url, keyward.EventKeyUpdated)
	return keys, h.ws
}

// change renames keys in turn until the server is killed, or has made as many changes as it may.
func change(t *testing.T, p *process, keys []string, killed chan struct{}) {
	t.Helper()
	c, err := keyward.New(p.url, keyward.WithToken(p.root), keyward.WithRetry(0))
	if err != nil {
		t.Fatal(err)
	}
	for i := range changesARound {
		select {
		case <-killed:
			return
		case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond): // so that kills come while there is more to queue
		}
		name := fmt.Sprint("k", rand.Uint32())
		one := keyward.KeyUpdate{ID: keys[i%len(keys)], Name: keyward.Set(name)}
		_, _ = c.UpdateKeys(t.Context(), []keyward.KeyUpdate{one}) // the kill may take the answer away
	}
}

// loggedChanges are the ids of the events of each key, as the log has them.
func loggedChanges(t *testing.T, p *process, ws string) map[string][]string {
	t.Helper()
	c := client(t, p)
	want := map[string][]string{}
	for e, err := range c.AllLogs(t.Context(), keyward.ListLogsOptions{
		WorkspaceID: ws, EventType: "api_key.updated", SortOrder: keyward.Ascending, Limit: 100,
	}) {
		if err != nil {
			t.Fatal(err)
		}
		target, _ := e.Metadata["target"].(string)
		want[target] = append(want[target], e.ID)
	}
	return want
}

// allCame tells what has not come.
func allCame(want map[string][]string, got []arrival) error {
	came := map[string]bool{}
	for _, a := range got {
		came[a.id] = true
	}
	for key, ids := range want {
		for _, id := range ids {
			if !came[id] {
				return fmt.Errorf("event %s of key %s has not come; %d notices have", id, key, len(came))
			}
		}
	}
	return nil
}

// cameInOrder holds what came of each key against the log: the same ids in the same order, each repeated at once or not
// at all, with the same body. It counts the repeats.
func cameInOrder(t *testing.T, want map[string][]string, got []arrival) (repeats int) {
	t.Helper()
	order, bodies := map[string][]string{}, map[string]string{}
	for _, a := range got {
		if was, there := bodies[a.id]; there && was != a.body {
			t.Errorf("notice %s came as %s and as %s", a.id, was, a.body)
		}
		bodies[a.id] = a.body
		if ids := order[a.key]; len(ids) > 0 && ids[len(ids)-1] == a.id {
			repeats++
			continue
		}
		order[a.key] = append(order[a.key], a.id)
	}
	for key, ids := range order {
		if !slices.Equal(ids, want[key]) {
			t.Errorf("of key %s came %v, and the log has %v", key, ids, want[key])
		}
	}
	return repeats
}
