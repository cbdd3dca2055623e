package feedhttp

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
)

// SourceConfig holds the parts of a source's end. Feed, Catalogue, Settings and the clocks are needed.
type SourceConfig struct {
	Feed      feed.Source // answers at once
	Catalogue *perm.Catalogue
	Settings  func() *Settings // the same pointer for the same settings
	// CountUntold is about how many keys within a reach the feed does not tell the values of, and where second digests
	// are told, of how many it has none.
	CountUntold func(reach *account.Reach, second bool) int64
	// Count is about how many keys there are within a reach, 0 where that is not known. Nil knows of none.
	Count func(reach *account.Reach) int64
	// Keys derives the keys of workspaces: none without a pepper. Nil for a feed that knows no pepper.
	Keys func(workspaces []string) []keyfmt.WorkspaceKey
	// Bound says that the feed has second digests in the place of others: its reader is bound itself.
	Bound bool
	// Now is the wall clock, and Elapsed a monotonic one.
	Now     func() time.Time
	Elapsed func() time.Duration
}

// Source answers readers of the feed. It holds their questions until there is something new, and asks the log once for
// all readers that stand at one place. It is a feed.Source itself, and safe for concurrent use.
type Source struct {
	SourceConfig
	loading chan struct{} // a place for each load

	mu    sync.Mutex
	rung  chan struct{} // closed when something has changed
	rings int
	reads map[feed.Cursor]*read
	told  *Settings // whose digest is kept
	sum   [32]byte

	snapshots snapshots
}

// read is a look at the log, which several questions share.
type read struct {
	began time.Duration
	rings int // how often it had rung before
	done  chan struct{}
	page  feed.Page
	err   error

	texts pageTexts // of the page
}

const (
	loadsAtOnce = 2
	placeWait   = 5 * time.Second
	// a look at the log serves later questions for so long, with the age that it has by then
	sharedFor = 50 * time.Millisecond
	mostReads = 256
)

// NewSource makes a source's end.
func NewSource(c SourceConfig) *Source {
	return &Source{
		SourceConfig: c, loading: make(chan struct{}, loadsAtOnce), rung: make(chan struct{}), reads: map[feed.Cursor]*read{},
		snapshots: newSnapshots(),
	}
}

// Ring says that something has changed: questions that are held are answered. It does not block.
func (s *Source) Ring() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.rung)
	s.rung = make(chan struct{})
	s.rings++
	clear(s.reads)
}

// Load is feed.Source. It takes one of few places, and waits for one a little: a place would be idle otherwise until
// one of those that were told to wait asks again.
func (s *Source) Load(ctx context.Context, f func(feed.Change) error) (at feed.Cursor, ok bool, err error) {
	select {
	case s.loading <- struct{}{}:
	case <-time.After(placeWait):
		return at, false, nil
	case <-ctx.Done():
		return at, false, ctx.Err()
	}
	defer func() { <-s.loading }()
	return s.Feed.Load(ctx, f)
}

// Found is a page with the texts that its readers share.
type Found struct {
	feed.Page
	texts *pageTexts // nil for a page of this reader alone
}

// Next is feed.Source.
func (s *Source) Next(ctx context.Context, p feed.Presence) (feed.Page, error) {
	found, err := s.Await(ctx, p)
	return found.Page, err
}

// Await is Next for a page that is written to a reader. It holds the question for as long as p.Wait while there is
// nothing new.
func (s *Source) Await(ctx context.Context, p feed.Presence) (Found, error) {
	asked := s.Elapsed()
	var over <-chan time.Time
	if p.Wait > 0 {
		timer := time.NewTimer(p.Wait)
		defer timer.Stop()
		over = timer.C
	}
	for last := p.Wait <= 0; ; {
		r, rung := s.read(ctx, p.At)
		select {
		case <-r.done:
		case <-ctx.Done():
			return Found{}, ctx.Err()
		}
		if r.err != nil || r.page.Cursor != p.At || r.page.More || last {
			page := r.page
			page.Held, page.Age = max(0, r.began-asked), page.Age+max(0, asked-r.began)
			return Found{page, &r.texts}, r.err
		}
		select {
		case <-rung:
		case <-over:
			last = true
		case <-ctx.Done():
			return Found{}, ctx.Err()
		}
	}
}

// Check tells whether the log goes on after a cursor: its error is feed.ErrHistory otherwise.
func (s *Source) Check(ctx context.Context, at feed.Cursor) error {
	r, _ := s.read(ctx, at)
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isEnd tells whether the log has nothing after a cursor.
func (s *Source) isEnd(ctx context.Context, at feed.Cursor) bool {
	r, _ := s.read(ctx, at)
	select {
	case <-r.done:
		return r.err == nil && r.page.Cursor == at && !r.page.More
	case <-ctx.Done():
		return false
	}
}

// read joins a look at the log that is young enough, or begins one. The channel is closed at the next change after it
// began.
func (s *Source) read(ctx context.Context, at feed.Cursor) (*read, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Elapsed()
	if r := s.reads[at]; r != nil && r.rings == s.rings && now-r.began < sharedFor {
		return r, s.rung
	}
	if len(s.reads) >= mostReads {
		clear(s.reads)
	}
	r := &read{began: now, rings: s.rings, done: make(chan struct{})}
	s.reads[at] = r
	go func() {
		defer close(r.done)
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout) // others may wait for it
		defer cancel()
		r.page, r.err = s.Feed.Next(limited, feed.Presence{At: at})
		if r.err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.reads[at] == r {
				delete(s.reads, at)
			}
		}
	}()
	return r, s.rung
}

const readTimeout = 2 * time.Second

// Position reads the cursor of a question, whose error is feed.ErrHistory where everything has to be loaded, or else
// the sentence on a text that is no cursor. A question that names no fields gets those of its cursor.
func (s *Source) Position(after string, q *Question) (feed.Cursor, error) {
	_, kind := s.kind(q)
	at, err := readCursor(after, kind)
	if !q.Fieldless || !errors.Is(err, feed.ErrHistory) {
		return at, err
	}
	for fields := range 1 << 3 {
		as := *q
		as.Name, as.Metadata, as.Second = fields&1 != 0, fields&2 != 0, fields&4 != 0
		as.settings = nil // its kind is another one
		_, kind := s.kind(&as)
		if at, err := readCursor(after, kind); err == nil {
			*q = as
			return at, nil
		}
	}
	return at, err
}

// end completes the last line of an answer in which so many keys were not told.
func (s *Source) end(q *Question, untold int64, e End) *End {
	e.Nonce, e.Now = q.Nonce, instant{s.Now()}
	e.KeysToAsk = max(untold, s.Untold(q))
	e.HasForeignKeys = e.KeysToAsk > 0
	return &e
}

// kind gives the settings and the kind of a question's cursors.
func (s *Source) kind(q *Question) (*Settings, string) {
	s.digests(q)
	settings := s.Settings()
	if q.settings == settings {
		return settings, q.ofKind
	}
	s.mu.Lock()
	if s.told != settings {
		s.told, s.sum = settings, settings.digest()
	}
	sum := s.sum
	s.mu.Unlock()
	q.settings, q.shared = settings, q.kind(sum)
	q.ofKind = q.shared[:16]
	return settings, q.ofKind
}
