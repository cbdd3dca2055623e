package store

import (
	"context"

	"github.com/keyward/keyward/internal/feed"
)

// Source is the database's change log as a feed.Source. It answers at once and ignores the wait.
type Source struct {
	DB     *DB
	Places int // how many readers load at once, on a database that several nodes share
	Page   int // about how many changes a page has at most
	// Own says that this is the reader that is told of this process's own changes: each write of this process before a
	// load is known to it afterwards.
	Own bool
	// Expect is told about how many keys a load has, before the first of them. Nil is not told.
	Expect func(keys int64)
}

// Load is feed.Source.
func (s Source) Load(ctx context.Context, f func(feed.Change) error) (at feed.Cursor, ok bool, err error) {
	if s.Own {
		return s.DB.loadOwn(ctx, s.Places, s.Expect, f)
	}
	return s.DB.loadAt(ctx, s.Places, s.Expect, f)
}

// Next is feed.Source.
func (s Source) Next(ctx context.Context, p feed.Presence) (feed.Page, error) {
	return s.DB.Follow(ctx, p.At, s.Page)
}
