package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/keyward/keyward/internal/metrics"
)

func TestScrapesInFlightAreBoundedT105(t *testing.T) {
	t.Parallel()
	m := metrics.New("test")
	release := make(chan struct{})
	begun := make(chan struct{}, 100)
	m.Observe(metrics.Gauges{ReplicaKeys: func() float64 {
		begun <- struct{}{}
		<-release
		return 1
	}})
	h := m.Handler()
	scrape := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return w.Code
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if code := scrape(); code != http.StatusOK {
				t.Errorf("one of three scrapes: %d", code)
			}
		})
	}
	for range 3 {
		<-begun
	}
	for range 50 {
		if code := scrape(); code != http.StatusServiceUnavailable {
			t.Errorf("a scrape beside three others: %d, want 503", code)
		}
	}
	close(release)
	wg.Wait()
}
