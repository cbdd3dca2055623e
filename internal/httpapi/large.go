package httpapi

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/fault"
)

// A large body takes several times its size in memory while it is decoded, and a processor for milliseconds. So few are
// decoded at once, fewer than there are processors, and others wait: those of service keys apart from those of API keys
// and people, so that a tenant who sends many does not hold up the platform.
const (
	largeBody   = 64 << 10
	largeWait   = 10 * time.Second
	mostDecoded = 4 // of a kind of caller
)

// decodes are the places for large bodies of one kind.
type decodes struct {
	places chan struct{}
	now    atomic.Int32
	peak   atomic.Int32 // the most at once
}

func newDecodes() *decodes {
	return &decodes{places: make(chan struct{}, min(besideOthers(), mostDecoded))}
}

// newBatches has places for the large batches of the quick way, which are answered within.
func newBatches() *decodes { return &decodes{places: make(chan struct{}, besideOthers())} }

// besideOthers is how many processors long work may take, so that one is left to others where there are several.
func besideOthers() int { return max(1, runtime.GOMAXPROCS(0)-1) }

// enter waits for a place, and gives the function that leaves it.
func (d *decodes) enter(ctx context.Context) (leave func(), err error) {
	late := time.NewTimer(largeWait)
	defer late.Stop()
	select {
	case d.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C:
		return nil, fault.New(fault.Unavailable, "as many large bodies are read as can be: ask again")
	}
	n := d.now.Add(1)
	for most := d.peak.Load(); n > most && !d.peak.CompareAndSwap(most, n); most = d.peak.Load() {
	}
	return func() {
		d.now.Add(-1)
		<-d.places
	}, nil
}

// decodes gives the places of the caller's kind.
func (x *exchange) decodes() *decodes {
	if x.service != nil {
		return x.api.largeOfServices
	}
	return x.api.largeOfOthers
}
