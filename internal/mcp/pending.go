package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"
)

// pending counts the requests of a client that have no answer yet, so that the end of the input, as of a pipe, cuts
// none of them off.
type pending struct {
	mu   sync.Mutex
	open int
	idle chan struct{} // closed while the input has ended and nothing is open; nil before
}

func (p *pending) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open += n; p.open <= 0 && p.idle != nil {
		close(p.idle)
		p.idle = nil
	}
}

// settle waits until every request has its answer; a client that has taken one back gets none, hence the bound.
func (p *pending) settle() {
	p.mu.Lock()
	if p.open <= 0 {
		p.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	p.idle = idle
	p.mu.Unlock()
	select {
	case <-idle:
	case <-time.After(callTime):
	}
}

// message is as much of a message as tells requests from answers.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
}

// countedInput counts requests, one on each line, and holds the end back until they are answered.
type countedInput struct {
	io.Reader
	*pending
	line []byte
}

func (c *countedInput) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.line = append(c.line, b[:n]...)
	for {
		line, rest, whole := bytes.Cut(c.line, []byte("\n"))
		if !whole {
			break
		}
		c.note(line)
		c.line = rest
	}
	if n > 0 && errors.Is(err, io.EOF) {
		return n, nil // the end comes alone, with the next call
	}
	if errors.Is(err, io.EOF) {
		c.note(c.line)
		c.line = nil
		c.settle()
	}
	return n, err
}

// Close leaves the stream open: it belongs to the process.
func (*countedInput) Close() error { return nil }

func (c *countedInput) note(line []byte) {
	var m message
	if json.Unmarshal(line, &m) == nil && len(m.ID) > 0 && m.Method != "" {
		c.add(1)
	}
}

// countedOutput counts answers. The SDK writes each message whole.
type countedOutput struct {
	screenWriter
	*pending
}

func (c countedOutput) Write(b []byte) (int, error) {
	n, err := c.screenWriter.Write(b)
	var m message
	if json.Unmarshal(b, &m) == nil && len(m.ID) > 0 && m.Method == "" {
		c.add(-1)
	}
	return n, err
}
