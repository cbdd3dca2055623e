package sqlite_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/store"
)

// texts runs a query and gives its rows, columns joined by spaces.
func texts(t *testing.T, q store.SQL, columns int, query string, args ...any) (out []string) {
	t.Helper()
	rows, err := q.Query(context.Background(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		values, into := make([]string, columns), make([]any, columns)
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.Join(values, " "))
	}
	return out
}

func TestT80ACommitIsOnTheDiskWhenItReturns(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "keyward.db"))
	defer d.Close()
	check := func(q store.SQL) error {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
			if got := texts(t, q, 1, "PRAGMA "+pragma); len(got) != 1 || got[0] != want {
				t.Errorf("%s is %v, want %s", pragma, got, want)
			}
		}
		return nil
	}
	if err := d.Write(context.Background(), check); err != nil {
		t.Fatal(err)
	}
	if err := d.Read(context.Background(), check); err != nil {
		t.Fatal(err)
	}
}

func TestAReaderCannotWrite(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "keyward.db"))
	db := start(t, d)
	defer db.Close()
	err := d.Read(context.Background(), func(q store.SQL) error {
		_, err := q.Exec(context.Background(), `DELETE FROM installation`)
		return err
	})
	if err == nil {
		t.Error("a reader deleted the installation")
	}
}

func TestMigratingIsDoneOnceAndANewerDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := open(t, filepath.Join(t.TempDir(), "keyward.db"))
	defer d.Close()
	for range 2 {
		if err := d.Migrate(ctx, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	err := d.Write(ctx, func(q store.SQL) error {
		files, err := filepath.Glob("migrations/*.sql")
		if err != nil {
			t.Error(err)
		}
		if got := texts(t, q, 1, `SELECT name FROM schema_migrations ORDER BY version`); len(got) != len(files) ||
			got[0] != "start" {
			t.Errorf("migrations: %v, of %v", got, files)
		}
		_, err = q.Exec(ctx, `INSERT INTO schema_migrations VALUES (99, 'future', '')`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Migrate(ctx, time.Now()); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("a newer database: %v", err)
	}
}

// TestAPageCostsTheSameHoweverManyKeysThereAre holds the plans: each seeks in an index that has the order already.
func TestAPageCostsTheSameHoweverManyKeysThereAre(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := open(t, filepath.Join(t.TempDir(), "keyward.db"))
	spy := &spy{Driver: d}
	db := start(t, spy)
	defer db.Close()
	yes, no := true, false
	page := store.Page{Limit: 50, After: "0"}
	err := db.View(ctx, func(v *store.View) error {
		for _, f := range []store.KeyFilter{{}, {User: "u"}, {Active: &yes}, {Active: &no}, {User: "u", Active: &no}} {
			f.Workspace, f.Page = "w", page
			_, _ = v.Keys(f)
		}
		for _, f := range []store.KeyFilter{
			{Standing: apikey.Expiring, Order: apikey.ByExpiry}, {Standing: apikey.Expired, Order: apikey.ByExpiry},
			{Order: apikey.OldestFirst},
			{Standing: apikey.Unused, Order: apikey.ByLeastUse}, {Order: apikey.ByLastUse}, {Standing: apikey.Orphaned},
		} {
			f.Workspace, f.Page = "w", store.Page{Limit: 50, After: "7 k"}
			_, _ = v.Keys(f)
			_, _ = v.KeyCount(f, 100)
		}
		_, _ = v.KeyTotal("w", "")
		_, _ = v.Key("k")
		_, _ = v.Workspaces(page)
		_, _ = v.Members("w", page)
		_, _ = v.MembersWithRole("w", "r", 2)
		_, _ = v.Roles("w", page)
		_, _ = v.Idempotent("a", "k")
		_, _ = v.Logs(store.LogFilter{Workspace: "w", AfterSeq: 9, Limit: 50})
		_, _ = v.Logs(store.LogFilter{All: true, Limit: 50})
		_, _ = v.LogTypes("w", false)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Peppers(ctx); err != nil {
		t.Fatal(err)
	}
	spy.explain(t)
}

// TestAListOfKeysGoesAlongTheIndexOfItsOrder: where a walk is bounded, no condition leads the database away from it.
func TestAListOfKeysGoesAlongTheIndexOfItsOrder(t *testing.T) {
	t.Parallel()
	spy := &spy{Driver: open(t, filepath.Join(t.TempDir(), "keyward.db"))}
	db := start(t, spy)
	defer db.Close()
	at, off := time.Unix(1_800_000_000, 0), false
	indexes := map[apikey.Order]string{
		apikey.NewestFirst: "api_keys_page", apikey.OldestFirst: "api_keys_page", apikey.ExpiresUp: "api_keys_by_expiry",
		apikey.ExpiresDown: "api_keys_by_expiry", apikey.UsedUp: "api_keys_by_use", apikey.UsedDown: "api_keys_by_use",
		apikey.TriedUp: "api_keys_by_try", apikey.TriedDown: "api_keys_by_try",
	}
	for order, index := range indexes {
		for _, f := range []store.KeyFilter{{}, {User: "u"}, {Active: &off}, {Standing: apikey.Expired},
			{Standing: apikey.Unused}, {Of: []keyfmt.Environment{keyfmt.Test}},
			{Permission: "calls:read"}, {ExpiringBefore: at}, {UnusedSince: at}, {TriedSince: at}, {Search: "x"}} {
			if index == "api_keys_page" && f.User != "" {
				continue // which has an index of that user's keys by id
			}
			f.Workspace, f.Order, f.Along, f.Page = "w", order, true, store.Page{Limit: 50, After: "7 k"}
			if index == "api_keys_page" {
				f.After = "k"
			}
			f.UpTo = f.After
			spy.queries, spy.args = nil, nil
			if err := db.View(t.Context(), func(v *store.View) error {
				_, _ = v.Keys(f)
				_, _ = v.KeyStretch(f, 100)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			spy.along(t, index)
		}
	}
}

// A list of one user's few keys reads those alone, in whichever order and under whichever condition.
func TestAListOfOneUsersKeysLooksAtNoKeyOfOthers(t *testing.T) {
	t.Parallel()
	spy := &spy{Driver: open(t, filepath.Join(t.TempDir(), "keyward.db"))}
	db := start(t, spy)
	defer db.Close()
	at, off := time.Unix(1_800_000_000, 0), false
	for _, order := range []apikey.Order{
		apikey.NewestFirst, apikey.OldestFirst, apikey.ByExpiry, apikey.ByLastUse, apikey.ByLeastUse, apikey.ExpiresUp,
		apikey.ExpiresDown, apikey.UsedUp, apikey.UsedDown, apikey.TriedUp, apikey.TriedDown,
	} {
		for _, f := range []store.KeyFilter{
			{}, {Active: &off}, {Standing: apikey.Expired}, {Standing: apikey.Expiring}, {Standing: apikey.Unused},
			{Of: []keyfmt.Environment{keyfmt.Test}}, {Permission: "calls:read"}, {ExpiringBefore: at}, {UnusedSince: at},
			{TriedSince: at}, {Search: "x"},
		} {
			f.Workspace, f.User, f.Order, f.Along, f.Own = "w", "u", order, true, true
			f.Page = store.Page{Limit: 50, After: "7 k"}
			spy.queries, spy.args = nil, nil
			if err := db.View(t.Context(), func(v *store.View) error {
				_, _ = v.Keys(f)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			spy.ofUser(t)
		}
	}
}

// ofUser wants the queries on keys to seek in the index of a user's keys.
func (s *spy) ofUser(t *testing.T) {
	t.Helper()
	seen := 0
	err := s.Driver.Read(context.Background(), func(q store.SQL) error {
		for i, query := range s.queries {
			if !strings.Contains(query, "ORDER BY") {
				continue
			}
			seen++
			plan := strings.Join(texts(t, q, 4, "EXPLAIN QUERY PLAN "+query, s.args[i]...), "; ")
			if !strings.Contains(plan, "SEARCH k USING INDEX api_keys_user (workspace_id=? AND user_id=?") {
				t.Errorf("%s\n%v does: %s", query, s.args[i], plan)
			}
		}
		return nil
	})
	if err != nil || seen != 1 {
		t.Fatalf("%d queries with an order: %v", seen, err)
	}
}

// along wants each query on keys to seek in the index, and to sort nothing.
func (s *spy) along(t *testing.T, index string) {
	t.Helper()
	seen := 0
	err := s.Driver.Read(context.Background(), func(q store.SQL) error {
		for i, query := range s.queries {
			if !strings.Contains(query, "ORDER BY") {
				continue
			}
			seen++
			plan := strings.Join(texts(t, q, 4, "EXPLAIN QUERY PLAN "+query, s.args[i]...), "; ")
			if !strings.Contains(plan, "SEARCH k USING INDEX "+index+" (workspace_id=?") ||
				!strings.Contains(plan, "<") && !strings.Contains(plan, ">") ||
				strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("%s\n%v does: %s, want the index %s", query, s.args[i], plan, index)
			}
		}
		return nil
	})
	if err != nil || seen < 2 {
		t.Fatalf("%d queries with an order: %v", seen, err)
	}
}

// spy remembers the queries, and lets every workspace be found so that the queries behind it are asked too.
type spy struct {
	store.Driver
	queries []string
	args    [][]any
}

func (s *spy) Read(ctx context.Context, fn func(store.SQL) error) error {
	return s.Driver.Read(ctx, func(q store.SQL) error { return fn(spySQL{q, s}) })
}

type spySQL struct {
	store.SQL
	spy *spy
}

func (q spySQL) Query(ctx context.Context, query string, args ...any) (store.Rows, error) {
	if strings.HasPrefix(query, "SELECT 1 FROM workspaces") {
		return q.SQL.Query(ctx, "SELECT 1")
	}
	q.spy.queries, q.spy.args = append(q.spy.queries, query), append(q.spy.args, args)
	return q.SQL.Query(ctx, query, args...)
}

// small tables may be scanned, and so may the log where all of it is asked for, since a limit ends that.
var small = []string{
	"installation", "permission_sets", "used", "service_keys", "key_values", "events", "CONSTANT", "workspaces", "sealed",
}

func (s *spy) explain(t *testing.T) {
	t.Helper()
	if len(s.queries) < 15 {
		t.Fatalf("only %d queries were seen", len(s.queries))
	}
	err := s.Driver.Read(context.Background(), func(q store.SQL) error {
		for i, query := range s.queries {
			for _, step := range texts(t, q, 4, "EXPLAIN QUERY PLAN "+query, s.args[i]...) {
				if strings.HasSuffix(step, " bounded") || // counts what the limited query within it gives
					strings.Contains(step, "CORRELATED SCALAR SUBQUERY") { // its own steps follow
					continue
				}
				scan := strings.Contains(step, " SCAN ")
				for _, name := range small {
					scan = scan && !strings.Contains(step, " SCAN "+name)
				}
				sort := strings.Contains(step, "TEMP B-TREE") && !strings.Contains(query, "RECURSIVE used") // of few peppers
				// of keys: an index must narrow down both
				for _, column := range []string{"workspace_id", "user_id"} {
					scan = scan || strings.Contains(query, "k."+column+" = ?") && !strings.Contains(step, column+"=?")
				}
				if scan || sort {
					t.Errorf("%s\n%v does: %s", query, s.args[i], step)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
