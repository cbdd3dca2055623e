package control

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/store"
)

// sealer makes cursors that cannot be altered or carried over to another list: the position, and a MAC over it and the
// list's name.
type sealer struct{ key []byte }

const macSize = 16

func (s sealer) mac(list, position string) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte("cursor\x00" + list + "\x00" + position))
	return m.Sum(nil)[:macSize]
}

func (s sealer) seal(list, position string) string {
	return base64.RawURLEncoding.EncodeToString(append(s.mac(list, position), position...))
}

// open gives the position of a cursor of the list; "" for the first page.
func (s sealer) open(list, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) <= macSize || !hmac.Equal(b[:macSize], s.mac(list, string(b[macSize:]))) {
		return "", fault.Invalid("cursor", "is not one that this list gave")
	}
	return string(b[macSize:]), nil
}

const (
	defaultLimit = 50
	maxLimit     = 100
)

// limit checks a page's size; 0 is the default.
func limit(n int) (int, error) {
	switch {
	case n == 0:
		return defaultLimit, nil
	case n < 1 || n > maxLimit:
		return 0, fault.Invalid("limit", "must be between 1 and %d", maxLimit)
	}
	return n, nil
}

// listed reads a page for the caller within one look at the database.
func listed[T any](ctx context.Context, s *Service, c Caller,
	read func(v *store.View, a *actor) ([]T, Page, error)) (out []T, page Page, err error) {
	err = s.view(ctx, c, func(v *store.View, a *actor) error {
		out, page, err = read(v, a)
		return err
	})
	return out, page, storageFault(err)
}

// paged reads one page: it asks fetch for one item more than the page holds, to know whether another page follows.
func paged[T any](
	s *Service, list string, p Paging, position func(T) string, fetch func(store.Page) ([]T, error),
) ([]T, Page, error) {
	n, err := limit(p.Limit)
	if err != nil {
		return nil, Page{}, err
	}
	after, err := s.cursors.open(list, p.Cursor)
	if err != nil {
		return nil, Page{}, err
	}
	items, err := fetch(store.Page{Limit: n + 1, After: after})
	if err != nil {
		return nil, Page{}, err
	}
	page := Page{Limit: n}
	if len(items) > n {
		items = items[:n]
		page.NextCursor = s.cursors.seal(list, position(items[n-1]))
	}
	return items, page, nil
}
