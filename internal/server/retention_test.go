package server_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/logarchive"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/server"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// age makes all events of a database that nothing serves older, as if they had been written then.
func age(t *testing.T, driver, source string, by time.Duration) (last int64) {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	schema := ""
	if driver == "pgx" {
		schema = "keyward."
	}
	rows, err := db.Query(
		`SELECT seq, id, workspace_id, type, description, actor_id, actor_email, created_ms, metadata FROM ` + schema +
			`events ORDER BY seq`,
	)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []audit.Event
	for rows.Next() {
		var e audit.Event
		var ms int64
		if err := rows.Scan(&e.Seq, &e.ID, &e.Workspace, &e.Type, &e.Description, &e.ActorID, &e.ActorEmail, &ms,
			&e.Metadata); err != nil {
			t.Fatal(err)
		}
		e.CreatedAt = time.UnixMilli(ms).UTC().Add(-by)
		all = append(all, e)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	var before [32]byte
	for _, e := range all {
		before = e.Chain(before)
		if _, err := db.Exec(`UPDATE `+schema+`events SET created_ms = $1, hash = $2 WHERE seq = $3`, e.CreatedAt.UnixMilli(),
			before[:], e.Seq); err != nil {
			t.Fatal(err)
		}
		last = e.Seq
	}
	if _, err := db.Exec(`UPDATE `+schema+`installation SET head_hash = $1, head_ms = $2`, before[:],
		all[len(all)-1].CreatedAt.UnixMilli()); err != nil {
		t.Fatal(err)
	}
	return last
}

// lived makes an installation with a history that is 40 days old, and gives its last event and a key.
func lived(t *testing.T, cfg config.Config, driver, source string) (last int64, ws string, key keyward.Secret) {
	t.Helper()
	s, stop := start(t, cfg, server.Options{})
	c := client(t, s, cfg.RootKey.Reveal())
	w, err := c.CreateWorkspace(
		t.Context(),
		keyward.CreateWorkspaceRequest{Name: "W", Owner: &keyward.Owner{UserID: "ada", Email: "ada@example.com"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	for range 80 {
		k, err := c.CreateKey(t.Context(), keyward.CreateKeyRequest{WorkspaceID: w.ID, UserID: "ada", Name: "k"})
		if err != nil {
			t.Fatal(err)
		}
		key = k.Key
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	return age(t, driver, source, 40*24*time.Hour), w.ID, key
}

// T84: the log is archived while nodes run and write. Events that a live node or the kept journal has not passed
// stay.
func TestT84TheLogIsArchivedWhileNodesRun(t *testing.T) {
	t.Parallel()
	url, root, dir := pgtest.Database(t), rootKey(t), t.TempDir()
	cfg := sharing(t, url, root)
	cfg.MaxStaleness = 5 * time.Second
	last, ws, key := lived(t, cfg, "pgx", url)
	a, _ := start(t, cfg, server.Options{})
	b, _ := start(t, cfg, server.Options{})
	driver, err := postgres.Open(t.Context(), url, postgres.Options{Connections: 3})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), driver, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	events := map[id.Event]int64{}
	err = db.View(t.Context(), func(v *store.View) error {
		all, err := v.Logs(store.LogFilter{All: true})
		for _, e := range all {
			events[e.ID] = e.Seq
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	var stopped atomic.Bool
	var longest atomic.Int64
	wrote := make(chan int)
	go func() {
		n := 0
		for ; !stopped.Load(); n++ {
			began := time.Now()
			if _, err := client(t, a, root.Reveal()).CreateKey(context.Background(),
				keyward.CreateKeyRequest{WorkspaceID: ws, UserID: "ada", Name: "meanwhile"}); err != nil {
				t.Error(err)
			}
			longest.Store(max(longest.Load(), int64(time.Since(began))))
		}
		wrote <- n
	}()

	began := time.Now()
	ids := id.NewGenerator(time.Now, rand.Reader)
	var paths []string
	archive := func(holds func(id.Event) bool) (audit.Cut, error) {
		to := filepath.Join(dir, fmt.Sprintf("%d.ndjson", len(paths)))
		job := logarchive.Job{
			DB: db, Before: time.Now().AddDate(0, 0, -10), To: to, Event: id.Event(ids.Next()), Actor: "test", Holds: holds,
			Elapsed: func() time.Duration { return time.Since(began) }, Pause: time.Millisecond,
		}
		cut, err := job.Run(t.Context())
		if err == nil {
			paths = append(paths, to)
		}
		return cut, err
	}
	slow := `INSERT INTO keyward.nodes (id, address, version, state, applied, limit_ms, skew_ms, started_ms, seen_ms)
		VALUES ('slow', 'slow', 'test', 'ready', 30, 600000, 0, 0, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)`
	pgtest.Run(t, url, slow)
	if cut, err := archive(nil); err != nil || cut.From != 1 || cut.To != 29 {
		t.Fatalf("with a live node at event 30: %+v, %v", cut, err)
	}
	if _, err := archive(nil); !errors.Is(err, store.ErrNoCut) {
		t.Fatalf("again: %v", err)
	}
	pgtest.Run(t, url, `DELETE FROM keyward.nodes WHERE id = 'slow'`)
	if cut, err := archive(func(e id.Event) bool { return events[e] <= 50 }); err != nil || cut.From != 30 ||
		cut.To != 50 {
		t.Fatalf("with a journal up to event 50: %+v, %v", cut, err)
	}
	if _, err := archive(func(e id.Event) bool { return events[e] <= 50 }); !errors.Is(err, store.ErrNoCut) {
		t.Fatalf("again: %v", err)
	}
	if cut, err := archive(nil); err != nil || cut.From != 51 || cut.To != last {
		t.Fatalf("the rest: %+v, %v, want up to %d", cut, err, last)
	}
	stopped.Store(true)
	n := <-wrote
	t.Logf("%d keys were created meanwhile, the slowest in %s", n, time.Duration(longest.Load()))

	if _, err := db.VerifyLog(t.Context()); err != nil {
		t.Error(err)
	}
	cuts, err := db.Cuts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if archived, err := logarchive.Verify(paths, cuts); err != nil || archived != last {
		t.Errorf("%d events in archives, want %d: %v", archived, last, err)
	}
	for _, s := range []*server.Server{a, b} {
		if verdict := verdictOf(t, client(t, s, root.Reveal()), key); verdict != "VALID" {
			t.Errorf("a key of before: %s", verdict)
		}
		if _, body := get(t, s.URL()+"/metrics"); !strings.Contains(body, "keyward_feed_loads_total 1\n") {
			t.Error("a node lost its place in the log")
		}
		if err := client(t, s, root.Reveal()).Ready(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A server with KEYWARD_EVENTS_ARCHIVE_DIR archives by itself, on both databases; without it, nothing goes.
func TestT84AServerKeepsItsLogSmall(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keyward.db")
	alone, shared := config.Default(), sharing(t, pgtest.Database(t), rootKey(t))
	alone.Addr, alone.Database, alone.RootKey = "127.0.0.1:0", file, rootKey(t)
	for name, c := range map[string]struct {
		cfg            config.Config
		driver, source string
	}{
		"a file":     {alone, "sqlite", "file:" + file},
		"PostgreSQL": {shared, "pgx", shared.Postgres.Reveal()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			last, ws, key := lived(t, c.cfg, c.driver, c.source)
			cfg := c.cfg
			cfg.EventsKept = 30 * 24 * time.Hour
			s, stop := start(t, cfg, server.Options{})
			if _, err := client(t, s, cfg.RootKey.Reveal()).CreateKey(t.Context(),
				keyward.CreateKeyRequest{WorkspaceID: ws, UserID: "ada", Name: "new"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if got := totalOf(t, s, cfg.RootKey); got < last {
				t.Errorf("%d events are left without an archive", got)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			cfg.EventsArchiveDir = t.TempDir()
			var log rig.Output
			s, stop = start(t, cfg, server.Options{Log: &log})
			until(t, "old events are gone", func() bool { return totalOf(t, s, cfg.RootKey) < 10 })
			until(t, "a line in the log", func() bool { return strings.Contains(log.String(), "old events were archived") })
			files, err := os.ReadDir(cfg.EventsArchiveDir)
			if err != nil || len(files) != 1 || files[0].Name() != fmt.Sprintf("keyward-log-%012d-%012d.ndjson", 1, last) {
				t.Errorf("%v, %v", files, err)
			}
			if verdict := verdictOf(t, client(t, s, cfg.RootKey.Reveal()), key); verdict != "VALID" {
				t.Errorf("a key of before: %s", verdict)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			start(t, cfg, server.Options{}) // the log goes on from there
		})
	}
}

// totalOf counts the events of the installation's one workspace.
func totalOf(t *testing.T, s *server.Server, root keyfmt.Secret) int64 {
	t.Helper()
	c := client(t, s, root.Reveal())
	workspaces, err := c.ListWorkspaces(t.Context(), keyward.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(workspaces.Workspaces, func(w keyward.Workspace) bool { return w.Name == "W" })
	page, err := c.ListLogs(t.Context(), keyward.ListLogsOptions{WorkspaceID: workspaces.Workspaces[i].ID, Limit: 1})
	if err != nil || page.Pagination.Total == nil {
		t.Fatal(err)
	}
	return int64(*page.Pagination.Total)
}
