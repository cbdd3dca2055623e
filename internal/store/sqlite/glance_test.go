package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

func TestAGlanceWaitsForNoOtherReaderT105(t *testing.T) {
	t.Parallel()
	d, err := sqlite.Open(filepath.Join(t.TempDir(), "keyward.db"), sqlite.Options{Lock: true})
	if err != nil {
		t.Fatal(err)
	}
	held, release := make(chan struct{}), make(chan struct{})
	for range d.Readers() {
		go func() {
			_ = d.Read(context.Background(), func(store.SQL) error {
				held <- struct{}{}
				<-release
				return nil
			})
		}()
	}
	for range d.Readers() {
		<-held
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := d.Glance(ctx, func(store.SQL) error { return nil }); err != nil {
		t.Errorf("a glance while every reader is lent: %v", err)
	}
	close(release)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
