package follow

import (
	"context"
	"sync"

	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/replica"
)

// Onward is the feed of a copy, for those that follow its follower: everything in the copy, and then the pages that the
// follower has applied. It knows as much as the copy, so a page is as old as the copy is. It is a feed.Source that
// answers at once.
type Onward struct {
	// Moved is told when there is something new. It must be quick.
	Moved func()

	mu    sync.Mutex
	copy  *replica.Replica // nil while everything is being loaded
	at    feed.Cursor      // that the copy has reached
	pages []onwardPage     // that led there, each from the end of the one before
	size  int              // of the pages
}

type onwardPage struct {
	from, to feed.Cursor
	changes  []feed.Change
}

// mostOnward bounds the changes that are kept for those that are behind, and mostOnwardPage those of an answer.
const (
	mostOnward     = 100_000
	mostOnwardPage = 5000
)

// NewOnward makes the feed of a copy that is not loaded yet.
func NewOnward() *Onward { return &Onward{Moved: func() {}} }

func (o *Onward) loading() { o.set(nil, feed.Cursor{}) }

// set begins anew with a copy.
func (o *Onward) set(r *replica.Replica, at feed.Cursor) {
	if o == nil {
		return
	}
	o.mu.Lock()
	o.copy, o.at, o.pages, o.size = r, at, nil, 0
	o.mu.Unlock()
	o.Moved()
}

// add notes a page that the copy has taken over.
func (o *Onward) add(from feed.Cursor, p *feed.Page) {
	if o == nil || p.Cursor == from {
		return
	}
	o.mu.Lock()
	o.pages = append(o.pages, onwardPage{from, p.Cursor, p.Changes})
	o.size += 1 + len(p.Changes)
	for o.size > mostOnward && len(o.pages) > 1 {
		o.size -= 1 + len(o.pages[0].changes)
		o.pages[0] = onwardPage{}
		o.pages = o.pages[1:]
	}
	o.at = p.Cursor
	o.mu.Unlock()
	o.Moved()
}

// Load is feed.Source: it tells of the copy.
func (o *Onward) Load(ctx context.Context, f func(feed.Change) error) (at feed.Cursor, ok bool, err error) {
	o.mu.Lock()
	r, at := o.copy, o.at
	o.mu.Unlock()
	if r == nil {
		return at, false, feed.ErrLoading
	}
	return at, true, Tell(ctx, r, f)
}

// Tell tells everything in a copy, which must be ready at the end: feed.ErrLoading otherwise.
func Tell(ctx context.Context, r *replica.Replica, f func(feed.Change) error) error {
	n := 0
	err := r.Each(func(c feed.Change) error {
		if n++; n%mostOnwardPage == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		return f(c)
	})
	if err == nil && !r.Ready() {
		err = feed.ErrLoading // its history may be another one than its cursor says
	}
	return err
}

// Next is feed.Source.
func (o *Onward) Next(_ context.Context, p feed.Presence) (feed.Page, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.copy == nil {
		return feed.Page{}, feed.ErrLoading
	}
	page := feed.Page{Age: o.copy.Age(), Cursor: p.At} // the copy has since at least what it had at this age
	if p.At == o.at {
		return page, nil
	}
	from := -1
	for i := range o.pages {
		if o.pages[i].from == p.At {
			from = i
		}
	}
	if from < 0 {
		return feed.Page{}, feed.ErrHistory
	}
	for _, one := range o.pages[from:] {
		if n := len(page.Changes); n > 0 && n+len(one.changes) > mostOnwardPage {
			page.More = true
			break
		}
		page.Changes = append(page.Changes, one.changes...)
		page.Cursor = one.to
	}
	for i := range page.Changes {
		page.Changes[i].Revision = page.Cursor.Revision
	}
	return page, nil
}
