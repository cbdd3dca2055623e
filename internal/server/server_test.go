package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/server"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(withPostgres{m}) }

// withPostgres runs the tests beside a PostgreSQL server for those that want one.
type withPostgres struct{ *testing.M }

func (w withPostgres) Run() int { return pgtest.Main(w.M) }

func settings(t *testing.T) config.Config {
	cfg := config.Default()
	cfg.Addr, cfg.Database = "127.0.0.1:0", filepath.Join(t.TempDir(), "keyward.db")
	return cfg
}

// start runs a server; stop ends it and returns Run's result.
func start(t *testing.T, cfg config.Config, opt server.Options) (s *server.Server, stop func() error) {
	t.Helper()
	s, err := server.New(t.Context(), cfg, opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-ended, s.Close())
	})
	t.Cleanup(func() { _ = stop() })
	return s, stop
}

// A load balancer asks /readyz now and then: it is told no while everything is still answered.
func TestANodeThatStopsIsAnnouncedBeforeItClosesAnything(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.DrainDelay = 2 * time.Second
	s, stop := start(t, cfg, server.Options{})
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- stop() }()
	var refused int
	for time.Since(began) < cfg.DrainDelay-500*time.Millisecond {
		if status, _ := get(t, s.URL()+"/readyz"); status == http.StatusServiceUnavailable {
			refused++
		}
		if status, _ := get(t, s.URL()+"/healthz"); status != http.StatusOK {
			t.Errorf("/healthz says %d while the node is being left", status)
		}
	}
	if refused == 0 {
		t.Error("/readyz never said 503")
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < cfg.DrainDelay {
		t.Errorf("it stopped after %v", took)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestTheFirstStartTellsTheRootKeyOnceAndNeverInTheLogT18(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.LogLevel = -8
	var notice, log rig.Output
	s, stop := start(t, cfg, server.Options{Notice: &notice, Log: &log})
	root := s.Minted().Reveal()
	if n := strings.Count(notice.String(), root); root == "" || n != 1 {
		t.Errorf("the root key is told %d times", n)
	}
	named := strings.Replace(s.URL(), "127.0.0.1", "localhost", 1) // for which browsers make passkeys
	if !strings.Contains(notice.String(), "Keyward is at "+named+"\n") ||
		!strings.Contains(notice.String(), named+"/signin/link") ||
		!strings.Contains(notice.String(), s.URL()) {
		t.Errorf("the address is not told:\n%s", notice.String())
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), root[:16]) || !strings.Contains(log.String(), `"msg":"stopped"`) {
		t.Errorf("the log:\n%s", log.String())
	}
	var second rig.Output
	again, _ := start(t, cfg, server.Options{Notice: &second})
	if !again.Minted().IsZero() || strings.Contains(second.String(), "root key, shown") {
		t.Error("a second start minted another root key")
	}
}

// broken cannot be written to.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestARootKeyThatCannotBeToldStopsTheStart(t *testing.T) {
	t.Parallel()
	_, err := server.New(t.Context(), settings(t), server.Options{Notice: broken{}})
	if err == nil || !strings.Contains(err.Error(), "KEYWARD_ROOT_KEY") {
		t.Errorf("%v", err)
	}
}

func TestAnAddressInUseStopsTheStartBeforeARootKeyIsMade(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := settings(t)
	cfg.Addr = taken.Addr().String()
	if _, err := server.New(t.Context(), cfg, server.Options{}); err == nil ||
		!strings.HasPrefix(err.Error(), "KEYWARD_ADDR: ") {
		t.Errorf("%v", err)
	}
	cfg.Addr = "127.0.0.1:0"
	s, _ := start(t, cfg, server.Options{})
	if s.Minted().IsZero() {
		t.Error("the refused start had made the root key, and nobody saw it")
	}
}

func TestMetricsMoveToAListenerOfTheirOwn(t *testing.T) {
	t.Parallel()
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := settings(t)
	cfg.MetricsAddr = free.Addr().String()
	_ = free.Close()
	s, _ := start(t, cfg, server.Options{Version: "v9"})
	if code, _ := get(t, s.URL()+"/metrics"); code != http.StatusNotFound {
		t.Errorf("the main address answers /metrics with %d", code)
	}
	code, body := get(t, "http://"+cfg.MetricsAddr+"/metrics")
	if code != http.StatusOK || !strings.Contains(body, `keyward_build_info{`) ||
		!strings.Contains(body, "keyward_replica_ready 1") {
		t.Errorf("%d\n%s", code, body)
	}
	if code, _ := get(t, "http://"+cfg.MetricsAddr+"/healthz"); code != http.StatusNotFound {
		t.Errorf("the listener for metrics answers more than those: %d", code)
	}
}

func TestAStopAnswersWhatHasBegunAndTakesNothingMore(t *testing.T) {
	t.Parallel()
	s, stop := start(t, settings(t), server.Options{})
	if code, body := get(t, s.URL()+"/readyz"); code != http.StatusOK || !strings.Contains(body, "ready") {
		t.Fatalf("%d %s", code, body)
	}
	address := strings.TrimPrefix(s.URL(), "http://")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := `{"name": "Acme", "owner": {"userId": "ada", "email": "ada@example.com"}}`
	fmt.Fprintf(
		conn,
		"POST /api/v2/workspaces HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
			"Content-Length: %d\r\n\r\n%s",
		address,
		s.Minted().Reveal(),
		len(body),
		body[:10],
	)
	time.Sleep(50 * time.Millisecond) // the server is reading the body now
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for s.Ready() {
		time.Sleep(time.Millisecond)
	}
	if other, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		_ = other.SetDeadline(time.Now().Add(time.Second))
		if _, err := other.Read(make([]byte, 1)); err == nil {
			t.Error("a new connection was served")
		}
		_ = other.Close()
	}
	fmt.Fprint(conn, body[10:])
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("the request that had begun was cut off: %v", err)
	}
	defer resp.Body.Close()
	var answer struct{ Success bool }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusCreated ||
		!answer.Success {
		t.Errorf("%d, %v, %v", resp.StatusCode, answer, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestAStartThatIsInterruptedLeavesTheDatabaseFree(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := server.New(ctx, cfg, server.Options{}); err == nil {
		t.Fatal("a start went through under a context that had ended")
	}
	start(t, cfg, server.Options{})
}

func TestAHeaderIsNotWaitedForLongerThanFiveSecondsAndNotReadBeyondItsBound(t *testing.T) {
	t.Parallel()
	s, _ := start(t, settings(t), server.Options{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", 32<<10))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long header is answered %d", resp.StatusCode)
	}
	slow, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	began := time.Now()
	fmt.Fprint(slow, "GET /healthz HTTP/1.1\r\nHost: x\r\n")
	_ = slow.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, slow); err != nil {
		t.Errorf("the connection is still open after %s: %v", time.Since(began), err)
	}
}
