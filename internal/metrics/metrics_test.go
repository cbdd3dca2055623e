package metrics_test

import (
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/metrics"
)

// allowed are all labels there may be, and they come from small sets: nothing that a caller names. "quantile" and "le"
// are Prometheus's own.
var allowed = []string{"operation", "method", "status", "code", "version", "goversion"}

func full() *metrics.Metrics {
	m := metrics.New("v1.2.3")
	zero := func() float64 { return 0 }
	m.Observe(
		metrics.Gauges{
			ReplicaKeys: func() float64 { return 7 }, ReplicaAge: func() time.Duration { return 1500 * time.Millisecond },
			ReplicaRevision: zero, ReplicaReady: func() bool { return true }, StoreCommits: zero, StoreGroups: zero,
			StoreRejected: zero, DatabaseBytes: zero,
		},
	)
	m.ObserveRequest("createApiKey", "POST", 201, .003)
	m.ObserveVerdict("VALID")
	return m
}

func TestNoMetricHasALabelThatNamesAKeyOrAnybodyT94(t *testing.T) {
	t.Parallel()
	families, err := full().Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "keyward_") {
			continue
		}
		own++
		for _, metric := range f.GetMetric() {
			for _, label := range metric.GetLabel() {
				if !slices.Contains(allowed, label.GetName()) {
					t.Errorf("%s has the label %s", f.GetName(), label.GetName())
				}
			}
		}
	}
	if own != 12 {
		t.Errorf("%d metrics were looked at, want 12", own)
	}
}

func TestTheNumbersAreAnsweredInPrometheussForm(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	full().Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`keyward_http_requests_total{method="POST",operation="createApiKey",status="201"} 1`,
		`keyward_verdicts_total{code="VALID"} 1`,
		`keyward_replica_keys 7`,
		`keyward_replica_age_seconds 1.5`,
		`keyward_replica_ready 1`,
		`version="v1.2.3"`,
		`go_goroutines`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %s", want)
		}
	}
}
