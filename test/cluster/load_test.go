package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward"
)

// load is the work of clients while faults happen.
type load struct {
	c       *cluster
	h       *history
	tracked []made // enabled and disabled, each by one client at a time
	limited []limited
	plans   []plan

	stop  chan struct{}
	tasks sync.WaitGroup

	mu      sync.Mutex
	created []made // whose creation was acknowledged meanwhile
}

type made struct{ id, value string }

type limited struct {
	value          string
	minute, perDay int
}

// plan is the limits that some of the limited keys share: those of a workspace of their own.
type plan struct {
	keys           []int
	minute, perDay int64
}

// planned makes a workspace with a plan, and keys of it.
func (l *load) planned(p plan, keys ...limited) {
	l.c.t.Helper()
	ws := l.c.workspace("Planned")
	put := keyward.Plan{RequestsPerMinute: &p.minute, RequestsPerDay: &p.perDay}
	if _, err := l.c.nodes[0].client.PutPlan(l.c.t.Context(), ws, put); err != nil {
		l.c.t.Fatal(err)
	}
	for _, limit := range keys {
		limit.value = l.c.key(ws, limit.minute, limit.perDay).value
		p.keys = append(p.keys, len(l.limited))
		l.limited = append(l.limited, limit)
	}
	l.plans = append(l.plans, p)
}

func (c *cluster) key(ws string, minute, day int) made {
	c.t.Helper()
	k, err := c.nodes[0].client.CreateKey(c.t.Context(), request(ws, minute, day))
	if err != nil {
		c.t.Fatal(err)
	}
	return made{k.APIKey.ID, k.Key.Reveal()}
}

func request(ws string, minute, day int) keyward.CreateKeyRequest {
	r := keyward.CreateKeyRequest{WorkspaceID: ws, UserID: "ada", Name: "k"}
	var l keyward.Limits
	if minute > 0 {
		l.RequestsPerMinute = keyward.Set(minute)
	}
	if day > 0 {
		l.RequestsPerDay = keyward.Set(day)
	}
	if minute+day > 0 {
		r.RateLimit = keyward.Set(l)
	}
	return r
}

// begin lets clients loose. They work until end.
func (c *cluster) begin(seed uint64, ws string, keys int) *load {
	c.t.Helper()
	l := &load{c: c, h: &history{}, stop: make(chan struct{})}
	for range keys {
		l.tracked = append(l.tracked, c.key(ws, 0, 0))
	}
	for _, limit := range []limited{{minute: 4}, {minute: 40}, {minute: 300}, {perDay: 700}, {minute: 60, perDay: 100}} {
		limit.value = c.key(ws, limit.minute, limit.perDay).value
		l.limited = append(l.limited, limit)
	}
	l.planned(plan{minute: 60, perDay: 400}, limited{minute: 50}, limited{perDay: 120}, limited{})
	l.planned(plan{minute: 400, perDay: 50}, limited{minute: 30}, limited{perDay: 40})
	for i := range c.nodes {
		for w := range 2 {
			l.go_(seed, uint64(10*i+w), func(r *rand.Rand) { l.look(i, r.IntN(len(l.tracked))); pause(r, 8) })
		}
	}
	const changers = 2
	for w := range changers {
		l.go_(seed, uint64(100+w), func(r *rand.Rand) {
			l.change(r, w+changers*r.IntN(len(l.tracked)/changers))
			pause(r, 40)
		})
	}
	l.go_(seed, 200, func(r *rand.Rand) { l.create(ws, r.IntN(len(c.nodes))); pause(r, 60) })
	for w := range 3 {
		l.go_(seed, uint64(300+w), func(r *rand.Rand) { l.spend(r.IntN(len(c.nodes)), r.IntN(len(l.limited))); pause(r, 6) })
	}
	return l
}

func pause(r *rand.Rand, milliseconds int) {
	time.Sleep(time.Duration(r.IntN(2*milliseconds)) * time.Millisecond)
}

// go_ repeats a client's work, by a chance of its own that the seed decides.
func (l *load) go_(seed, client uint64, work func(*rand.Rand)) {
	l.tasks.Go(func() {
		r := rand.New(rand.NewPCG(seed, client))
		for {
			select {
			case <-l.stop:
				return
			default:
				work(r)
			}
		}
	})
}

// These many events say something.
const (
	fewCreated = 10
	fewLooks   = 1000
	fewChanges = 20
)

// end lets the clients work on until enough has happened, which takes a busy machine longer, and stops them.
func (l *load) end() {
	for limit := time.Now().Add(2 * time.Minute); !l.enough() && time.Now().Before(limit); {
		time.Sleep(50 * time.Millisecond)
	}
	close(l.stop)
	l.tasks.Wait()
}

// ask is one verification; the code is "" where there was no answer.
func (l *load) ask(node int, value string) (code string, start, end time.Time) {
	start = time.Now()
	v, err := l.c.nodes[node].client.Verify(context.Background(), keyward.VerifyRequest{Key: value})
	end = time.Now()
	var refused *keyward.Error
	switch {
	case err == nil:
		return string(v.Code), start, end
	case errors.As(err, &refused):
		return fmt.Sprint(refused.Status), start, end
	}
	return "", start, end
}

func (l *load) look(node, key int) {
	code, start, end := l.ask(node, l.tracked[key].value)
	l.h.looked(look{key: key, node: node, start: start, end: end, code: code})
	if code == "" {
		time.Sleep(50 * time.Millisecond)
	}
}

func (l *load) spend(node, key int) {
	code, start, end := l.ask(node, l.limited[key].value)
	l.h.spent(look{key: key, node: node, start: start, end: end, code: code})
}

// change enables or disables a key at some node; half of the time it waits for all nodes.
func (l *load) change(r *rand.Rand, key int) {
	node, to, all := r.IntN(len(l.c.nodes)), r.IntN(2) == 0, r.IntN(2) == 0
	var opts []keyward.ChangeOption
	if all {
		opts = append(opts, keyward.WaitAll())
	}
	c := change{key: key, to: to, node: node, start: time.Now()}
	out, err := l.c.nodes[node].client.UpdateKeys(
		context.Background(),
		[]keyward.KeyUpdate{{ID: l.tracked[key].id, IsActive: keyward.Set(to)}},
		opts...)
	c.end = time.Now()
	c.known = err == nil && len(out.Updated) == 1
	c.everywhere = c.known && out.Revocation != nil && out.Revocation.Effective == "everywhere"
	l.h.changed(c)
}

func (l *load) create(ws string, node int) {
	k, err := l.c.nodes[node].client.CreateKey(context.Background(), request(ws, 0, 0))
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.created = append(l.created, made{k.APIKey.ID, k.Key.Reveal()})
}

// acknowledged lists the keys whose creation was.
func (l *load) acknowledged() []made {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.created)
}

// finally is a node's answer after the time that it may take to hear of the last change.
func (l *load) finally(node int, value, want string) (code string) {
	for end := time.Now().Add(2 * staleness); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if code, _, _ = l.ask(node, value); code == want {
			break
		}
	}
	return code
}

// settled holds the end of the story against every node: each acknowledged change is there.
func (l *load) settled(t *testing.T) {
	t.Helper()
	for i := range l.c.nodes {
		for key, k := range l.tracked {
			to, sure := l.h.last(key)
			if !sure {
				continue
			}
			want := "DISABLED"
			if to {
				want = "VALID"
			}
			if code := l.finally(i, k.value, want); code != want {
				t.Errorf("node %d: key %d is %s, want %s", i, key, code, want)
			}
		}
		for _, k := range l.created {
			if code := l.finally(i, k.value, "VALID"); code != "VALID" {
				t.Errorf("node %d: a key whose creation was acknowledged is %q", i, code)
			}
		}
	}
	t.Logf(
		"%d changes, %d looks, %d admissions, %d keys created", len(l.h.changes), len(l.h.looks), len(l.h.admitted),
		len(l.created),
	)
	if !l.enough() {
		t.Error("too little happened for this to say anything")
	}
}

func (l *load) enough() bool {
	l.mu.Lock()
	created := len(l.created)
	l.mu.Unlock()
	looks, changes := l.h.counts()
	return created >= fewCreated && looks >= fewLooks && changes >= fewChanges
}

// within holds admissions against the limits; times says how often a limit may pass in a minute.
func (l *load) within(t *testing.T, times int) {
	t.Helper()
	for i, limit := range l.limited {
		if limit.minute > 0 {
			most := l.h.most(time.Minute, i)
			t.Logf("limit %d per minute: at most %d", limit.minute, most)
			if most > times*limit.minute {
				t.Errorf("limit %d per minute: %d admitted within one", limit.minute, most)
			}
		}
		if limit.perDay > 0 {
			most := l.h.most(24*time.Hour, i)
			t.Logf("limit %d per day: %d", limit.perDay, most)
			if most > limit.perDay {
				t.Errorf("limit %d per day: %d admitted", limit.perDay, most)
			}
		}
	}
	for _, p := range l.plans {
		minute, day := int64(l.h.most(time.Minute, p.keys...)), int64(l.h.most(24*time.Hour, p.keys...))
		t.Logf("a plan of %d per minute and %d per day: at most %d and %d", p.minute, p.perDay, minute, day)
		if minute > int64(times)*p.minute || day > p.perDay || minute == 0 {
			t.Errorf("a plan of %d per minute and %d per day: %d and %d were admitted", p.minute, p.perDay, minute, day)
		}
	}
}
