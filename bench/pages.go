package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/dashboard"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/replica"
)

const (
	pageKeys  = 100_000
	slowest   = 100 // milliseconds that a page may take
	heaviest  = 100 // kilobytes that it may have
	pageTimes = 15
)

// everybody lets every request in as the owner of one workspace.
type everybody struct{ owner dashboard.Visitor }

func (e everybody) Visitor(*http.Request) (dashboard.Visitor, bool, error) { return e.owner, true, nil }

// pages takes the server's time for each page of the dashboard in a workspace with very many keys, and its size.
func pages(ctx context.Context, l *lab) (result, error) {
	dir, err := l.folder("pages")
	if err != nil {
		return result{}, err
	}
	k, err := open(ctx, dir)
	if err != nil {
		return result{}, err
	}
	defer k.db.Close()
	n := l.most(pageKeys, 1000)
	f, err := k.fill(ctx, "large", n)
	if err != nil {
		return result{}, err
	}
	who := everybody{dashboard.Visitor{Caller: control.Caller{Person: control.Person{Workspace: id.Workspace(f.ws), User: "u-1"}}, Workspace: f.ws}}
	d := dashboard.New(dashboard.Config{Control: k.control, Engine: k.engine, Gate: who, Nodes: &cluster.Alone{Now: time.Now, Replica: func() *replica.Replica { return k.replica }}, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	var out result
	key := "/keys/" + f.ids[0]
	for _, path := range []string{"/", "/keys", "/keys?sort=used", "/keys?view=expiring", "/keys?view=unused", "/keys?q=key", "/keys?q=nowhere", "/keys/new",
		key, key + "?permission=calls:read&ip=203.0.113.7", "/usage", "/members", "/roles", "/log", "/settings", "/catalogue"} {
		took, size, err := page(d, path)
		if err != nil {
			return result{}, err
		}
		name := path
		if path == key {
			name = "/keys/{id}"
		} else if len(path) > len(key) && path[:len(key)] == key {
			name = "/keys/{id}, tested"
		}
		out.figures = append(out.figures,
			figure{what: fmt.Sprintf("page %s, %d keys", name, n), unit: "ms", value: float64(took.Microseconds()) / 1000, must: atMost(slowest)},
			figure{what: "its size", unit: "kB", value: float64(size) / 1000, must: atMost(heaviest)})
	}
	return out, nil
}

// page is the median time of a page, and its size without compression.
func page(d http.Handler, path string) (time.Duration, int, error) {
	var each []time.Duration
	size := 0
	for range pageTimes {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
		start := time.Now()
		d.ServeHTTP(w, r)
		each = append(each, time.Since(start))
		if size = w.Body.Len(); w.Code != http.StatusOK {
			return 0, 0, fmt.Errorf("%s answers %d", path, w.Code)
		}
	}
	return median(each), size, nil
}
