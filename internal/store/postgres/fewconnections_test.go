package postgres_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

func TestARoleWithAConnectionLimitWaitsForAConnectionOfItsOwnT105(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t)
	url := server.Database(t)
	name := url[strings.LastIndex(url, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	pgtest.Run(
		t, url,
		`CREATE ROLE few LOGIN CONNECTION LIMIT 2; GRANT ALL ON DATABASE "`+name+`" TO few; GRANT ALL ON SCHEMA public TO few`,
	)
	at := strings.Index(url, "@")
	d, err := postgres.Open(t.Context(), "postgres://few"+url[at:], postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	db := start(t, d)
	slow := func(ctx context.Context, q store.SQL) error {
		r, err := q.Query(ctx, `SELECT pg_sleep(0.05)`)
		if err == nil {
			err = r.Close()
		}
		return err
	}
	var wg sync.WaitGroup
	for i := range 12 {
		read := []func(context.Context, func(store.SQL) error) error{d.Read, d.Glance, d.Follow}[i%3]
		wg.Go(func() {
			for range 4 {
				if err := read(t.Context(), func(q store.SQL) error { return slow(t.Context(), q) }); err != nil {
					t.Errorf("a read beside others: %v", err)
				}
			}
		})
		wg.Go(func() {
			if err := insert(db, newKey()); err != nil {
				t.Errorf("a change beside others: %v", err)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("not all were answered")
	}
}
