//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	hookEndpoints = 10   // that answer; as many more never do
	hookEvents    = 2000 // keys made in one round, each of which is told to every endpoint
	hookCallers   = 8    // that make keys
	hookSingles   = 21   // single notices
	hookPatience  = 3 * time.Minute
)

func init() {
	children["receive"] = receiveChild
	children["post"] = postChild
}

// received is what a receiver has counted.
type received struct {
	N    int64 // notices
	Last int64 // when the latest one came, in nanoseconds since 1970
}

// receiveChild takes notices at /live, and keeps those at /dead waiting for an answer.
func receiveChild(args []string) error {
	var n, last atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(received{n.Load(), last.Load()})
	})
	mux.HandleFunc("POST /live", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		last.Store(time.Now().UnixNano())
		n.Add(1)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /dead", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	return http.ListenAndServe(args[0], mux)
}

// postChild posts a notice's body again and again over some connections, each of which waits for its answers, and
// prints how many were answered in a second. It is the baseline of sending: no log, no queue, no signature.
func postChild(args []string) error {
	lines, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	each, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: lines}}
	failed := make([]error, lines)
	start := time.Now()
	var work sync.WaitGroup
	for i := range lines {
		work.Go(func() {
			for range each {
				answer, err := client.Post("http://"+args[0]+"/live", "application/json", strings.NewReader(aNotice))
				if err != nil {
					failed[i] = err
					return
				}
				_ = answer.Body.Close()
			}
		})
	}
	work.Wait()
	fmt.Println(float64(lines*each) / time.Since(start).Seconds())
	return errors.Join(failed...)
}

// aNotice is as long as that of a key that was made.
const aNotice = `{"type":"api_key.created","timestamp":"2026-11-04T09:31:00.000Z","data":{"actorId":"u-1842",` +
	`"apiKeyId":"019a5c42-1f08-7c3a-8b52-6d0e9f4a7c21","environment":"live","expiresAt":null,"userId":"u-1842",` +
	`"workspaceId":"019a5c3e-7b10-7a44-9c1d-2f6b8e0d4a11"}}`

// hooks are the endpoints of a site's workspace.
type hooks struct {
	*site
	l        *lab
	receiver *process
	dead     []string // ids
	n, m     int      // endpoints that answer; keys of a round
}

// openHooks starts a receiver on the second processor and makes the endpoints.
func (l *lab) openHooks(s *site) (*hooks, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	h := &hooks{site: s, l: l, n: l.most(hookEndpoints, 2), m: l.most(hookEvents, 20)}
	if h.receiver, err = begin(pinned(1, self, childWord, "receive", addr), addr); err != nil {
		return nil, err
	}
	for i := range 2 * h.n {
		path, active := "/live", true
		if i >= h.n {
			path, active = "/dead", false
		}
		body := `{"workspaceId":"` + s.ws + `","url":"http://` + addr + path + `","events":["api_key.created"]}`
		id, err := s.post("/api/v2/webhooks", body, "webhook", "id")
		if err == nil && !active {
			h.dead = append(h.dead, id)
			_, err = s.ask(http.MethodPatch, "/api/v2/webhooks/"+id, `{"isActive":false}`, "webhook", "id")
		}
		if err != nil {
			h.receiver.stop()
			return nil, err
		}
	}
	return h, nil
}

// toll switches the endpoints that never answer on or off.
func (h *hooks) toll(on bool) error {
	for _, id := range h.dead {
		body := fmt.Sprintf(`{"isActive":%t}`, on)
		if _, err := h.ask(http.MethodPatch, "/api/v2/webhooks/"+id, body, "webhook", "id"); err != nil {
			return err
		}
	}
	return nil
}

func (h *hooks) count() (r received, err error) {
	answer, err := http.Get("http://" + h.receiver.addr + "/count")
	if err != nil {
		return r, err
	}
	defer answer.Body.Close()
	return r, json.NewDecoder(answer.Body).Decode(&r)
}

// await waits until so many notices have come, and returns when the last of them did.
func (h *hooks) await(n int64) (time.Time, error) {
	for end := time.Now().Add(hookPatience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		r, err := h.count()
		if err != nil || r.N >= n {
			return time.Unix(0, r.Last), err
		}
	}
	return time.Time{}, fmt.Errorf("not all notices came within %s", hookPatience)
}

// makeKeys makes keys, and returns when the last of them was answered.
func (h *hooks) makeKeys(n int) (time.Time, error) {
	body := `{"workspaceId":"` + h.ws + `","userId":"u-1","name":"told","permissions":["calls:read"]}`
	left := atomic.Int64{}
	left.Store(int64(n))
	failed := make([]error, hookCallers)
	var work sync.WaitGroup
	for i := range failed {
		work.Go(func() {
			for left.Add(-1) >= 0 && failed[i] == nil {
				_, failed[i] = h.post("/api/v2/api-keys", body, "apiKey", "id")
			}
		})
	}
	work.Wait()
	return time.Now(), errors.Join(failed...)
}

// round makes keys and waits for their notices: how many came in a second, from the first key on, and the milliseconds
// from the answer to the last key until the last notice.
func (h *hooks) round(n int) (rate, lag float64, err error) {
	before, err := h.count()
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	made, err := h.makeKeys(n)
	if err != nil {
		return 0, 0, err
	}
	last, err := h.await(before.N + int64(n*h.n))
	if err != nil {
		return 0, 0, err
	}
	return float64(n*h.n) / last.Sub(start).Seconds(), max(micros(last.Sub(made)), 1) / 1000, nil
}

// bare is the rate of a client that posts as many bodies over as many connections, on the server's processor.
func (h *hooks) bare() (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := pinned(0, self, childWord, "post", h.receiver.addr, strconv.Itoa(h.n), strconv.Itoa(h.m))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, h.l.log
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("post: %w", err)
	}
	return strconv.ParseFloat(strings.TrimSpace(out.String()), 64)
}

// webhooks measures how fast the notices of a log go out, what endpoints that never answer hold back, and what a
// verification takes meanwhile. The server runs on one processor; the receiver and the callers have the other.
func webhooks(_ context.Context, l *lab) (result, error) {
	s, err := l.openSite("KEYWARD_WEBHOOK_ALLOW_NETWORKS=127.0.0.0/8")
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	h, err := l.openHooks(s)
	if err != nil {
		return result{}, err
	}
	defer h.receiver.stop()
	if _, _, err := h.round(1); err != nil { // the sender knows the endpoints
		return result{}, err
	}
	var r result
	err = h.rates(&r)
	if err == nil {
		err = h.singles(&r)
	}
	if err == nil {
		err = h.verifications(&r)
	}
	return r, err
}

// rates holds the sending against bare posts, and against itself with endpoints that never answer.
func (h *hooks) rates(r *result) error {
	var lags, burdened []float64
	rates, ratios, err := h.l.rivals(h.bare, func() (float64, error) {
		rate, lag, err := h.round(h.m)
		lags = append(lags, lag)
		return rate, err
	}, func() (float64, error) {
		if err := h.toll(true); err != nil {
			return 0, err
		}
		rate, lag, err := h.round(h.m)
		burdened = append(burdened, lag)
		return rate, errors.Join(err, h.toll(false))
	})
	if err != nil {
		return err
	}
	what := fmt.Sprintf("notices of %d keys to %d endpoints", h.m, h.n)
	r.figures = append(
		r.figures,
		figure{what: what, unit: "notices/s", value: rates[1], baseline: rates[0], ratio: ratios[1],
			against: "a client that only posts"},
		figure{what: "the last of them, after the last key", unit: "ms", value: median(lags)},
		figure{what: fmt.Sprintf("the same beside %d endpoints that never answer", h.n), unit: "notices/s", value: rates[2],
			baseline: rates[1], ratio: ratios[2] / ratios[1], against: "without them", must: atLeast(0.8)},
		figure{what: "the last of them, after the last key", unit: "ms", value: median(burdened), baseline: median(lags),
			against: "without them"},
	)
	return nil
}

// singles measures a notice while there is nothing else to tell.
func (h *hooks) singles(r *result) error {
	var lags []float64
	for range h.l.most(hookSingles, 3) {
		_, lag, err := h.round(1)
		if err != nil {
			return err
		}
		lags = append(lags, lag)
	}
	what := fmt.Sprintf("one key, until the last of %d endpoints is told, median", h.n)
	r.figures = append(
		r.figures,
		figure{what: what, unit: "ms", value: median(lags)},
		figure{what: "the same, the slowest", unit: "ms", value: slices.Max(lags)},
	)
	return nil
}

// verifications measures a few callers while notices are sent, and while none is.
func (h *hooks) verifications(r *result) error {
	const few = 4
	tail := func() (float64, error) {
		found, err := h.l.fire(h.addr, h.verification(), `"code":"VALID"`, few)
		return found.P99, err
	}
	times, ratios, err := h.l.rivals(
		func() (float64, error) {
			if !h.l.quick {
				time.Sleep(lent)
			}
			return tail()
		},
		func() (float64, error) {
			before, err := h.count()
			if err != nil {
				return 0, err
			}
			if _, err := h.makeKeys(2 * h.m); err != nil {
				return 0, err
			}
			p99, err := tail()
			if err != nil {
				return 0, err
			}
			now, err := h.count()
			want := before.N + int64(2*h.m*h.n)
			if err == nil && now.N >= want && !h.l.quick {
				err = errors.New("the notices were sent before the verifications ended: give a shorter -span")
			}
			if err == nil {
				_, err = h.await(want)
			}
			return p99, err
		})
	if err != nil {
		return err
	}
	r.figures = append(r.figures, figure{what: "verify by 4 callers, p99, while notices are sent", unit: "µs",
		value: times[1], baseline: times[0], ratio: ratios[1], against: "while none is"})
	return nil
}
