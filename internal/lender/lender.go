// Package lender owns the work of a node for its followers beside the feed: it lends them units of minutes, reserves
// units of days for them, and takes down the uses that they have counted. All of it is for keys within the bounds of
// the service key that asks, and by the limits as this node knows them. It does not own the windows (ratelimit,
// redislimit), the rows (store), nor the questions over the network (httpapi, feedhttp).
package lender

import (
	"errors"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit/lease"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/tally"
)

// Config holds the parts of a Lender. All are needed.
type Config struct {
	DB    *store.DB
	Tally *tally.Tally
	// Find gives a key by its id, as this node knows it.
	Find func(id [16]byte, v *replica.View) bool
	// Teller lends the minutes of a workspace, and exact tells that each verification there is to be asked about. t is
	// nil where this node lends none: several nodes count without a bank.
	Teller func(id.Workspace) (t *lease.Teller, exact bool)
	Clock  *lease.Clock // of the tellers
	Now    func() time.Time
}

// Lender serves followers. It is safe for concurrent use.
type Lender struct{ Config }

// New makes a lender.
func New(c Config) *Lender { return &Lender{c} }

// Caller is a follower: the service key by which it asks, and its start.
type Caller struct {
	Key         id.ServiceKey
	Incarnation string
	Reach       account.Reach
}

func (c *Caller) name() string { return string(c.Key) + " " + c.Incarnation }

func (c *Caller) batch(kind string, number int64) store.FollowerBatch {
	return store.FollowerBatch{Key: c.Key, Incarnation: c.Incarnation, Kind: kind, Number: number}
}

// Report holds the uses that a follower has counted.
type Report = tally.Report

// EarlierUse is the last use of an earlier value of a key.
type EarlierUse = tally.EarlierUse

var (
	// ErrOldBatch says that a batch comes again after a later one, or that its number was another's.
	ErrOldBatch = store.ErrOldBatch
	// ErrTooManyFollowers says that as many followers as may have sent batches lately.
	ErrTooManyFollowers = store.ErrTooManyFollowers
	// ErrUnknown says that there is no such key within the bounds of the caller.
	ErrUnknown = errors.New("there is no such key")
	// ErrNoBank says that this node lends no minutes.
	ErrNoBank = errors.New("this node shares limits per minute with other nodes over no Redis, and lends none")
)

// find gives a key within the bounds of the caller.
func (l *Lender) find(c *Caller, key [16]byte, v *replica.View) bool {
	return l.Find(key, v) && c.Reach.Covers(v.Workspace, v.Environment)
}

// Minute is a question about one limit per minute.
type Minute struct {
	Want  int64 // units; 0 only asks how things stand
	Ahead bool  // they are to be spent within lease.Time, and not now alone
	Back  []lease.Rest
	Owed  []lease.Owing // were admitted without asking
}

// Ask is a question about a key's minute, its workspace's, or both, which are granted together or not at all.
type Ask struct {
	Number      uint64 // of this question alone
	Key         [16]byte
	Cost        int64
	Own, Shared *Minute
}

// side is one limit of a question, as this node knows it.
type side struct {
	ask   *Minute
	limit int64
	of    lease.Account
	out   *lease.Answer
}

// Lend asks the bank for a follower.
func (l *Lender) Lend(c *Caller, q *Ask) (own, shared lease.Answer, err error) {
	var v replica.View
	if !l.find(c, q.Key, &v) {
		return own, shared, ErrUnknown
	}
	teller, exact := l.Teller(v.Workspace)
	if teller == nil {
		return own, shared, ErrNoBank
	}
	var sides []side
	for _, s := range []side{
		{q.Own, v.Limits.PerMinute, lease.Account{ID: v.UUID, Workspace: v.Workspace, Key: v.UUID}, &own},
		{q.Shared, 0, lease.Account{Workspace: v.Workspace, Key: v.UUID, Plan: true}, &shared},
	} {
		switch {
		case s.ask == nil:
			continue
		case s.of.Plan && v.Plan != nil:
			s.of.ID, s.limit = v.Plan.ID, v.Plan.Limits.PerMinute
		}
		if s.limit == 0 { // the follower's copy is a moment behind
			s.out.Granted = s.ask.Want
			continue
		}
		sides = append(sides, s)
	}
	if len(sides) == 0 {
		return own, shared, nil
	}
	if owed := sides[0].ask.Owed; len(owed) > 0 {
		return own, shared, teller.Charge(c.name(), q.Number, sides[0].of, owed)
	}
	answers, err := teller.Ask(c.name(), q.Number, q.Cost, questions(sides, q.Cost, exact)...)
	for i := range sides {
		*sides[i].out = answers[i]
	}
	return own, shared, err
}

// questions puts the sides into the bank's words. Where each verification is to be asked about, a follower gets no more
// than it spends at once.
func questions(sides []side, cost int64, exact bool) (all []lease.Question) {
	for _, s := range sides {
		q := lease.Question{Of: s.of, Limit: s.limit, Want: s.ask.Want, Settle: s.ask.Back}
		switch {
		case exact:
			q.Want = min(q.Want, cost)
		case s.ask.Ahead && q.Want > 0:
			q.Ahead = int64(lease.Time / time.Second)
		}
		all = append(all, q)
	}
	return all
}

// Away is for how long no minutes are lent, as far as that is known.
func (l *Lender) Away() time.Duration {
	teller, _ := l.Teller("")
	if teller == nil {
		return 0
	}
	return teller.Away()
}

// Sharers is how many processes share a limit.
func (l *Lender) Sharers() int64 {
	teller, _ := l.Teller("")
	if teller == nil {
		return 1
	}
	return teller.Sharers()
}
