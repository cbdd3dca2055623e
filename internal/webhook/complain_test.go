package webhook

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestTheSameComplaintIsLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	now := time.Duration(0)
	s := New(Config{Log: slog.New(slog.NewTextHandler(&log, nil)), Elapsed: func() time.Duration { return now }})
	for range 130 {
		s.complain(t.Context(), "the lease was not renewed", errors.New("full"))
		now += time.Second
	}
	s.complain(t.Context(), "another", errors.New("full"))
	over, end := context.WithCancel(t.Context())
	end()
	s.complain(over, "a third", errors.New("ended"))
	if got := strings.Count(log.String(), "\n"); got != 4 || !strings.Contains(log.String(), "another") {
		t.Errorf("%d lines, want 4:\n%s", got, log.String())
	}
}
