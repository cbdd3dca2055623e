package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/server"
)

// The lines of requests are gathered; a stop in order leaves none of them behind.
func TestAStopWritesEveryLineThatStillWaits(t *testing.T) {
	t.Parallel()
	log := &rig.Output{}
	s, stop := start(t, settings(t), server.Options{Log: log})
	const n = 200
	for range n {
		answer, err := http.Get(s.URL() + "/docs/style.css")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(log.String(), `"operation":"getReferenceFile"`); got != n {
		t.Errorf("%d lines for %d requests", got, n)
	}
}
