package feedhttp

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/keyward/keyward/internal/wire"
)

const (
	bankTime = time.Second // of a question
	// The policy holds for a moment after a question that had no answer, before the source is asked again.
	awayAtLeast = 500 * time.Millisecond
	awayAtMost  = 5 * time.Second
)

// Bank is a lease.Bank over HTTP: the source's. It is safe for concurrent use.
type Bank struct {
	client   *Client
	clock    *lease.Clock
	standing lease.Standing
	away     atomic.Int64 // monotonic milliseconds until which it is not asked
	asked    atomic.Int64
	failed   atomic.Int64
}

// NewBank makes a bank of the source of a client. The limiter over it goes by the same clock.
func NewBank(c *Client, clock *lease.Clock) *Bank {
	b := &Bank{client: c, clock: clock}
	b.standing.Epoch.Store(&lease.Epoch{Count: 1})
	b.standing.Nodes.Store(1)
	b.standing.Spread.Store(true)
	return b
}

// Standing is lease.Bank.
func (b *Bank) Standing() *lease.Standing { return &b.standing }

// Asked counts the questions, and how many of them had no answer.
func (b *Bank) Asked() (all, failed int64) { return b.asked.Load(), b.failed.Load() }

// Ask is lease.Bank. A question is not asked twice: a lease that was granted in an answer that was lost runs out by
// itself.
func (b *Bank) Ask(_ uint64, cost int64, questions ...lease.Question) (a [2]lease.Answer, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), bankTime)
	defer cancel()
	ask := wire.FollowerLease{KeyID: keyID(&questions[0].Of), Cost: cost}
	for i := range questions {
		q := &questions[i]
		m := &wire.FollowerMinute{Want: q.Want, Ahead: q.Ahead > 0}
		for _, r := range q.Settle {
			if r.Units > 0 {
				m.GiveBack = append(m.GiveBack, wire.FollowerRest{Lease: r.Lot, Units: r.Units})
			}
		}
		place(&ask, &q.Of).Of = m
	}
	answer, err := b.ask(ctx, ask)
	if err != nil {
		return a, err
	}
	now := b.clock.Wall()
	for i := range questions {
		m := answer.Minute
		if questions[i].Of.Plan {
			m = answer.WorkspaceMinute
		}
		if m == nil || m.Granted < 0 || m.Granted > questions[i].Want {
			return a, fmt.Errorf("%w: %w", lease.ErrAlone, ErrUnanswered)
		}
		a[i] = told(m, now)
	}
	return a, nil
}

func told(m *wire.MinuteAnswer, now int64) lease.Answer {
	a := lease.Answer{Granted: m.Granted, Lot: m.Lease, Charged: m.Charged, Retry: m.RetryInMS, Known: m.KnownMS}
	if m.ResetInMS > 0 {
		a.Reset = now + m.ResetInMS
	}
	if m.RetryInMS > 0 {
		a.Retry = now + m.RetryInMS
	}
	return a
}

// Charge is lease.Bank.
func (b *Bank) Charge(_ uint64, of lease.Account, owed []lease.Owing) error {
	ctx, cancel := context.WithTimeout(context.Background(), bankTime)
	defer cancel()
	m := &wire.FollowerMinute{}
	for _, o := range owed {
		m.Owed = append(m.Owed, wire.FollowerOwing{SecondsAgo: o.Ago, Units: o.Units})
	}
	ask := wire.FollowerLease{KeyID: keyID(&of)}
	place(&ask, &of).Of = m
	_, err := b.ask(ctx, ask)
	return err
}

// Return is lease.Bank. The source knows of each lease whether it has forgotten it.
func (b *Bank) Return(ctx context.Context, _ uint64, of lease.Account, rests []lease.Rest) {
	m := &wire.FollowerMinute{}
	for _, r := range rests {
		m.GiveBack = append(m.GiveBack, wire.FollowerRest{Lease: r.Lot, Units: r.Units})
	}
	ask := wire.FollowerLease{KeyID: keyID(&of)}
	place(&ask, &of).Of = m
	_, _ = b.ask(ctx, ask) // units that stay charged run out by themselves
}

func keyID(of *lease.Account) wire.Place { return wire.Place(id.Format(of.Key)) }

// place is where a question has the limit of an account.
func place(ask *wire.FollowerLease, of *lease.Account) *wire.AskedMinute {
	if of.Plan {
		return &ask.WorkspaceMinute
	}
	return &ask.Minute
}

// ask asks one question. After an error the policy holds: for this key, and where the source gave no answer for all
// keys for a moment.
func (b *Bank) ask(ctx context.Context, one wire.FollowerLease) (a *wire.LeaseAnswer, err error) {
	b.asked.Add(1)
	one.Number = b.client.numbers.leases.Add(1)
	body, err := json.Marshal(wire.FollowerLeases{
		Incarnation: b.client.Incarnation, Leases: []wire.FollowerLease{one},
	})
	if err != nil { // it is made of numbers and ids
		panic(err)
	}
	answer, err := post[wire.LeaseAnswers](ctx, b.client, "/leases", body)
	if err == nil && len(answer.Leases) != 1 {
		err = ErrUnanswered
	}
	if err != nil {
		b.failed.Add(1)
		b.lost(err)
		return nil, fmt.Errorf("%w: %w", lease.ErrAlone, err)
	}
	b.standing.Nodes.Store(max(1, answer.Sharers))
	if a = &answer.Leases[0]; a.Error != "" {
		b.failed.Add(1)
		return nil, fmt.Errorf("%w: the source says %s", lease.ErrAlone, a.Error)
	}
	return a, nil
}

// lost has the policy hold for a moment.
func (b *Bank) lost(err error) {
	away := awayAtLeast
	var refused *Refusal
	if errors.As(err, &refused) {
		away = min(max(away, refused.After), awayAtMost)
	}
	until := b.clock.Mono() + away.Milliseconds()
	b.away.Store(until)
	b.standing.Down.Store(true)
	time.AfterFunc(away, func() {
		if b.away.Load() == until {
			b.standing.Down.Store(false)
		}
	})
}

var _ lease.Bank = (*Bank)(nil)
