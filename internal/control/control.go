// Package control owns the control plane: every operation that looks at or changes workspaces, members, roles, keys,
// service keys and the log. Each one authorizes, validates, changes and records in one transaction, on authority that
// is read inside it. It does not own the wire (httpapi), nor whether a presented key is good (verify).
package control

import (
	"cmp"
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/notice"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// Service is the control plane over one store. It is safe for concurrent use.
type Service struct {
	db       *store.DB
	cat      *perm.Catalogue
	format   keyfmt.Format
	digester *keyfmt.Digester
	ids      *id.Generator
	rand     io.Reader
	recent   Recent
	reveal   time.Duration
	cursors  sealer
	searches *turns
	reads    *turns // of whole requests that change nothing
	networks notice.Networks
	now      func() time.Time // paces what goes on after a request
	inChunk  atomic.Int64     // keys of the next chunk of a settlement
	pace     pace
	anyone   bool                          // may make workspaces
	declared atomic.Pointer[keyfmt.Secret] // the root key that the environment sets; zero for none
}

// Config holds the parts of a Service.
type Config struct {
	DB        *store.DB
	Catalogue *perm.Catalogue
	Format    keyfmt.Format
	Digester  *keyfmt.Digester
	IDs       *id.Generator
	Rand      io.Reader
	Recent    Recent // nil where nothing is counted
	// AnyoneCreatesWorkspaces lets each person make workspaces; without it operators alone do, by service keys with the
	// scope manage.
	AnyoneCreatesWorkspaces bool
	// Now has a monotonic reading, which paces the writing of settled rows, and tells how long reads take. Without it
	// a request writes all rows before it is answered, and no turn at reading is lent. No stored time comes from it.
	Now func() time.Time
	// AtOnce is how many keys of a member are written in the transaction that removes the member or brings the member
	// back; 0 is 100, and less is none.
	AtOnce int64
	// InChunk is how many keys a transaction over many of them has at least; 0 is 25.
	InChunk int
	// WebhookNetworks are those beside the public Internet to which notices may be sent.
	WebhookNetworks notice.Networks
	// Reveal is how long a repeated request with an Idempotency-Key gets the same value again; 0 is never.
	Reveal time.Duration
}

// New makes the control plane.
func New(c Config) *Service {
	if c.Recent == nil {
		c.Recent = nothingRecent{}
	}
	lends := c.Now != nil
	if !lends {
		c.Now = func() (stands time.Time) { return stands }
	}
	s := &Service{
		db: c.DB, cat: c.Catalogue, format: c.Format, digester: c.Digester, ids: c.IDs, rand: c.Rand, recent: c.Recent,
		cursors: sealer{key: c.DB.Secret()}, anyone: c.AnyoneCreatesWorkspaces,
		now: c.Now, pace: paceOf(&c), reveal: c.Reveal, networks: c.WebhookNetworks,
	}
	s.searches = newTurns(c.DB.LongReads, func() int { return searchesAtOnce })
	s.reads = newTurns(c.DB.Reads, c.DB.LongReads)
	if lends {
		s.reads.now = c.Now
		s.reads.extra = func() int { return lentReads * c.DB.Reads() }
	}
	s.inChunk.Store(int64(s.pace.fewest))
	return s
}

// Caller is the result of authentication. It holds only identities: permissions are read in each transaction, and so
// is the standing of the presented credential. Exactly one of ServiceKey, APIKey, Person and Portal is set.
type Caller struct {
	ServiceKey id.ServiceKey
	APIKey     id.Key
	Person     Person
	Session    id.Session // in which a person, or whoever acts as a service key, is signed in; "" for none
	Token      string     // the name that the provider gave to a person's token, for the log
	Portal     id.Portal  // by its token: a member who acts through a portal session
	Thumbprint string     // of the key that proved to have the token of Portal

	// Presented is the digest of the value that was presented: one of the API key's, the service key's, the session
	// token's. Of a token of the provider it only tells one from another.
	Presented keyfmt.Digest
	// Rehashed is our own digest of an API key's foreign value, which may take the place of Presented at any time; zero
	// for others.
	Rehashed keyfmt.Digest
	// Until is when a token of the provider, or of a portal session, ends, by its own words. A person without a session
	// has one.
	Until time.Time

	// Home is the workspace of an API key or a portal session; "" for others.
	Home  id.Workspace
	about string // the workspace that the running operation names; "" for none

	opens [2]session.Capability // the running operation is open to portal sessions that have one of these

	// Within is the workspace that the request names beside an object's id, as it was given; "" for none. An object
	// of another workspace is not found.
	Within string

	Address   string // where the request came from, without the port
	UserAgent string
	RequestID string

	Receipt *Receipt // is told where in the log the operation stands; nil where that is not asked
}

// Receipt says where in the log a request's operations were committed. It belongs to one request: it is not safe for
// concurrent use.
type Receipt struct{ revision int64 }

// Revision is the newest at which one of the operations was committed, or was found to have changed nothing; 0 before
// any.
func (r *Receipt) Revision() int64 { return r.revision }

func (r *Receipt) note(revision int64) {
	if r != nil {
		r.revision = max(r.revision, revision)
	}
}

// in is the caller of an operation that names a workspace.
func (c Caller) in(workspace string) Caller {
	c.about = workspace
	return c
}

// tenant names those with whom the caller shares the turns at the writer: the workspace of a member, of a key or of a
// portal session, whichever workspace they name; of a service key the workspace that it names, or the service key
// itself.
func (c *Caller) tenant() string {
	if c.ServiceKey != "" {
		return cmp.Or(c.about, c.Within, string(c.ServiceKey))
	}
	return cmp.Or(string(c.Home), string(c.Person.Workspace), string(c.APIKey), string(c.Portal))
}

// From is the caller with the place from which a request comes.
func (c Caller) From(origin Caller) Caller {
	c.Address, c.UserAgent, c.RequestID = origin.Address, origin.UserAgent, origin.RequestID
	c.Receipt = origin.Receipt
	return c
}

// Person is a member who calls as themselves. Workspace is where they work unless they name another of theirs; "" is
// the one that they joined first.
type Person struct {
	Workspace id.Workspace
	User      id.User
}

// Optional tells absent, null and a value apart.
type Optional[T any] struct {
	Set   bool // given at all
	Null  bool // given as null
	Value T
}

// Some is a given value.
func Some[T any](v T) Optional[T] { return Optional[T]{Set: true, Value: v} }

// Null is a given null.
func Null[T any]() Optional[T] { return Optional[T]{Set: true, Null: true} }

// Paging asks for one page of a list: Limit 1–100 (0 is 50), Cursor as an earlier page gave it.
type Paging struct {
	Limit  int
	Cursor string
}

// Page says where a list goes on. NextCursor is "" on the last page.
type Page struct {
	Limit      int
	NextCursor string
}

// ItemError is the failure of one item of a bulk operation.
type ItemError struct {
	Index int
	ID    string
	Fault *fault.Error
}

// view runs a look in a snapshot, with the caller's authority as it is in that snapshot.
func (s *Service) view(ctx context.Context, c Caller, look func(*store.View, *actor) error) error {
	return readFault(s.db.View(ctx, func(v *store.View) error {
		a, err := s.actor(v, c)
		if err != nil {
			return err
		}
		return look(v, a)
	}))
}

// Stands refuses a caller whose credential was taken back since it was authenticated.
func (s *Service) Stands(ctx context.Context, c Caller) error {
	return storageFault(s.view(ctx, c.through(anyCapability), func(*store.View, *actor) error { return nil }))
}

// update runs a change in a write transaction, with the caller's authority as it is inside it, and notes in the
// caller's receipt where that was committed.
func (s *Service) update(ctx context.Context, c Caller, change func(*store.Tx, *actor) error) error {
	return s.updateBy(ctx, s.db.Update, c, change)
}

// updateApart is update with a commit of its own.
func (s *Service) updateApart(ctx context.Context, c Caller, change func(*store.Tx, *actor) error) error {
	return s.updateBy(ctx, s.db.UpdateApart, c, change)
}

func (s *Service) updateBy(
	ctx context.Context, update func(context.Context, func(*store.Tx) error) (int64, error), c Caller,
	change func(*store.Tx, *actor) error,
) error {
	revision, err := update(store.InTurnOf(ctx, c.tenant()), func(tx *store.Tx) error {
		a, err := s.actor(tx.View, c)
		if err != nil {
			return err
		}
		return change(tx, a)
	})
	c.Receipt.note(revision)
	return storageFault(err)
}

// stamp is a time as events show it: null for "never".
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// bounded is a limit as events show it: null for none.
func bounded(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}
