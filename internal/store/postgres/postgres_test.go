package postgres_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"github.com/keyward/keyward/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestTheDriverDoesWhatEveryDriverMust(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Open {
		url := migrated(t)
		return func() store.Driver { return open(t, url) }
	})
}

// open connects with few connections, since many tests share a server.
func open(t testing.TB, url string) *postgres.Driver {
	t.Helper()
	d, err := postgres.Open(context.Background(), url, postgres.Options{Connections: 5})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// migrated makes a database that has its tables.
func migrated(t testing.TB) string {
	t.Helper()
	return pgtest.Prepared(t, func(url string) error {
		d, err := postgres.Open(context.Background(), url, postgres.Options{Connections: 2})
		if err != nil {
			return err
		}
		return errors.Join(d.Migrate(context.Background(), time.Now()), d.Close())
	})
}
