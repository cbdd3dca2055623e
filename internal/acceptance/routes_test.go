package acceptance_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/rig"
)

// A table that is read again while requests are decided drops none of them: each gets the answer of the table before or
// of the one after. A broken one changes nothing, and the log says where it is broken.
func TestARouteTableIsReadAgainUnderLoad(t *testing.T) {
	t.Parallel()
	const open = "routes:\n- {method: GET, path: /v1/calls, public: true}\n"
	const shut = "routes:\n- {method: GET, path: /v1/other, public: true}\n"
	table := filepath.Join(t.TempDir(), "routes.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(open)
	p := start(t)
	p.stop(t)
	p = p.again(t, "KEYWARD_ROUTES="+table, "KEYWARD_TRUSTED_PROXIES=127.0.0.1/32")
	hangup := func() {
		t.Helper()
		if err := p.command.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}

	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	defer client.CloseIdleConnections()
	ask := func() (int, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/check", nil)
		if err != nil {
			return 0, err
		}
		r.Header = http.Header{
			"X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {"/v1/calls"}, "X-Forwarded-For": {"203.0.113.7"},
		}
		a, err := client.Do(r)
		if err != nil {
			return 0, err
		}
		return a.StatusCode, a.Body.Close()
	}
	answers := func(want int) {
		t.Helper()
		rig.WaitFor(t, fmt.Sprint("the table that answers ", want), func() error {
			if got, err := ask(); err != nil || got != want {
				return fmt.Errorf("%d %v", got, err)
			}
			return nil
		})
	}
	answers(200)

	var passed, refused, wrong atomic.Int64
	stopped := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stopped:
					return
				default:
				}
				switch got, err := ask(); {
				case err == nil && got == 200:
					passed.Add(1)
				case err == nil && got == 403:
					refused.Add(1)
				default:
					wrong.Add(1)
					t.Errorf("%d %v", got, err)
				}
			}
		})
	}
	for range 5 {
		write(shut)
		hangup()
		answers(403)
		write(open)
		hangup()
		answers(200)
	}
	write("routes:\n- {method: GET, path: /v1/calls, pulbic: true}\n")
	hangup()
	rig.WaitFor(t, "the log to say what is wrong", func() error {
		if log := p.output.String(); !strings.Contains(log, "routes.yaml:2") || !strings.Contains(log, "pulbic") {
			return fmt.Errorf("it says %s", log[max(0, len(log)-500):])
		}
		return nil
	})
	for begin := time.Now(); time.Since(begin) < 100*time.Millisecond; {
		if got, err := ask(); got != 200 || err != nil {
			t.Fatalf("with a broken file: %d %v", got, err)
		}
	}
	close(stopped)
	load.Wait()
	if passed.Load() == 0 || refused.Load() == 0 || wrong.Load() > 0 {
		t.Errorf("%d passed, %d refused, %d got neither", passed.Load(), refused.Load(), wrong.Load())
	}
}
