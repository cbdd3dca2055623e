package feedhttp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/wire"
)

const (
	batchTime  = 3 * time.Second // of one try to send a batch
	batchPause = 200 * time.Millisecond
	dayMillis  = 86_400_000
)

// Ledger is a ratelimit.Ledger over HTTP: the source's. It is for one claim queue, which settles one batch at a time.
type Ledger struct{ client *Client }

// NewLedger makes a ledger of the source of a client.
func NewLedger(c *Client) *Ledger { return &Ledger{client: c} }

// Settle is ratelimit.Ledger. A batch whose answer is lost is sent again under its number until ctx ends: the source
// does it once.
func (l *Ledger) Settle(ctx context.Context, claims []ratelimit.Claim) error {
	in := wire.FollowerDays{Incarnation: l.client.Incarnation, Number: l.client.numbers.days.Add(1)}
	for i := range claims {
		c := &claims[i]
		in.Claims = append(in.Claims, wire.FollowerDay{
			AccountID: wire.Place(id.Format(c.ID)), Day: time.UnixMilli(c.Day * dayMillis).UTC().Format(time.DateOnly),
			Want: c.Want, GiveBack: c.Give,
		})
	}
	answer, err := again[wire.DayAnswers](ctx, l.client, "/days", &in)
	if err != nil {
		return err
	}
	if len(answer.Claims) != len(claims) {
		return ErrUnanswered
	}
	for i, a := range answer.Claims {
		day, err := time.Parse(time.DateOnly, a.Day)
		if err != nil || a.Granted < 0 || a.Granted > claims[i].Want || a.Reserved < 0 {
			return ErrUnanswered
		}
		claims[i].Granted, claims[i].Reserved, claims[i].Stands = a.Granted, a.Reserved, day.UnixMilli()/dayMillis
	}
	return nil
}

// again sends a numbered batch until it is answered, ctx ends, or the source refuses it for good.
func again[Out any](ctx context.Context, c *Client, path string, in any) (out Out, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return out, fmt.Errorf("write a batch for the source: %w", err)
	}
	for pause := batchPause; ; pause *= 2 {
		try, cancel := context.WithTimeout(ctx, batchTime)
		out, err = post[Out](try, c, path, body)
		cancel()
		var refused *Refusal
		if err == nil || errors.As(err, &refused) && refused.lasting() {
			return out, err
		}
		if sleep(ctx, pause) != nil {
			return out, err
		}
	}
}

var _ ratelimit.Ledger = (*Ledger)(nil)
