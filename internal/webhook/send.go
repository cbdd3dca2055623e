package webhook

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/store"
)

// A worker sends what is due at one endpoint: batchOf deliveries or batchFor, whatever ends first, before the outcomes
// are written.
const (
	batchOf  = 20
	batchFor = 2 * time.Second
	lowBelow = 2 * batchOf // due deliveries below which more are queued: while a batch is sent, the next one is written
)

// steadyFailures is how many attempts in a row may be answered with a failure until the endpoint has a rest, as it has
// at once where there is no answer.
const steadyFailures = 5

// work starts a worker for each endpoint that may have something to send and none at work, as far as there is room.
func (s *Sender) work(ctx context.Context) {
	now := s.Elapsed()
	for _, e := range s.waiting(func(e *endpoint) bool {
		return !e.busy && (e.due <= now || e.hungry(now)) && e.rest <= now
	}) {
		room := s.quick
		if e.slow {
			room = s.slow
		}
		select {
		case room <- struct{}{}:
		default:
			continue
		}
		s.mark(func() { e.busy = true })
		s.workers.Go(func() {
			defer func() { <-room }()
			defer s.mark(func() { e.busy = false })
			s.serve(ctx, e)
		})
	}
}

// serve sends batch after batch while the endpoint is quick and there is more, and queues its events beside that. What
// could not be queued keeps nothing from being sent.
func (s *Sender) serve(ctx context.Context, e *endpoint) {
	unqueued := s.fill(ctx, e)
	for s.leading() && ctx.Err() == nil {
		var filling sync.WaitGroup
		if unqueued == nil {
			filling.Go(func() { unqueued = s.fill(ctx, e) })
		}
		more, err := s.batch(ctx, e)
		filling.Wait()
		if err != nil {
			if !errors.Is(err, store.ErrNotLeader) && !errors.Is(err, store.ErrNotFound) {
				s.complain(ctx, "the outcomes of deliveries were not written: these are sent again", err)
			}
			s.mark(func() { e.rest = s.Elapsed() + s.Pace.First })
			return
		}
		if !more && (unqueued != nil || !s.ready(e)) {
			return
		}
	}
}

// ready tells whether an endpoint that is quick has something to send, or to queue.
func (s *Sender) ready(e *endpoint) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Elapsed()
	return !e.slow && e.rest <= now && (e.due <= now || e.hungry(now))
}

// batch sends the due deliveries once, and tells whether the worker should go on at once.
func (s *Sender) batch(ctx context.Context, e *endpoint) (more bool, err error) {
	began := s.Elapsed()
	s.mark(func() { e.due = notDue }) // until a delivery is queued meanwhile, or the read finds one
	var row notice.Endpoint
	var due []notice.Delivery
	var next, now, floor time.Time
	err = s.DB.View(ctx, func(v *store.View) (err error) {
		now, floor = v.Now(), v.Floor()
		if row, err = v.Webhook(e.name); err != nil || !row.IsActive {
			return err
		}
		if due, err = v.DueDeliveries(e.name, lowBelow); err == nil && len(due) == 0 {
			next, err = v.NextDue(e.name)
		}
		return err
	})
	s.mark(func() {
		e.low = len(due) < lowBelow
		switch {
		case err != nil || len(due) > 0:
			e.due = began
		case !next.IsZero() && row.IsActive:
			// A delivery that is due waits behind one of its object.
			e.due = min(e.due, began+max(next.Sub(now), s.Pace.Tick))
		}
	})
	if err != nil || len(due) == 0 {
		return false, err
	}
	due = due[:min(len(due), batchOf)]
	secret, previous, broken := s.secrets(&row)
	if s.Now().After(row.PreviousUntil) {
		previous = nil
	}
	sent, reason := due[:0:0], ""
	for i := range due {
		if ctx.Err() != nil || !s.leading() || i > 0 && s.Elapsed()-began > batchFor {
			break
		}
		d := due[i]
		o := outcome{failed: notice.ErrSecret}
		if broken == nil {
			o = s.post(ctx, &row, &d, s.Now(), secret, previous)
		}
		if ctx.Err() != nil && o.failed != "" {
			break // the stop of this process is no failure of the endpoint
		}
		reason = s.judge(&d, o, floor.Add(s.Elapsed()-began).Truncate(time.Millisecond))
		sent = append(sent, d)
		if rests := s.rests(e, o); rests || reason != "" {
			break
		}
	}
	if len(sent) == 0 {
		return false, nil
	}
	s.mark(func() { e.slow = e.failed > 0 || s.Elapsed()-began > slowerThan })
	err = s.DB.Count(context.WithoutCancel(ctx),
		func(c *store.Counting) error { return c.Attempted(s.Node, e.name, sent) })
	if err == nil && reason != "" {
		s.Log.Warn("a webhook is switched off", "webhook", string(e.name), "reason", reason)
		return false, s.Disable(context.WithoutCancel(ctx), e.name, reason)
	}
	s.mark(func() { more = err == nil && !e.slow && e.rest <= s.Elapsed() })
	return more, err
}

// judge writes an outcome into a delivery. Time is one that is known to have come, so that a clock that jumps switches
// nothing off. It returns the reason for which the endpoint is to be switched off; "" for
// none.
func (s *Sender) judge(d *notice.Delivery, o outcome, now time.Time) (reason string) {
	d.Attempts++
	d.Last, d.Status, d.Error = now, o.status, o.failed
	if d.First.IsZero() {
		d.First = now
	}
	switch {
	case o.failed == "":
		d.State, d.Ended, d.NextAt = notice.Delivered, now, time.Time{}
	case o.status == 410:
		d.State, d.Ended, d.NextAt, reason = notice.Failed, now, time.Time{}, notice.Gone
	case now.Sub(d.First) >= notice.GiveUpAfter:
		d.State, d.Ended, d.NextAt, reason = notice.Failed, now, time.Time{}, notice.Failing
	default:
		d.NextAt = now.Add(s.retry(d.Attempts))
		if last := d.First.Add(notice.GiveUpAfter); d.NextAt.After(last) {
			d.NextAt = last
		}
	}
	return reason
}

// longest is the longest time between two attempts.
const longest = 4 * time.Hour

// retry is the time from the n-th failed attempt to the next: it grows from Pace.First to hours, with a jitter of a
// quarter, so that deliveries that failed together do not come back together.
func (s *Sender) retry(n int64) time.Duration {
	wait := s.Pace.First
	for i := int64(1); i < n && wait < longest; i++ {
		wait *= 4
	}
	wait = min(wait, longest)
	return wait*3/4 + time.Duration(s.Chance()*float64(wait)/2)
}

// rests notes an outcome and tells whether the endpoint has a rest: a dead one is asked now and then, with one
// delivery.
func (s *Sender) rests(e *endpoint, o outcome) (rests bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.failed == "" {
		e.failed = 0
		return false
	}
	if e.failed++; o.status != 0 && e.failed < steadyFailures {
		return false
	}
	wait := s.Pace.First
	for i := 1; i < e.failed && wait < 10*time.Minute; i++ {
		wait *= 2
	}
	e.rest = s.Elapsed() + min(wait, 10*time.Minute)*3/4 + time.Duration(s.Chance()*float64(wait)/2)
	return true
}
