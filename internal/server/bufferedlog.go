package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of the log's buffer.
const (
	logRoom    = 1 << 20                // bytes of lines that wait for the output
	logReserve = 256 << 10              // bytes beyond that, for warnings and errors
	logBatch   = 16 << 10               // with so many bytes waiting the output is written at once
	logDelay   = 50 * time.Millisecond  // that a request's line waits for others
	logWait    = 250 * time.Millisecond // that a warning waits until it is written
	logClose   = 2 * time.Second        // that a stop waits for the output
	lostEvery  = 5 * time.Second        // lost lines are reported
)

// bufferedLog writes log lines from one goroutine, so that an output which nothing reads stops no caller: verification
// must go on when a pipe is full or a disk hangs. A line that finds no room in the buffer is dropped and counted.
// Buffered lines are lost on SIGKILL.
type bufferedLog struct {
	out  io.Writer
	wake chan struct{} // holds one token
	done chan struct{} // closed when the goroutine has ended
	lost atomic.Uint64 // lines that were dropped, or that the output did not take
	told uint64        // of them, by the last report

	mu        sync.Mutex
	waiting   []byte        // lines that the goroutine has not taken
	taken     []byte        // lines that it is writing
	added     uint64        // bytes that were ever put into waiting
	written   uint64        // bytes of them that the output took or refused
	progress  chan struct{} // closed when written grows; nil where no caller waits for that
	armed     bool          // a timer will wake the goroutine
	stuck     bool          // a wait was in vain, and nothing was written since: no caller waits
	closed    bool
	ended     bool // the goroutine writes nothing more
	abandoned bool // it did not end within logClose
}

func newBufferedLog(out io.Writer) *bufferedLog {
	l := &bufferedLog{out: out, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go l.run()
	return l
}

// Write takes whole lines of requests, and never waits.
func (l *bufferedLog) Write(p []byte) (int, error) {
	l.add(p, logRoom)
	return len(p), nil
}

// urgentLines is a bufferedLog for warnings and errors.
type urgentLines struct{ *bufferedLog }

func (u urgentLines) Write(p []byte) (int, error) {
	u.add(p, logRoom+logReserve)
	return len(p), nil
}

func (l *bufferedLog) add(p []byte, room int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended: // a late line
		if _, err := l.out.Write(p); err != nil {
			l.lose(p)
		}
		return
	case l.abandoned || len(l.waiting)+len(p) > room:
		l.lose(p)
		return
	}
	l.waiting = append(l.waiting, p...)
	l.added += uint64(len(p))
	switch {
	case len(l.waiting) >= logBatch:
		l.signal()
	case !l.armed:
		l.armed = true
		time.AfterFunc(logDelay, l.signal)
	}
}

func (l *bufferedLog) lose(p []byte) { l.lost.Add(uint64(bytes.Count(p, []byte{'\n'}))) }

// signal wakes the goroutine.
func (l *bufferedLog) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run writes waiting lines until the log is closed. The goroutine ends with the last line.
func (l *bufferedLog) run() {
	defer close(l.done)
	for l.take() {
		_, err := l.out.Write(l.taken)
		if err != nil {
			l.lose(l.taken)
		}
		l.mu.Lock()
		l.written += uint64(len(l.taken))
		l.taken, l.stuck = l.taken[:0], false
		if l.progress != nil {
			close(l.progress)
			l.progress = nil
		}
		l.mu.Unlock()
	}
}

// take waits for lines and moves them to taken. It answers false when the log is closed and empty.
func (l *bufferedLog) take() bool {
	for {
		<-l.wake
		l.mu.Lock()
		l.armed = false
		if len(l.waiting) > 0 {
			l.taken, l.waiting = l.waiting, l.taken
			if l.closed {
				l.signal()
			}
			l.mu.Unlock()
			return true
		}
		l.ended = l.closed
		ended := l.ended
		l.mu.Unlock()
		if ended {
			return false
		}
	}
}

// settle waits until every line so far is written, but not longer than limit. After a wait in vain it does not wait
// again before something is written: callers pay for a stuck output once, not with each line.
func (l *bufferedLog) settle(limit time.Duration) {
	l.signal()
	var timer *time.Timer
	l.mu.Lock()
	defer l.mu.Unlock()
	for target := l.added; l.written < target && !l.stuck; {
		if l.progress == nil {
			l.progress = make(chan struct{})
		}
		if timer == nil {
			timer = time.NewTimer(limit)
			defer timer.Stop()
		}
		progress := l.progress
		l.mu.Unlock()
		select {
		case <-progress:
			l.mu.Lock()
		case <-timer.C:
			l.mu.Lock()
			l.stuck = true
		}
	}
}

// full tells whether a warning of ordinary length may find no room.
func (l *bufferedLog) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting) > logRoom+logReserve/2
}

// Close writes waiting lines, as far as the output takes them within logClose, and counts the rest as lost.
func (l *bufferedLog) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.signal()
	select {
	case <-l.done:
		return nil
	case <-time.After(logClose):
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.abandoned, l.stuck = true, true
	l.lose(l.waiting)
	l.waiting = nil
	return nil
}

// levelHandler sends warnings and errors, which are written before the caller goes on, another way than the lines that
// may be lost. Lines of requests wait for others; all other lines are written at once.
type levelHandler struct {
	ordinary, urgent slog.Handler
	log              *bufferedLog
}

func newLevelHandler(l *bufferedLog, make func(io.Writer) slog.Handler) levelHandler {
	return levelHandler{ordinary: make(l), urgent: make(urgentLines{l}), log: l}
}

// Enabled asks for the level.
func (h levelHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.ordinary.Enabled(ctx, level)
}

// Handle writes one line.
func (h levelHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		err := h.ordinary.Handle(ctx, r)
		if r.Message != "request" {
			h.log.signal()
		}
		return err
	}
	if h.log.full() {
		h.log.settle(logWait)
	}
	err := h.urgent.Handle(ctx, r)
	h.log.settle(logWait)
	return err
}

// WithAttrs is slog's.
func (h levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelHandler{h.ordinary.WithAttrs(attrs), h.urgent.WithAttrs(attrs), h.log}
}

// WithGroup is slog's.
func (h levelHandler) WithGroup(name string) slog.Handler {
	return levelHandler{h.ordinary.WithGroup(name), h.urgent.WithGroup(name), h.log}
}

// reportLost says in the log how many lines were lost since the last report.
func (s *Server) reportLost(context.Context) {
	lost := s.lines.lost.Load()
	if lost == s.lines.told {
		return
	}
	s.log.Warn(
		"lines of the log were lost: the output did not take them in time", "lines", lost-s.lines.told, "since_start", lost,
	)
	s.lines.told = lost
}

// closeLog reports the lost lines, and closes the log.
func (s *Server) closeLog() error {
	s.reportLost(context.Background())
	return s.lines.Close()
}
