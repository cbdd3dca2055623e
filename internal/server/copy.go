package server

import (
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/replica"
)

// current is the copy in memory that is in use. It is another one after everything had to be loaded anew.
type current struct {
	atomic.Pointer[replica.Replica]
}

func (c *current) Size() int           { return c.Load().Size() }
func (c *current) Revision() int64     { return c.Load().Revision() }
func (c *current) Ready() bool         { return c.Load().Ready() }
func (c *current) Age() time.Duration  { return c.Load().Age() }
func (c *current) Sweep(settled int64) { c.Load().Sweep(settled) }
