package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
)

func TestACommitWhoseConnectionIsLostIsReportedAsWhatItWas(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	p, through := between(t, url)
	db := start(t, open(t, through))
	var told []id.Key
	db.Subscribe(func(changes []feed.Change) {
		for _, c := range changes {
			told = append(told, c.Key.ID)
		}
	})

	p.set("answer", false)
	committed := newKey()
	if err := insert(db, committed); err != nil {
		t.Errorf("the answer was lost, and the change had been committed: %v", err)
	}
	p.set("request", false)
	refused := newKey()
	if err := insert(db, refused); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknown) {
		t.Errorf("the request was lost, and nothing was committed: %v, want ErrUnavailable", err)
	}
	p.set("", false)
	if !there(t, db, committed) || there(t, db, refused) {
		t.Errorf("committed: %v, refused: %v", there(t, db, committed), there(t, db, refused))
	}
	if len(told) != 1 || told[0] != committed {
		t.Errorf("the feed told of %v, want %s alone", told, committed)
	}
	if _, err := db.VerifyLog(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestACommitThatNobodyCanBeAskedAboutIsReportedAsUnknown(t *testing.T) {
	t.Parallel()
	p, through := between(t, migrated(t))
	db := start(t, open(t, through))
	p.set("answer", true)
	k := newKey()
	if err := insert(db, k); !errors.Is(err, store.ErrUnknown) {
		t.Errorf("%v, want ErrUnknown", err)
	}
	p.set("", false)
	if !there(t, db, k) {
		t.Error("the key was committed and is not there")
	}
	if err := insert(db, newKey()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAWriterThatStandsStillIsPutOutAndItsTransactionIsLost(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := migrated(t)
	quick, err := postgres.Open(ctx, url, postgres.Options{Connections: 4, Idle: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	slow, other := start(t, quick), start(t, open(t, url))
	k := newKey()
	_, err = slow.Update(ctx, func(tx *store.Tx) error {
		if err := insert(other, k); err != nil { // waits for the lock until the server ends this transaction
			t.Errorf("the other node: %v", err)
		}
		return tx.Record(event(audit.APIKeyCreated))
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the one that stood still: %v, want ErrUnavailable", err)
	}
	if err := insert(slow, newKey()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAWriterWaitsForItsTurnForALimitedTime(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := migrated(t)
	impatient, err := postgres.Open(ctx, url, postgres.Options{Connections: 4, Lock: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	waits, holds := start(t, impatient), start(t, open(t, url))
	_, err = holds.Update(ctx, func(*store.Tx) error {
		if err := insert(waits, newKey()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%v, want ErrUnavailable", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for range 100 { // on a busy machine a free lock can take longer than the limit
		if err = insert(waits, newKey()); !errors.Is(err, store.ErrUnavailable) {
			break
		}
	}
	if err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestT86AServerThatGoesAwayIsToldAsUnavailableAndComesBack(t *testing.T) {
	t.Parallel()
	p, through := between(t, migrated(t))
	db := start(t, open(t, through))
	p.set("", true)
	p.cut()
	if err := insert(db, newKey()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a change: %v, want ErrUnavailable", err)
	}
	if err := db.Ping(context.Background()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a look: %v, want ErrUnavailable", err)
	}
	p.set("", false)
	if err := insert(db, newKey()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestABackupIsLeftToPostgreSQL(t *testing.T) {
	t.Parallel()
	err := start(t, open(t, migrated(t))).Backup(context.Background(), "nowhere")
	if err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("%v, want a hint at pg_dump", err)
	}
}

func TestAPasswordIsInNoError(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://keyward:hunter2@127.0.0.1:1/keyward?sslmode=disable",
		"postgres://keyward:hunter2@[::1/keyward", "postgres://keyward:hunter2@127.0.0.1:port/keyward",
	} {
		_, err := postgres.Open(context.Background(), url, postgres.Options{})
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q", url, err)
		}
	}
}
