package rig

import (
	"bytes"
	"sync"
)

// Output collects the output of a program or a server, readable while it is still being written.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write is io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String is all that was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
