package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

func TestT91ANewerSchemaIsTakenWhereItSaysSoAndElseRefused(t *testing.T) {
	t.Parallel()
	ctx, url := context.Background(), migrated(t)
	d := open(t, url)
	defer d.Close()
	pgtest.Run(t, url, "INSERT INTO schema_migrations (version, name, oldest, applied_at) VALUES (9998, 'additive', 1, '')")
	if err := d.Migrate(ctx, time.Now()); err != nil {
		t.Errorf("a newer step beside which every release can work: %v", err)
	}
	if err := insert(start(t, open(t, url)), newKey()); err != nil {
		t.Errorf("a change beside it: %v", err)
	}
	pgtest.Run(t, url, "INSERT INTO schema_migrations (version, name, oldest, applied_at) VALUES (9999, 'breaking', 9999, '')")
	if err := d.Migrate(ctx, time.Now()); err == nil || !strings.Contains(err.Error(), "9999 (breaking)") {
		t.Errorf("a step that wants a newer program: %v", err)
	}
}
