package followers_test

import (
	"bytes"
	"context"
	"io"
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
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/verifier"
)

// asked is one key of a history: when it was good, and when it was said to be so no more.
type asked struct {
	id, value  string
	answered   atomic.Int64 // nanoseconds after the beginning: the change was answered; 0 before
	everywhere atomic.Int64 // the change that waits was answered
}

// history holds every answer of every follower against the promises, while keys are taken back.
type history struct {
	t     *testing.T
	core  *core
	began time.Time
	limit time.Duration

	mu     sync.Mutex
	keys   []*asked
	valid  atomic.Int64 // answers that said so
	denied atomic.Int64
	none   atomic.Int64 // answers that said nothing
}

func (h *history) now() int64 { return int64(time.Since(h.began)) }

func (h *history) any() *asked {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.keys[rand.N(len(h.keys))]
}

// ask has a follower asked until ctx ends. R1: no VALID to a question that began later than the answer to the change
// plus the limit, and none at all to one that began after wait=all was answered.
func (h *history) ask(ctx context.Context, name string, verify func(context.Context, string) keyward.VerdictCode) {
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

// change makes keys, and takes them back, until ctx ends. A change without an answer says nothing.
func (h *history) change(ctx context.Context) {
	for ctx.Err() == nil {
		k, err := h.core.client.CreateKey(ctx, keyward.CreateKeyRequest{WorkspaceID: h.core.ws, UserID: "ada", Name: "k"})
		if err == nil {
			one := &asked{id: k.APIKey.ID, value: k.Key.Reveal()}
			h.mu.Lock()
			h.keys = append(h.keys, one)
			if len(h.keys) > 200 {
				h.keys = h.keys[1:]
			}
			h.mu.Unlock()
		}
		off := []keyward.KeyUpdate{{ID: h.any().id, IsActive: keyward.Set(false)}}
		taken := h.by(off[0].ID)
		if done, err := h.core.client.UpdateKeys(ctx, off); err == nil && len(done.Errors) == 0 {
			taken.answered.CompareAndSwap(0, h.now())
		}
		if rand.N(3) == 0 {
			if done, err := h.core.client.UpdateKeys(ctx, off, keyward.WaitAll()); err == nil && len(done.Errors) == 0 {
				taken.everywhere.CompareAndSwap(0, h.now())
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (h *history) by(id string) *asked {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range h.keys {
		if k.id == id {
			return k
		}
	}
	return &asked{}
}

// replayer is a proxy that goes wrong: it holds answers back, or answers with an earlier one.
type replayer struct {
	to    string
	wrong atomic.Pointer[string] // replay, or buffer; nil while it does right
	mu    sync.Mutex
	kept  [][]byte // answers to questions for a page
}

func (p *replayer) does(what string) bool {
	wrong := p.wrong.Load()
	return wrong != nil && *wrong == what
}

// during has the proxy do wrong for longer than the limit.
func (p *replayer) during(what string) {
	p.wrong.Store(&what)
	time.Sleep(limit * 2)
	p.wrong.Store(nil)
}

func (p *replayer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page := r.URL.Path == "/api/v2/feed"
	if page && p.does("replay") {
		p.mu.Lock()
		kept := p.kept[len(p.kept)-1]
		p.mu.Unlock()
		time.Sleep(limit / 5) // longer than it says that it was held
		w.Header().Set("Content-Type", "application/x-ndjson")
		_, _ = w.Write(kept)
		return
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+p.to+r.URL.String(), r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header = r.Header.Clone()
	out.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if page && resp.StatusCode == http.StatusOK && bytes.Contains(body, []byte(`"cursor"`)) {
		p.mu.Lock()
		p.kept = append(p.kept, body)
		p.mu.Unlock()
		if p.does("buffer") {
			time.Sleep(limit * 9 / 10)
		}
	}
	for _, name := range []string{"Content-Type", "Retry-After"} {
		w.Header().Set(name, resp.Header.Get(name))
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(body)
}

// Real followers of each kind, on a unix socket, over TCP, in this process and at the end of a chain, while links are
// cut, muted and slow, a proxy replays old answers, processes are frozen and killed, and keys are taken back.
func TestT110HistoriesOfFollowersUnderFaults(t *testing.T) {
	t.Parallel()
	for name, place := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runHistory(t, place(t))
		})
	}
}

func runHistory(t *testing.T, database string) {
	rounds, _ := strconv.Atoi(os.Getenv("KEYWARD_SOAK_FOLLOWERS"))
	rounds = max(rounds, 1)
	c := startCore(t, database, limit)
	token := c.service().Key.Reveal()
	link := rig.NewLink(t, c.addr)
	proxy := &replayer{to: c.addr}
	wrong := httptest.NewServer(proxy)
	t.Cleanup(wrong.Close)
	sidecar := c.followAt(filepath.Join(t.TempDir(), "k.sock"), link.Addr, token).ready()
	behind := c.follow(strings.TrimPrefix(wrong.URL, "http://"), token)
	hub := c.follow(link.Addr, token, "--feed")
	last := c.follow(hub.addr, token)
	own, err := verifier.New(t.Context(), verifier.Config{
		URL: "http://" + link.Addr, Token: token, MaxStaleness: limit, Logger: slog.New(slog.DiscardHandler),
	})
	check(t, err)
	t.Cleanup(func() { _ = own.Close() })

	h := &history{t: t, core: c, began: time.Now(), limit: limit}
	id, value := c.key()
	h.keys = []*asked{{id: id, value: value}}
	ctx, stop := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() { h.change(ctx) })
	for name, p := range map[string]*process{"the sidecar": sidecar, "behind the proxy": behind, "the hub": hub, "the last": last} {
		tasks.Go(func() { h.ask(ctx, name, p.quick) })
	}
	tasks.Go(func() {
		h.ask(ctx, "in process", func(ctx context.Context, value string) keyward.VerdictCode {
			v, err := own.Verify(ctx, keyward.VerifyRequest{Key: value})
			if err != nil {
				return ""
			}
			return v.Code
		})
	})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	faults := map[string]func(){
		"cut":      func() { link.Cut(); pause(random, limit); link.Mend() },
		"mute":     func() { link.Mute(); pause(random, limit); link.Mend() },
		"slow":     func() { link.Delay(100 * time.Millisecond); pause(random, limit); link.Delay(0) },
		"replay":   func() { proxy.during("replay") },
		"buffer":   func() { proxy.during("buffer") },
		"freeze":   func() { sidecar.freeze(); last.freeze(); pause(random, limit); sidecar.thaw(); last.thaw() },
		"kill hub": func() { hub.Kill(); pause(random, limit/2); hub.again() },
		"kill":     func() { c.Kill(); c.again() },
	}
	run := func(name string) {
		t.Log(time.Since(h.began).Round(time.Millisecond), name)
		faults[name]()
	}
	names := slices.Sorted(maps.Keys(faults))
	if !soaking {
		run("replay")
		run("buffer")
		names = names[random.IntN(len(names)):][:1]
	}
	for range rounds {
		for _, i := range random.Perm(len(names)) {
			run(names[i])
		}
	}
	stop()
	tasks.Wait()
	t.Logf("%d VALID, %d DISABLED, %d nothing", h.valid.Load(), h.denied.Load(), h.none.Load())
	if h.valid.Load() == 0 || h.denied.Load() == 0 {
		t.Error("the followers never answered")
	}
	id, value = c.key()
	for name, p := range map[string]*process{"the sidecar": sidecar, "behind the proxy": behind, "the hub": hub, "the last": last} {
		p.eventually(value, keyward.VerdictValid, name+", when all is well again")
	}
	c.disable(id, keyward.WaitAll())
	for name, p := range map[string]*process{"the sidecar": sidecar, "behind the proxy": behind, "the hub": hub, "the last": last} {
		p.must(value, keyward.VerdictDisabled, name+", after wait=all")
	}
}

// pause lasts for so long at most, and at least for half of that.
func pause(r *rand.Rand, most time.Duration) {
	time.Sleep(most/2 + time.Duration(r.Int64N(int64(most/2))))
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
