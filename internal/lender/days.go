package lender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
)

const (
	dayMillis = 86_400_000
	// ahead is by how much the clock of a follower may be ahead of this node's: the day of a claim has begun here by
	// then.
	ahead = 15 * time.Second
)

// ErrTomorrow says that a claim is about a day that has not begun.
var ErrTomorrow = errors.New("this day has not begun: the clocks differ")

// Reserve does the claims of a follower in their order, and once: a batch that comes again gets the first answers. Very
// many claims take several transactions, and a batch that comes again goes on after those that are done. The limits are
// this node's, and nothing is given back that the follower does not hold. A claim on something that there is not, or
// that is not within the bounds of the caller, is granted nothing.
func (l *Lender) Reserve(ctx context.Context, c *Caller, number int64, claims []ratelimit.Claim) error {
	last := l.Now().Add(ahead).UnixMilli() / dayMillis
	for i := range claims {
		if claims[i].Day > last {
			return ErrTomorrow
		}
	}
	var first []ratelimit.Claim
	for all := false; !all; {
		err := l.DB.Count(ctx, func(q *store.Counting) (err error) {
			b := c.batch("days", number)
			var answer []byte
			answer, all, err = q.OnceInParts(b, func(done []byte) ([]byte, bool, error) {
				return l.reservePart(q, c, &b, done, claims)
			})
			if err == nil && all {
				err = readClaims(answer, &first)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if !sameClaims(first, claims) {
		return store.ErrOldBatch // another batch under the same number
	}
	copy(claims, first)
	return nil
}

// reservePart does the claims after those that are done.
func (l *Lender) reservePart(
	q *store.Counting, c *Caller, b *store.FollowerBatch, done []byte, claims []ratelimit.Claim,
) (after []byte, all bool, err error) {
	var first []ratelimit.Claim
	if done != nil {
		if err := readClaims(done, &first); err != nil {
			return nil, false, err
		}
		if len(first) > len(claims) || !sameClaims(first, claims[:len(first)]) {
			return nil, false, store.ErrOldBatch
		}
	}
	to, err := q.Part(len(first), len(claims), func(from, to int) error {
		for _, claim := range claims[from:to] {
			if err := l.reserve(q, c, b, &claim); err != nil {
				return err
			}
			first = append(first, claim)
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	after, err = json.Marshal(first)
	return after, to == len(claims), err
}

func readClaims(text []byte, into *[]ratelimit.Claim) error {
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read the answer to a batch: %w", err)
	}
	return nil
}

// sameClaims tells whether claims that were done are those that are asked for.
func sameClaims(done, asked []ratelimit.Claim) bool {
	return slices.EqualFunc(done, asked, func(a, b ratelimit.Claim) bool { return a.ID == b.ID && a.Day == b.Day })
}

// reserve does one claim. A claim for a day that is over here gets no units of that day, which would be spent on
// another one: it is told how today stands, as where another node has begun a later day, and the follower goes on with
// that.
func (l *Lender) reserve(q *store.Counting, c *Caller, b *store.FollowerBatch, claim *ratelimit.Claim) error {
	today := l.Now().Add(-ahead).UnixMilli() / dayMillis
	limit, err := l.dayLimit(q, c, claim.ID)
	if err != nil {
		return err
	}
	switch {
	case limit < 0:
		claim.Want, claim.Limit = 0, 0 // units that it holds may go back all the same
	case limit == 0:
		claim.Limit = ratelimit.Max // the follower's copy is a moment behind
	default:
		claim.Limit = limit
	}
	if claim.Day < today {
		look := ratelimit.Claim{ID: claim.ID, Day: today}
		if err := q.Reserve(&look); err != nil {
			return err
		}
		claim.Granted, claim.Reserved, claim.Stands = 0, look.Reserved, look.Stands
	} else if err := q.ReserveFor(b, claim); err != nil {
		return err
	}
	if limit < 0 {
		claim.Reserved = 0 // it is not told how others' accounts stand
	}
	return nil
}

// dayLimit is the limit per day of a key, or of a workspace's plan; 0 where it has none, and -1 for one that the caller
// is told nothing of.
func (l *Lender) dayLimit(q *store.Counting, c *Caller, account [16]byte) (int64, error) {
	var v replica.View
	if l.Find(account, &v) {
		if !c.Reach.Covers(v.Workspace, v.Environment) {
			return -1, nil
		}
		return v.Limits.PerDay, nil
	}
	ws := id.Workspace(id.Format(account))
	if !c.Reach.Workspace(ws) {
		return -1, nil
	}
	w, err := q.Workspace(ws)
	if errors.Is(err, store.ErrNotFound) {
		return -1, nil
	}
	return w.Plan.Shared.PerDay, err
}
