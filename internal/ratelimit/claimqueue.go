package ratelimit

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	batchSize   = 1024 // claims that share a transaction at most
	settleTime  = 10 * time.Second
	pauseFailed = 50 * time.Millisecond // after an error, before the ledger is asked again
)

// claimQueue brings claims to the ledger in order, one batch at a time; claims that arrive while it is busy form the
// next batch. Returned units are there before they are claimed again.
type claimQueue struct {
	ledger  Ledger
	settled func(*Claim, error)
	stats   *counters

	mu    sync.Mutex
	queue []*batch // the first one may be under way
	busy  bool     // it is
	wake  chan struct{}
	stop  context.CancelFunc
	ended chan struct{}
}

// batch is a number of claims with one end.
type batch struct {
	claims []Claim
	done   chan struct{} // closed when err and the entries are set
	err    error
}

var errNoLedger = errors.New("there is no ledger for limits per day")

func newClaimQueue(l Ledger, settled func(*Claim, error), stats *counters) *claimQueue {
	ctx, cancel := context.WithCancel(context.Background())
	d := &claimQueue{
		ledger: l, settled: settled, stats: stats, wake: make(chan struct{}, 1), stop: cancel, ended: make(chan struct{}),
	}
	go d.serve(ctx)
	return d
}

// add puts a claim into the batch that goes next.
func (d *claimQueue) add(c Claim) *batch {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.queue)
	if n == 0 || n == 1 && d.busy || len(d.queue[n-1].claims) == batchSize {
		d.queue = append(d.queue, &batch{done: make(chan struct{})})
		n++
	}
	b := d.queue[n-1]
	b.claims = append(b.claims, c)
	select {
	case d.wake <- struct{}{}:
	default:
	}
	return b
}

// last is the batch after which every claim that was made before is settled. While one is pending there is one.
func (d *claimQueue) last() *batch {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.queue[len(d.queue)-1]
}

// next takes the first batch in hand; after it was settled, the one behind it.
func (d *claimQueue) next() *batch {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy {
		d.queue[0] = nil
		d.queue = d.queue[1:]
	}
	if d.busy = len(d.queue) > 0; !d.busy {
		return nil
	}
	return d.queue[0]
}

func (d *claimQueue) serve(ctx context.Context) {
	defer close(d.ended)
	for {
		for b := d.next(); b != nil; b = d.next() {
			d.settle(b)
			if b.err != nil {
				pause(ctx, pauseFailed)
			}
		}
		select {
		case <-d.wake:
		case <-ctx.Done():
			return
		}
	}
}

func pause(ctx context.Context, t time.Duration) {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// settle does one batch. After an error the ledger's state is unknown: the units that it may have reserved are
// forfeited.
func (d *claimQueue) settle(b *batch) {
	if d.ledger == nil {
		b.err = errNoLedger
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), settleTime)
		b.err = d.ledger.Settle(ctx, b.claims)
		cancel()
	}
	if b.err != nil {
		d.stats.failures.Add(1)
	}
	for i := range b.claims {
		c := &b.claims[i]
		d.settled(c, b.err)
		if b.err == nil {
			d.stats.settled(c)
		}
	}
	close(b.done)
}

// close ends the queue once the waiting claims are settled.
func (d *claimQueue) close() {
	d.stop()
	<-d.ended
	for b := d.next(); b != nil; b = d.next() {
		d.settle(b)
	}
}
