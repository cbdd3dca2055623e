package keyward

import (
	"errors"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// Pagination says where a page stands in its list.
type Pagination struct {
	// Limit is the most that a page holds.
	Limit int `json:"limit"`
	// NextCursor asks for the next page; empty on the last.
	NextCursor string `json:"nextCursor"`
	// HasNext tells whether there is a next page.
	HasNext bool `json:"hasNext"`
}

// ListOptions choose a page of a list. The zero value is the first one.
type ListOptions struct {
	// Limit is 1 to 100; 0 leaves it to the server, which takes 50.
	Limit int
	// Cursor is the NextCursor of the page before.
	Cursor string
}

func (o ListOptions) query() query { return query{}.number("limit", o.Limit).text("cursor", o.Cursor) }

// query is the URL's, built of the values that are not zero.
type query url.Values

func (q query) text(name, value string) query {
	if value != "" {
		url.Values(q).Set(name, value)
	}
	return q
}

func (q query) number(name string, value int) query {
	if value != 0 {
		return q.text(name, strconv.Itoa(value))
	}
	return q
}

func (q query) flag(name string, value *bool) query {
	if value != nil {
		return q.text(name, strconv.FormatBool(*value))
	}
	return q
}

func (q query) time(name string, value time.Time) query {
	if !value.IsZero() {
		return q.text(name, value.UTC().Format(time.RFC3339Nano))
	}
	return q
}

// walk yields every item from the page at cursor on, page after page, and ends with the first error. A page is asked
// for when the one before is used up, so that breaking off costs nothing more.
func walk[T any](cursor string, page func(cursor string) ([]T, Pagination, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for at := cursor; ; {
			items, p, err := page(at)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if !p.HasNext || p.NextCursor == "" {
				return
			}
			if p.NextCursor == at {
				yield(none, errors.New("keyward: the list does not advance: the same cursor twice"))
				return
			}
			at = p.NextCursor
		}
	}
}

// walkList is walk for the lists that have no filter of their own.
func walkList[T any](opts ListOptions, page func(ListOptions) ([]T, Pagination, error)) iter.Seq2[T, error] {
	return walk(opts.Cursor, func(cursor string) ([]T, Pagination, error) {
		return page(ListOptions{Limit: opts.Limit, Cursor: cursor})
	})
}
