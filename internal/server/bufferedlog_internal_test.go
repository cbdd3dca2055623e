package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// gatedOutput takes nothing while it is shut.
type gatedOutput struct {
	mu   sync.Mutex
	open chan struct{}
	text bytes.Buffer
}

func newGatedOutput() *gatedOutput { return &gatedOutput{open: make(chan struct{})} }

func (g *gatedOutput) Write(p []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.Write(p)
}

func (g *gatedOutput) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.String()
}

func jsonLog(l *bufferedLog) *slog.Logger {
	return slog.New(newLevelHandler(l, func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) }))
}

func TestALogThatNothingReadsKeepsNoRequestWaitingAndCountsWhatItLoses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 20_000
		out := newGatedOutput()
		l := newBufferedLog(out)
		log := jsonLog(l)
		began := time.Now()
		for i := range n {
			log.Info("request", "number", i, "text", strings.Repeat("x", 200))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("requests waited %s for their lines", took)
		}
		lost := l.lost.Load()
		if lost == 0 || lost >= n {
			t.Errorf("%d of %d lines are counted as lost", lost, n)
		}
		close(out.open)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		kept := strings.Count(out.String(), "\n")
		if kept+int(lost) != n {
			t.Errorf("%d lines were written and %d counted as lost, of %d", kept, lost, n)
		}
		if room := logRoom + logReserve; len(out.String()) > 2*room {
			t.Errorf("%d bytes were kept", len(out.String()))
		}
	})
}

// Among a buffer full of lost lines a warning still finds room.
func TestAWarningWaitsForTheOutputOnceAndNotForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := newGatedOutput()
		l := newBufferedLog(out)
		log := jsonLog(l)
		for range 20_000 {
			log.Info("request", "text", strings.Repeat("x", 200))
		}
		began := time.Now()
		for i := range 100 {
			log.Warn("a warning", "number", i)
		}
		if took := time.Since(began); took == 0 || took > 2*logWait {
			t.Errorf("100 warnings waited %s", took)
		}
		close(out.open)
		synctest.Wait()
		log.Warn("another")
		if !strings.Contains(out.String(), `"another"`) {
			t.Error("a warning was not written before its caller went on, though the output takes lines again")
		}
		if got := strings.Count(out.String(), `"a warning"`); got != 100 {
			t.Errorf("%d of 100 warnings were written", got)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAStopGivesALogThatNothingReadsItsTimeAndNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := newGatedOutput()
		l := newBufferedLog(out)
		log := jsonLog(l)
		log.Info("stopping")
		synctest.Wait()
		log.Info("stopped")
		began := time.Now()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != logClose {
			t.Errorf("the stop took %s", took)
		}
		log.Warn("a late line")
		if got := l.lost.Load(); got != 2 {
			t.Errorf("%d lines are counted as lost, of 2", got)
		}
		close(out.open) // ends the goroutine
	})
}

type refusingOutput struct{ error }

func (r refusingOutput) Write([]byte) (int, error) { return 0, r.error }

func TestALineThatTheOutputRefusesIsCountedAndReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newBufferedLog(refusingOutput{errors.New("the reader is gone")})
		log := jsonLog(l)
		for range 3 {
			log.Warn("a warning")
		}
		if got := l.lost.Load(); got != 3 {
			t.Errorf("%d lines are counted as lost, of 3", got)
		}
		var report bytes.Buffer
		s := &Server{lines: l, log: slog.New(slog.NewTextHandler(&report, nil))}
		s.reportLost(t.Context())
		s.reportLost(t.Context())
		if got := strings.Count(report.String(), "lines=3"); got != 1 {
			t.Errorf("the loss of 3 lines is reported %d times: %s", got, report.String())
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestEachLineIsWrittenWholeWhoeverElseWrites(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 500
	var out bytes.Buffer
	l := newBufferedLog(&out)
	log := jsonLog(l)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				switch i % 3 {
				case 0:
					log.Info("request", "of", w)
				case 1:
					log.Info("a change", "of", w)
				default:
					_, _ = fmt.Fprintf(l, "{\"of\":%d}\n", w)
				}
			}
			log.Warn("the last", "of", w)
		})
	}
	all.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != writers*(each+1) || l.lost.Load() != 0 {
		t.Errorf("%d lines, and %d lost", len(lines), l.lost.Load())
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}") || strings.Count(line, "{") != 1 {
			t.Fatalf("not a line: %q", line)
		}
	}
}
