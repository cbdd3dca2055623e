package acceptance_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward"
)

// leakRounds is how many rounds of work say something.
const leakRounds = 100

// TestT92UnderLoadNothingGrows has clients do everything that leaves traces if it is forgotten: keys made and
// deleted, connections that come and go, that say nothing, half a request, or nonsense, bodies that are too large,
// answers that are not read. The server's goroutines, descriptors and heap are at the end as they were once it was
// warm. KEYWARD_SOAK_MINUTES has it take longer.
func TestT92UnderLoadNothingGrows(t *testing.T) {
	t.Parallel()
	length := 6 * time.Second
	if n, err := strconv.Atoi(os.Getenv("KEYWARD_SOAK_MINUTES")); err == nil {
		length = time.Duration(n) * time.Minute
	}
	p := start(t)
	p.stop(t)
	p = p.again(t, "KEYWARD_LOG_LEVEL=error")
	c, err := keyward.New(p.url, keyward.WithToken(p.root), keyward.WithRetry(0))
	if err != nil {
		t.Fatal(err)
	}
	w, err := c.CreateWorkspace(
		t.Context(), keyward.CreateWorkspaceRequest{Name: "W", Owner: &keyward.Owner{UserID: "ana", Email: "ana@acme.test"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	client := &leaky{T: t, p: p, c: c, ws: w.ID}
	client.load(length/3, leakRounds/3)
	before := client.resting()
	client.load(length*2/3, leakRounds)
	after := client.resting()
	t.Logf("%d rounds; before: %v, after: %v", client.rounds, before, after)
	if client.rounds < leakRounds {
		t.Errorf("only %d rounds", client.rounds)
	}
	for name, slack := range map[string]float64{"go_goroutines": 8, "process_open_fds": 8,
		"go_memstats_heap_alloc_bytes": before["go_memstats_heap_alloc_bytes"]/2 + 8<<20} {
		if after[name] > before[name]+slack {
			t.Errorf("%s: %.0f, and %.0f before", name, after[name], before[name])
		}
	}
}

type leaky struct {
	*testing.T
	p      *process
	c      *keyward.Client
	ws     string
	mu     sync.Mutex
	rounds int
}

// load works for a time, and on until as many rounds are done in all, which a busy machine needs longer for.
func (l *leaky) load(length time.Duration, rounds int) {
	ctx, cancel := context.WithTimeout(context.Background(), length+2*time.Minute)
	defer cancel()
	end := time.Now().Add(length)
	var all sync.WaitGroup
	for seed := range uint64(6) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(length)))
			for done := 0; (time.Now().Before(end) || done < rounds) && ctx.Err() == nil; {
				l.keys(ctx)
				l.connection(r)
				l.mu.Lock()
				l.rounds++
				done = l.rounds
				l.mu.Unlock()
			}
		})
	}
	all.Wait()
}

// keys makes one, uses and deletes it.
func (l *leaky) keys(ctx context.Context) {
	k, err := l.c.CreateKey(ctx, keyward.CreateKeyRequest{WorkspaceID: l.ws, UserID: "ana", Name: "k",
		RateLimit: keyward.Set(keyward.Limits{RequestsPerMinute: keyward.Set(100), RequestsPerDay: keyward.Set(1000)})})
	if err == nil {
		for range 5 {
			_, err = l.c.Verify(ctx, keyward.VerifyRequest{Key: k.Key.Reveal()})
		}
	}
	if err == nil {
		_, err = l.c.RotateKey(ctx, k.APIKey.ID, time.Minute)
	}
	if err == nil {
		_, err = l.c.ListKeys(ctx, keyward.ListKeysOptions{WorkspaceID: l.ws})
	}
	if k.APIKey.ID != "" {
		if _, e := l.c.DeleteKey(context.WithoutCancel(ctx), k.APIKey.ID); err == nil {
			err = e
		}
	}
	if err != nil && ctx.Err() == nil {
		l.Error(err)
	}
}

// connection is one that ends in some way, not always a good one.
func (l *leaky) connection(r *rand.Rand) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(l.p.url, "http://"))
	if err != nil {
		l.Error(err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	head := "POST /api/v2/api-keys/verify HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + l.p.root +
		"\r\nContent-Type: application/json\r\n"
	switch r.IntN(7) {
	case 0: // says nothing
	case 1:
		_, _ = io.WriteString(conn, head[:40])
	case 2:
		_, _ = io.WriteString(conn, head+"Content-Length: 100\r\n\r\n{\"key\":")
	case 3:
		_, _ = io.WriteString(conn, "\x16\x03\x01 nonsense\r\n\r\n")
		_, _ = io.ReadAll(conn)
	case 4:
		_, _ = io.WriteString(conn, head+"Content-Length: 2000000\r\n\r\n")
		_, _ = conn.Write(bytes.Repeat([]byte("x"), 100_000))
	case 5: // asks and does not read
		_, _ = io.WriteString(conn, strings.Repeat(head+"Content-Length: 11\r\n\r\n{\"key\":\"x\"}", 20))
	case 6:
		_, _ = io.WriteString(
			conn,
			"GET /api/v2/workspaces HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "+l.p.root+"\r\nConnection: close\r\n\r\n",
		)
		_, _ = io.ReadAll(conn)
	}
}

// resting is the state of the idle server: the least of some looks, because the garbage collector runs at its own
// times.
func (l *leaky) resting() map[string]float64 {
	least := map[string]float64{}
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		for name, v := range l.measured() {
			if known, ok := least[name]; !ok || v < known {
				least[name] = v
			}
		}
	}
	return least
}

func (l *leaky) measured() map[string]float64 {
	l.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport}).Get(l.p.url + "/metrics")
	if err != nil {
		l.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		l.Fatal(err)
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		for _, name := range []string{"go_goroutines", "process_open_fds", "go_memstats_heap_alloc_bytes"} {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
				if out[name], err = strconv.ParseFloat(value, 64); err != nil {
					l.Fatal(err)
				}
			}
		}
	}
	if len(out) != 3 {
		l.Fatalf("%v of %d bytes", out, len(text))
	}
	return out
}
