package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
	"github.com/keyward/keyward/internal/store/storetest"
)

func TestTheDriverDoesWhatEveryDriverMust(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Open {
		path := filepath.Join(t.TempDir(), "keyward.db")
		return func() store.Driver { return open(t, path) }
	})
}

// open opens a file as its server.
func open(t *testing.T, path string) *sqlite.Driver {
	t.Helper()
	d, err := sqlite.Open(path, sqlite.Options{Lock: true})
	if err != nil {
		t.Fatal(err)
	}
	return d
}
