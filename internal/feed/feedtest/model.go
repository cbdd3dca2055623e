package feedtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

// Model is the simplest source: it remembers every change. The zero value is empty.
type Model struct {
	Page int // changes in a page at most; 0 is all

	mu      sync.Mutex
	changes []feed.Change
	from    int // the first of them that is still told
	keys    map[id.Key]apikey.Key
}

// Put makes or changes a key.
func (m *Model) Put(k apikey.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys == nil {
		m.keys = map[id.Key]apikey.Key{}
	}
	m.keys[k.ID] = k
	m.changes = append(m.changes, feed.Change{Key: &k})
}

// Drop removes a key.
func (m *Model) Drop(k id.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changes = append(m.changes, feed.Change{KeyGone: k, In: m.keys[k].Workspace})
	delete(m.keys, k)
}

// Forget makes the log begin after its end.
func (m *Model) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.from = len(m.changes)
}

func (m *Model) cursor(at int) feed.Cursor {
	return feed.Cursor{Epoch: "model", Revision: int64(at), Hash: sha256.Sum256(fmt.Append(nil, at))}
}

// Load is feed.Source.
func (m *Model) Load(_ context.Context, f func(feed.Change) error) (feed.Cursor, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.keys {
		if err := f(feed.Change{Key: &k}); err != nil {
			return feed.Cursor{}, false, err
		}
	}
	return m.cursor(len(m.changes)), true, nil
}

// Next is feed.Source.
func (m *Model) Next(_ context.Context, p feed.Presence) (feed.Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := int(p.At.Revision)
	if at < m.from || at > len(m.changes) || p.At != m.cursor(at) {
		return feed.Page{}, fmt.Errorf("%w: the model begins at %d and ends at %d", feed.ErrHistory, m.from, len(m.changes))
	}
	end := len(m.changes)
	if m.Page > 0 {
		end = min(end, at+m.Page)
	}
	out := feed.Page{Cursor: m.cursor(end), More: end < len(m.changes)}
	for _, c := range m.changes[at:end] {
		c.Revision = int64(end)
		out.Changes = append(out.Changes, c)
	}
	return out, nil
}
