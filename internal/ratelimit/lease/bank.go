package lease

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/id"
)

const (
	// Time is the time in which a share may be spent: long enough for few questions, short enough to return unneeded
	// units soon.
	Time = 2 * time.Second
	// Window is how many whole seconds count at an instant: the one that runs and the 60 before it.
	Window = 61
	// ColdTime is how long after a bank has lost its memory something that it forgot could count: a lease and the
	// window.
	ColdTime = Time + (Window+1)*time.Second
)

// Bank holds all units that the limiters together have charged to the minutes of keys and workspaces. It is safe for
// concurrent use, and bounds the time of each question itself.
type Bank interface {
	// Ask asks about a key, or a workspace, or both: they are granted the cost together or not at all. epoch is the
	// count of the bank's epoch that the caller goes by: in another one the bank grants nothing. After an error the
	// units may have been charged all the same. An error says that the bank is another one now, or away, or worth one
	// more question; or it wraps ErrAlone.
	Ask(epoch uint64, cost int64, questions ...Question) ([2]Answer, error)
	// Charge charges units that were admitted without the bank. Its errors are those of Ask.
	Charge(epoch uint64, of Account, owed []Owing) error
	// Return gives the rest of leases back, as far as the bank answers before ctx ends. epoch is the one in which they
	// were granted: another one has forgotten them, and takes nothing back.
	Return(ctx context.Context, epoch uint64, of Account, rests []Rest)
	// Standing is the state of the bank as a whole. It is the same pointer each time.
	Standing() *Standing
}

var (
	// ErrOtherEpoch says that the bank may have forgotten charges that the caller relies on.
	ErrOtherEpoch = errors.New("the bank has another epoch")
	// ErrAlone says that a key goes on by the policy this time, although the bank may work for other keys.
	ErrAlone = errors.New("this key is decided without the bank")
)

// Account is the object of a charge: a key, or a workspace that has a plan.
type Account struct {
	ID        [16]byte
	Workspace id.Workspace
	Plan      bool     // ID is the workspace's
	Key       [16]byte // that was presented last
}

// Question is one side of a question to the bank.
type Question struct {
	Of     Account
	Limit  int64
	Want   int64  // units; at least the cost, or 0 to look only
	Ahead  int64  // seconds in which they may be spent; 0: they are spent now
	Settle []Rest // given back before anything is granted
}

// Rest is the part of a lease that was not spent.
type Rest struct{ Lot, Units int64 }

// Answer is the bank's about one side. Instants are Unix milliseconds of this machine's clock.
type Answer struct {
	Granted int64 // at most as many as were wanted
	Lot     int64 // by which the bank knows the grant
	Charged int64 // all that counts now
	Reset   int64 // when nothing of that counts any more; 0 for now
	Retry   int64 // when the cost fits: 0 for now, -1 for never
	Known   int64 // for how many milliseconds a refusal need not be asked about again
}

// Standing is the state of a bank as a whole. The bank writes it and limiters read it.
type Standing struct {
	Down  atomic.Bool // nothing can be asked: the policy holds
	Epoch atomic.Pointer[Epoch]
	Nodes atomic.Int64 // that share a limit by the bank's word
	// Spread says that most of the Nodes are followers, few of which use one key at the same time.
	Spread atomic.Bool
	// Cold is until when no limiter takes more than its share, and Foreign until when units may count that the bank
	// does not know of, in milliseconds of the limiter's Clock.
	Cold, Foreign atomic.Int64
	// Known is how many nodes share a limit by another word than the bank's; nil where there is none. The larger number
	// counts.
	Known func() int64
	// Followers is how many share a limit beside the nodes; nil for none.
	Followers func() int64
}

// Epoch is a stretch of time over which a bank has forgotten nothing.
type Epoch struct {
	Name  string // as the bank knows it
	Count uint64 // more than that of any before
	Step  int64  // by how many milliseconds the bank's clock was set forward when it began; 0 where it was not
}

// mostAskers bounds the number of parts that a limit is cut into for leases. Few of very many followers use one key at
// the same time, and smaller leases would make all of them ask each time.
const mostAskers = 8

// Sharers is how many share a limit while the bank is away.
func (s *Standing) Sharers() int64 {
	n := s.NodesNow()
	if s.Followers != nil {
		n += s.Followers()
	}
	return n
}

// NodesNow is how many nodes share a limit, without their followers.
func (s *Standing) NodesNow() int64 {
	n := s.Nodes.Load()
	if s.Known != nil {
		n = max(n, s.Known())
	}
	return max(n, 1)
}

// askers is how many may have leases of one key at the same time.
func (s *Standing) askers() int64 {
	if s.Spread.Load() {
		return min(s.NodesNow(), mostAskers)
	}
	return s.NodesNow()
}

// Clock is both clocks of a machine. A bank and its limiter go by the same one.
type Clock struct {
	now   func() time.Time
	start time.Time
}

// NewClock starts the monotonic clock late enough for all differences to be positive. now has a monotonic part, as
// time.Now has.
func NewClock(now func() time.Time) *Clock { return &Clock{now: now, start: now()} }

func (c *Clock) read() instant {
	now := c.now()
	return instant{int64(now.Sub(c.start)/time.Millisecond) + 1_000_000, now.UnixMilli()}
}

// Mono reads the monotonic clock alone, in milliseconds.
func (c *Clock) Mono() int64 { return c.read().mono }

// Wall reads the wall clock, in Unix milliseconds.
func (c *Clock) Wall() int64 { return c.now().UnixMilli() }
