package lender

import (
	"bytes"
	"context"
	"encoding/binary"
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
	r := reservation{Lender: l, caller: c, batch: c.batch("days", number), claims: claims}
	ctx = store.InTurnOf(ctx, string(c.Key))
	for all := false; !all; {
		err := l.DB.Count(ctx, func(q *store.Counting) (err error) {
			r.counting = q
			var answer []byte
			answer, all, err = q.OnceInParts(r.batch, r.part)
			if err == nil && all {
				err = r.read(answer)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if !sameClaims(r.done, claims) {
		return store.ErrOldBatch // another batch under the same number
	}
	copy(claims, r.done)
	return nil
}

// reservation is a batch of claims under way.
type reservation struct {
	*Lender
	counting *store.Counting
	caller   *Caller
	batch    store.FollowerBatch
	claims   []ratelimit.Claim

	done []ratelimit.Claim
	text []byte // is done as it is kept: to read it anew in each part would take the writer longer than the claims do
}

// part does the claims after those that are done.
func (r *reservation) part(done []byte) (after []byte, all bool, err error) {
	if err := r.read(done); err != nil {
		return nil, false, err
	}
	if len(r.done) > len(r.claims) || !sameClaims(r.done, r.claims[:len(r.done)]) {
		return nil, false, store.ErrOldBatch
	}
	to, err := r.counting.Part(len(r.done), len(r.claims), func(from, to int) error {
		for _, claim := range r.claims[from:to] {
			if err := r.reserve(r.counting, r.caller, &r.batch, &claim); err != nil {
				return err
			}
			r.done = append(r.done, claim)
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	if all = to == len(r.claims); all {
		r.text, err = json.Marshal(r.done)
	} else {
		r.text = packClaims(r.done)
	}
	return r.text, all, err
}

// read reads the claims that are done, unless this reservation has written them itself.
func (r *reservation) read(text []byte) (err error) {
	switch {
	case bytes.Equal(text, r.text):
		return nil
	case len(text) == 0:
		r.done = nil
	case text[0] == packed:
		r.done, err = unpackClaims(text)
	default:
		r.done = nil
		err = json.Unmarshal(text, &r.done)
	}
	if r.text = text; err != nil {
		return fmt.Errorf("read the answer to a batch: %w", err)
	}
	return nil
}

// packed is the first byte of the claims that are done of a batch under way. They are written once for each part, so
// that they are shorter than an answer is.
const packed = 1

// packClaims writes claims for unpackClaims.
func packClaims(all []ratelimit.Claim) []byte {
	text := append(make([]byte, 0, 1+40*len(all)), packed)
	for i := range all {
		text = append(text, all[i].ID[:]...)
		for _, n := range numbersOf(&all[i]) {
			text = binary.AppendVarint(text, *n)
		}
	}
	return text
}

var errPacked = errors.New("a claim breaks off")

func unpackClaims(text []byte) (all []ratelimit.Claim, err error) {
	for rest := text[1:]; len(rest) > 0; {
		var c ratelimit.Claim
		if len(rest) < len(c.ID) {
			return nil, errPacked
		}
		rest = rest[copy(c.ID[:], rest):]
		for _, n := range numbersOf(&c) {
			var size int
			if *n, size = binary.Varint(rest); size <= 0 {
				return nil, errPacked
			}
			rest = rest[size:]
		}
		all = append(all, c)
	}
	return all, nil
}

// numbersOf lists the numbers of a claim in the order in which they are packed.
func numbersOf(c *ratelimit.Claim) [7]*int64 {
	return [...]*int64{&c.Day, &c.Limit, &c.Want, &c.Give, &c.Granted, &c.Reserved, &c.Stands}
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
