package feedhttp_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/feed/feedtest"
	"github.com/keyward/keyward/internal/feedhttp"
	"github.com/keyward/keyward/internal/follow"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/ratelimit"
)

// withWorkspace is a source whose load tells of a workspace first: a copy tells of no key that is in none.
type withWorkspace struct{ feed.Source }

func (s withWorkspace) Load(ctx context.Context, f func(feed.Change) error) (feed.Cursor, bool, error) {
	if err := f(feed.Change{Workspace: &account.Workspace{ID: "w", IsActive: true}}); err != nil {
		return feed.Cursor{}, false, err
	}
	return s.Source.Load(ctx, f)
}

// place is a source's end: that of the core, or that of a hub, which follows the core.
type place struct {
	*feedhttp.Source
	hub *follow.Follower // nil at the core
}

// balanced is a core with hubs behind one address, and a follower of that: each question goes to any of them.
type balanced struct {
	t      *testing.T
	random *mathrand.Rand
	model  *feedtest.Model
	names  []id.Key
	// of each revision, which change each key had last; 0 for none
	history []map[id.Key]int64
	places  []*place
	asked   *place // at last
	leaf    *follow.Follower

	conflicts, between int // answers with 409, and questions that go on elsewhere than the page with more before them
	more               bool
}

func newBalanced(t *testing.T, seed uint64) *balanced {
	b := &balanced{t: t, random: mathrand.New(mathrand.NewPCG(seed, 0)), model: &feedtest.Model{Page: 3},
		history: []map[id.Key]int64{{}}}
	ids := id.NewGenerator(time.Now, rand.Reader)
	for range 6 {
		b.names = append(b.names, id.Key(ids.Next()))
	}
	settings := &feedhttp.Settings{KeyPrefixes: []string{"kw"}, Pepper: "none"}
	for _, e := range catalogue.Entries() {
		settings.Catalogue = append(settings.Catalogue, feedhttp.Permission{Resource: e.Resource, Action: e.Action})
	}
	began := time.Now()
	end := func(s feed.Source) *feedhttp.Source {
		return feedhttp.NewSource(feedhttp.SourceConfig{Feed: s, Catalogue: catalogue,
			Settings: func() *feedhttp.Settings { return settings },
			Now:      time.Now, Elapsed: func() time.Duration { return time.Since(began) }})
	}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	client := func(path string) *feedhttp.Client {
		return feedhttp.NewClient(feedhttp.ClientConfig{HTTP: server.Client(), URL: server.URL + path,
			Token: func() string { return "t" }, Limit: time.Hour, Random: rand.Text})
	}
	b.places = []*place{{Source: end(withWorkspace{b.model})}}
	for range 2 {
		o := follow.NewOnward()
		p := &place{Source: end(o)}
		o.Moved = p.Ring
		p.hub = follow.New(follow.Config{Source: client("/core"), Limit: time.Hour, Onward: o, Now: time.Now})
		if err := p.hub.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.places = append(b.places, p)
	}
	b.leaf = follow.New(follow.Config{Source: client("/any"), Limit: time.Hour, Now: time.Now})
	return b
}

// ServeHTTP stands in for a balancer of load, and for httpapi without callers.
func (b *balanced) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := b.places[0]
	if path, isLeaf := strings.CutPrefix(r.URL.Path, "/any"); isLeaf {
		p = b.places[b.random.IntN(len(b.places))]
		if b.more && p != b.asked && !strings.HasSuffix(path, "/snapshot") {
			b.between++
		}
		b.asked = p
		b.more = false
	}
	q := feedhttp.Question{Nonce: r.FormValue("nonce"), Short: feedhttp.ReadsShort(r.Header.Values("Accept"))}
	if strings.HasSuffix(r.URL.Path, "/snapshot") {
		_ = p.WriteSnapshot(r.Context(), w, nil, &q)
		return
	}
	at, err := p.Position(r.FormValue("after"), &q)
	var page feedhttp.Found
	if err == nil {
		page, err = p.Await(r.Context(), feed.Presence{At: at})
	}
	switch {
	case errors.Is(err, feed.ErrHistory):
		b.conflicts++
		w.WriteHeader(http.StatusConflict)
	case err != nil:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		b.more = page.More
		_ = p.WritePage(w, nil, &page, &q)
	}
}

// change makes, changes or drops a key. Its limit says which change it was.
func (b *balanced) change() {
	now := map[id.Key]int64{}
	for k, n := range b.history[len(b.history)-1] {
		now[k] = n
	}
	k := b.names[b.random.IntN(len(b.names))]
	if n := int64(len(b.history)); b.random.IntN(4) > 0 {
		now[k] = n
		b.model.Put(apikey.Key{ID: k, Workspace: "w", User: "u", Limits: ratelimit.Limits{PerMinute: n}})
	} else {
		delete(now, k)
		b.model.Drop(k)
	}
	b.history = append(b.history, now)
	b.places[0].Ring()
}

// look has the follower look. A copy that counts as fresh has each key as it was at a time not before what the source
// that was asked last had: no key is left from before, and none is missing.
func (b *balanced) look() error {
	err := b.leaf.Look(b.t.Context())
	if err != nil {
		return err
	}
	from := len(b.history) - 1
	if b.asked.hub != nil {
		from = int(b.asked.hub.Revision())
	}
	has := map[id.Key]int64{}
	if err := b.leaf.Replica().Each(func(c feed.Change) error {
		if c.Key != nil {
			has[c.Key.ID] = c.Key.Limits.PerMinute
		}
		return nil
	}); err != nil {
		b.t.Fatal(err)
	}
	for _, k := range b.names {
		var allowed []int64
		was := false
		for _, then := range b.history[from:] {
			allowed = append(allowed, then[k])
			was = was || then[k] == has[k]
		}
		if !was {
			b.t.Fatalf("the key %s is as change %d made it; since revision %d it was as %d made it", k, has[k], from, allowed)
		}
	}
	return nil
}

// A follower behind a balancer of load asks the core and hubs in turns, also between the pages of one answer. Where a
// hub does not know the place it answers 409, and the follower loads: its copy is whole, and never made of both.
func TestAFollowerThatChangesBetweenACoreAndHubsHasAWholeCopy(t *testing.T) {
	t.Parallel()
	conflicts, between := 0, 0
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := newBalanced(t, seed)
			for range 150 {
				switch what := b.random.IntN(8); {
				case what < 4:
					b.change()
				case what < 6:
					if err := b.places[1+b.random.IntN(2)].hub.Look(t.Context()); err != nil {
						t.Fatal(err)
					}
				default:
					if err := b.look(); err != nil && !errors.Is(err, feed.ErrHistory) {
						t.Fatal(err)
					}
				}
			}
			for _, p := range b.places[1:] {
				if err := p.hub.Look(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for b.look() != nil { // until the places that it is sent to know its cursor
			}
			conflicts += b.conflicts
			between += b.between
		})
	}
	if conflicts == 0 || between == 0 {
		t.Errorf("%d conflicts, and %d changes of the source between pages", conflicts, between)
	}
}
