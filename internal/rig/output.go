package rig

import (
	"bytes"
	"sync"
)

// Output is what a program or a server writes, to be read while it is still writing.
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
