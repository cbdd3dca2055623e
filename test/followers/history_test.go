package followers_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
)

// tracked is one key of a history: when it was good, and when it was said to be so no more.
type tracked struct {
	id, value  string
	touched    atomic.Bool  // a change of it was asked for
	answered   atomic.Int64 // nanoseconds after the beginning: the change was answered; 0 before
	everywhere atomic.Int64 // the change that waits was answered
}

// limitedKey is a key with limits, and what was admitted of it.
type limitedKey struct {
	value          string
	minute, perDay int

	mu       sync.Mutex
	admitted []rig.Admission
}

// plan is the limits that the keys of a workspace share.
type plan struct {
	minute, perDay int
	keys           []*limitedKey
}

// asker asks one place of an installation for a verdict, "" where there is none.
type asker func(ctx context.Context, value string) keyward.VerdictCode

// history holds every answer of every follower against the promises, while keys are taken back and limits are spent.
type history struct {
	t     *testing.T
	at    *installation
	began time.Time
	limit time.Duration

	mu      sync.Mutex
	keys    []*tracked // those that are asked about: the latest
	all     []*tracked // every key whose creation was acknowledged
	limited []*limitedKey
	plans   []plan

	valid  atomic.Int64 // answers that said so
	denied atomic.Int64
	none   atomic.Int64 // answers that said nothing
}

func newHistory(t *testing.T, at *installation) *history {
	t.Helper()
	h := &history{t: t, at: at, began: time.Now(), limit: limit}
	id, value := at.key()
	h.keys = []*tracked{{id: id, value: value}}
	h.all = slices.Clone(h.keys)
	for _, k := range [][2]int{{40, 0}, {300, 0}, {0, 150}, {60, 100}} {
		h.limited = append(h.limited, &limitedKey{value: at.limited(at.ws, k[0], k[1]), minute: k[0], perDay: k[1]})
	}
	planned := at.workspace("Planned")
	p := plan{minute: 80, perDay: 200}
	minute, day := int64(p.minute), int64(p.perDay)
	rig.WaitFor(t, "a plan", func() error { // on a busy machine a node may be fenced for a moment
		_, err := at.client.PutPlan(t.Context(), planned, keyward.Plan{RequestsPerMinute: &minute, RequestsPerDay: &day})
		return err
	})
	for _, k := range [][2]int{{50, 0}, {0, 120}, {}} {
		p.keys = append(p.keys, &limitedKey{value: at.limited(planned, k[0], k[1]), minute: k[0], perDay: k[1]})
	}
	h.limited = append(h.limited, p.keys...)
	h.plans = []plan{p}
	return h
}

// limited makes a key with limits; 0 is none.
func (c *core) limited(workspace string, minute, perDay int) (value string) {
	c.t.Helper()
	var l keyward.Limits
	if minute > 0 {
		l.RequestsPerMinute = keyward.Set(minute)
	}
	if perDay > 0 {
		l.RequestsPerDay = keyward.Set(perDay)
	}
	r := keyward.CreateKeyRequest{WorkspaceID: workspace, UserID: "ada", Name: "limited"}
	if minute+perDay > 0 {
		r.RateLimit = keyward.Set(l)
	}
	rig.WaitFor(c.t, "a key with limits", func() error {
		k, err := c.client.CreateKey(c.t.Context(), r)
		value = k.Key.Reveal()
		return err
	})
	return value
}

func (h *history) now() int64 { return int64(time.Since(h.began)) }

func (h *history) any() *tracked {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.keys[rand.N(len(h.keys))]
}

// ask has a place asked until ctx ends. R2: no VALID to a question that began later than the answer to the change plus
// the limit. R3: none at all to one that began after wait=all was answered.
func (h *history) ask(ctx context.Context, name string, verify asker) {
	for ctx.Err() == nil {
		k := h.any()
		start := h.now()
		answered, everywhere := k.answered.Load(), k.everywhere.Load()
		switch code := verify(ctx, k.value); code {
		case keyward.VerdictValid:
			h.valid.Add(1)
			if everywhere != 0 {
				h.t.Errorf("%s: VALID %s after wait=all", name, time.Duration(start-everywhere))
			}
			if late := time.Duration(start - answered); answered != 0 && late > h.limit {
				h.t.Errorf("%s: VALID %s after the change was answered, and the limit is %s", name, late, h.limit)
			}
		case keyward.VerdictDisabled:
			h.denied.Add(1)
		default: // fenced, or a new key that is not known yet
			h.none.Add(1)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// spend spends limits at a place until ctx ends.
func (h *history) spend(ctx context.Context, verify asker) {
	for ctx.Err() == nil {
		h.limited[rand.N(len(h.limited))].spend(ctx, verify)
		time.Sleep(3 * time.Millisecond)
	}
}

// exhaust spends the minutes of all keys at once, so that a Redis that forgets has much to forget.
func (h *history) exhaust(verify asker) {
	var all sync.WaitGroup
	for _, k := range h.limited {
		if k.minute == 0 {
			continue
		}
		for range 4 {
			all.Go(func() {
				for range k.minute {
					if !k.spend(context.Background(), verify) {
						return
					}
				}
			})
		}
	}
	all.Wait()
}

// spend asks about the key once, and reports whether that was admitted.
func (k *limitedKey) spend(ctx context.Context, verify asker) bool {
	start := time.Now()
	if verify(ctx, k.value) != keyward.VerdictValid {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.admitted = append(k.admitted, rig.Admission{Start: start, End: time.Now()})
	return true
}

// change makes keys, and takes them back, at any node until ctx ends. A change without an answer says nothing.
func (h *history) change(ctx context.Context) {
	for ctx.Err() == nil {
		client := h.at.nodes[rand.N(len(h.at.nodes))].client
		k, err := client.CreateKey(ctx, keyward.CreateKeyRequest{WorkspaceID: h.at.ws, UserID: "ada", Name: "k"})
		if err == nil {
			one := &tracked{id: k.APIKey.ID, value: k.Key.Reveal()}
			h.mu.Lock()
			h.all = append(h.all, one)
			h.keys = append(h.keys, one)
			if len(h.keys) > 200 {
				h.keys = h.keys[1:]
			}
			h.mu.Unlock()
		}
		h.takeBack(ctx, client, h.any())
		time.Sleep(20 * time.Millisecond)
	}
}

// takeBack disables a key, and waits for all that may say VALID of it now and then.
func (h *history) takeBack(ctx context.Context, client *keyward.Client, k *tracked) {
	off := []keyward.KeyUpdate{{ID: k.id, IsActive: keyward.Set(false)}}
	k.touched.Store(true)
	if done, err := client.UpdateKeys(ctx, off); err == nil && len(done.Errors) == 0 {
		k.answered.CompareAndSwap(0, h.now())
	}
	if rand.N(3) > 0 {
		return
	}
	if done, err := client.UpdateKeys(ctx, off, keyward.WaitAll()); err == nil && len(done.Errors) == 0 &&
		done.Revocation != nil && done.Revocation.Effective == "everywhere" {
		k.answered.CompareAndSwap(0, h.now())
		k.everywhere.CompareAndSwap(0, h.now())
	}
}

// settled holds the end of the story against every place. R10: each acknowledged change is there.
func (h *history) settled(places map[string]asker) {
	h.t.Helper()
	for name, verify := range places {
		wrong := 0
		for _, k := range h.all {
			var want keyward.VerdictCode
			switch {
			case k.answered.Load() != 0:
				want = keyward.VerdictDisabled
			case !k.touched.Load():
				want = keyward.VerdictValid
			default:
				continue // the change had no answer
			}
			if got := finally(verify, k.value, want); got != want {
				wrong++
				if wrong < 4 {
					h.t.Errorf("%s: a key is %q, want %s as was acknowledged", name, got, want)
				}
			}
		}
	}
	h.t.Logf("%d VALID, %d DISABLED, %d nothing; %d keys", h.valid.Load(), h.denied.Load(), h.none.Load(), len(h.all))
	if !h.enough() {
		h.t.Error("too little happened for this to say anything")
	}
}

// enough tells whether these many events say something.
func (h *history) enough() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	everywhere := 0
	for _, k := range h.all {
		if k.everywhere.Load() != 0 {
			everywhere++
		}
	}
	return h.valid.Load() >= 500 && h.denied.Load() >= 100 && len(h.all) >= 15 && everywhere >= 2
}

// finally is the answer of a place once it says what is wanted, or else after a while.
func finally(verify asker, value string, want keyward.VerdictCode) (got keyward.VerdictCode) {
	for end := time.Now().Add(3 * limit); ; time.Sleep(20 * time.Millisecond) {
		if got = verify(context.Background(), value); got == want || time.Now().After(end) {
			return got
		}
	}
}

// within holds admissions against the limits. R4, R5: no minute has more than its limit, also around the
// moment when Redis forgets what it knew. R6: nor has a day.
func (h *history) within() {
	h.t.Helper()
	sum := 0
	at := func(t time.Time) string { return t.Sub(h.began).Round(100 * time.Millisecond).String() }
	hold := func(what string, minute, perDay int, all []rig.Admission) {
		sum += len(all)
		if n := rig.Most(all, time.Minute); minute > 0 && n > minute {
			h.t.Errorf("%s: %d of %d per minute were admitted", what, n, minute)
			seconds := map[string]int{}
			for _, a := range all {
				seconds[at(a.End)]++
			}
			h.t.Log(seconds)
		}
		if n := rig.Most(all, 24*time.Hour); perDay > 0 && n > perDay {
			h.t.Errorf("%s: %d of %d per day were admitted", what, n, perDay)
		}
		h.t.Logf("%s of %d per minute and %d per day: %d", what, minute, perDay, len(all))
	}
	for _, k := range h.limited {
		hold("a key", k.minute, k.perDay, k.admitted)
	}
	for _, p := range h.plans {
		var all []rig.Admission
		for _, k := range p.keys {
			all = append(all, k.admitted...)
		}
		hold("a plan", p.minute, p.perDay, all)
	}
	if sum == 0 {
		h.t.Error("nothing was admitted")
	}
}
