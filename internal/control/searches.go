package control

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/text"
)

// Bounds of a search: the events of one page, its time, and the number of searches of one workspace at once.
const (
	maxSearched    = 10_000
	searchTime     = 2 * time.Second
	searchesAtOnce = 2
)

// lookup is a search for a word in a list of a workspace.
type lookup[T, R any] struct {
	workspace, word string
	most            int // items that are found
	needs           string
	page            func(*store.View, id.Workspace, store.Page) ([]T, error)
	id              func(T) string
	names           func(T) []string // one of which holds the word
	// show gives the item as it is answered, and tells whether the caller is shown it.
	show func(*store.View, *actor, T) (R, bool, error)
}

// find gives the items of a list that hold a word, in the order of the list, and tells whether there may be more. It
// waits for its turn, and looks at maxSearched items at most.
func find[T, R any](
	ctx context.Context, s *Service, c Caller, l lookup[T, R],
) (found []R, more bool, err error) {
	const atOnce = 1000
	wanted := text.Search(l.word)
	holds := func(name string) bool { return strings.Contains(text.Search(name), wanted) }
	err = s.search(ctx, c, l.workspace, func(v *store.View, a *actor) error {
		ws, err := s.authorizeWorkspace(v, a, l.workspace, l.needs)
		if err != nil {
			return err
		}
		for page, looked := (store.Page{Limit: atOnce}), 0; ; {
			some, err := l.page(v, ws.ID, page)
			if err != nil {
				return err
			}
			for _, t := range some {
				if !slices.ContainsFunc(l.names(t), holds) {
					continue
				}
				one, shown, err := l.show(v, a, t)
				switch {
				case err != nil:
					return err
				case !shown:
				case len(found) == l.most:
					more = true
					return nil
				default:
					found = append(found, one)
				}
			}
			if looked += len(some); len(some) < atOnce {
				return nil
			}
			if looked >= maxSearched {
				more = true
				return nil
			}
			page.After = l.id(some[len(some)-1])
		}
	})
	return found, more, storageFault(err)
}

// search is view for reads that may look at many rows: it has its turn, and ends after a while with Unavailable. Its
// turn is that of the workspace in which it looks, and ends one at reading.
func (s *Service) search(ctx context.Context, c Caller, named string, look func(*store.View, *actor) error) error {
	endReadTurn(ctx)
	limited, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	room := named
	if room == "" {
		err := readFault(s.db.Glance(limited, func(v *store.View) error {
			a, err := s.actor(v, c)
			if err == nil {
				room = string(a.workspace)
			}
			return err
		}))
		if err != nil {
			return err
		}
	}
	leave, err := s.searches.enter(limited, room)
	if err == nil {
		err = s.view(limited, c, look)
		leave()
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fault.New(fault.Unavailable, "the search took too long, or too many run at once: ask for less, or again").
			Because(
				errors.Join(err, limited.Err()))
	}
	return err
}
