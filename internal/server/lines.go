package server

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	linesSize = 32 << 10
	linesWait = 50 * time.Millisecond
)

// lines gathers the lines of requests, which come by the ten thousand, and writes many at once: a system call for each would cost as
// much as the request. They wait for linesWait at most. What is not a request's, and what is a warning or worse, is written at once,
// with all that came before it; a process that is killed loses what waits.
type lines struct {
	out io.Writer

	mu     sync.Mutex
	buf    []byte
	armed  bool // a flush will come by itself
	closed bool // nothing waits any more
}

func newLines(out io.Writer) *lines { return &lines{out: out, buf: make([]byte, 0, linesSize)} }

// Write takes whole lines.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	switch {
	case l.closed || len(l.buf) >= linesSize/2:
		return len(p), l.flush()
	case !l.armed:
		l.armed = true
		time.AfterFunc(linesWait, func() { _ = l.Flush() })
	}
	return len(p), nil
}

// Flush writes what waits.
func (l *lines) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
	return l.flush()
}

func (l *lines) flush() error {
	if len(l.buf) == 0 {
		return nil
	}
	_, err := l.out.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}

// Close flushes, and from then on nothing waits.
func (l *lines) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.flush()
}

// prompt is a handler whose lines wait only where they are a request's and no warning.
type prompt struct {
	slog.Handler
	lines *lines
}

func (p prompt) Handle(ctx context.Context, r slog.Record) error {
	err := p.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn || r.Message != "request" {
		_ = p.lines.Flush()
	}
	return err
}

func (p prompt) WithAttrs(attrs []slog.Attr) slog.Handler {
	return prompt{p.Handler.WithAttrs(attrs), p.lines}
}
func (p prompt) WithGroup(name string) slog.Handler {
	return prompt{p.Handler.WithGroup(name), p.lines}
}
