package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

func TestT91ANewerSchemaIsTakenWhereItSaysSoAndElseRefused(t *testing.T) {
	t.Parallel()
	ctx, url := context.Background(), migrated(t)
	d := open(t, url)
	defer d.Close()
	pgtest.Run(
		t, url, "INSERT INTO schema_migrations (version, name, oldest, applied_at) VALUES (9998, 'additive', 1, '')",
	)
	if err := d.Migrate(ctx, time.Now()); err != nil {
		t.Errorf("a newer step beside which every release can work: %v", err)
	}
	if err := insert(start(t, open(t, url)), newKey()); err != nil {
		t.Errorf("a change beside it: %v", err)
	}
	pgtest.Run(
		t, url, "INSERT INTO schema_migrations (version, name, oldest, applied_at) VALUES (9999, 'breaking', 9999, '')",
	)
	if err := d.Migrate(ctx, time.Now()); err == nil || !strings.Contains(err.Error(), "9999 (breaking)") {
		t.Errorf("a step that wants a newer program: %v", err)
	}
}

// A step asks for tables in one order while another session reads them in the other, as the nodes of the release
// before do: it gives way, and is done when they are.
func TestT91AStepGivesWayToThoseWhoRead(t *testing.T) {
	t.Parallel()
	ctx, url := context.Background(), migrated(t)
	d, reader := open(t, url), open(t, url)
	t.Cleanup(func() { _, _ = d.Close(), reader.Close() })
	done := make(chan error, 1)
	look := func(q store.SQL, table string) {
		t.Helper()
		rows, err := q.Query(ctx, `SELECT 1 FROM `+table+` LIMIT 1`)
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		_ = rows.Close()
	}
	err := reader.Read(ctx, func(q store.SQL) error {
		look(q, "events")
		go func() {
			done <- d.Step(ctx, 9000, "ALTER TABLE api_keys ADD COLUMN later text; ALTER TABLE events ADD COLUMN later text;")
		}()
		for tries := 0; ; tries++ { // until it has the first table, waits for the second, and has given both up
			var waits string
			if err := d.Read(ctx, func(q store.SQL) (err error) {
				rows, err := q.Query(ctx, `SELECT count(*)::text FROM pg_locks
					WHERE NOT granted AND relation = 'events'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
				if err != nil || !rows.Next() {
					return err
				}
				return rows.Scan(&waits)
			}); err != nil {
				return err
			}
			if waits != "0" {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		look(q, "api_keys")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("the step: %v", err)
	}
	if err := d.Read(ctx, func(q store.SQL) error {
		_, err := q.Query(ctx, `SELECT k.later, e.later FROM api_keys k, events e LIMIT 1`)
		return err
	}); err != nil {
		t.Error(err)
	}
}
