package storecopy_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"github.com/keyward/keyward/internal/store/sqlite"
	"github.com/keyward/keyward/internal/store/storetest"
	"github.com/keyward/keyward/internal/storecopy"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// house is a file with rows in every table, opened as a mover does, and an empty database.
type house struct {
	*testing.T
	path   string
	source *sqlite.Driver
	target *postgres.Driver
	url    string
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{T: t, path: filepath.Join(t.TempDir(), "keyward.db"), url: pgtest.Database(t)}
	d, err := sqlite.Open(h.path, sqlite.Options{Lock: true})
	h.must(err)
	db, err := store.Open(t.Context(), d, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
	h.must(err)
	h.must(db.Close())
	h.source, err = sqlite.Open(h.path, sqlite.Options{})
	h.must(err)
	t.Cleanup(func() { h.must(h.source.Close()) })
	h.target, err = postgres.Open(t.Context(), h.url, postgres.Options{Connections: 2})
	h.must(err)
	t.Cleanup(func() { h.must(h.target.Close()) })
	for _, s := range furniture() {
		h.exec(s)
	}
	return h
}

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// exec changes the source.
func (h *house) exec(query string, args ...any) {
	h.Helper()
	h.must(h.source.Write(context.Background(), func(q store.SQL) error {
		_, err := q.Exec(context.Background(), query, args...)
		return err
	}))
}

func blob(s string) string { return fmt.Sprintf("x'%x'", sha256.Sum256([]byte(s))) }

// furniture fills every table with values that are easily lost: NULL, empty texts and bytes, letters beyond ASCII,
// and more rows than a batch.
func furniture() []string {
	many := func(n int, format string) string {
		rows := make([]string, n)
		for i := range rows {
			rows[i] = strings.ReplaceAll(
				strings.ReplaceAll(format, "#D", blob(format+fmt.Sprint(i))), "#", fmt.Sprintf("%05d", i),
			)
		}
		return strings.Join(rows, ", ")
	}
	zero := blob("")
	return []string{
		`INSERT INTO workspaces (id, name, is_active, owner_id, permission_mode, default_per_minute, default_per_day, max_lifetime_ms,
			require_expiry, created_ms, updated_ms, deleted_ms, off_by, off_ms, off_by_operator) VALUES
			('w1', 'Ärger ''"\ 漢', 1, 'u1', 'frozen', 0, 0, 0, 0, 1, 2, 0, '', 0, 0),
			('w2', '', 0, '', 'capped', 1, 9223372036854775807, -1, 1, 1, 2, 3, 'u1', 4, 1)`,
		`INSERT INTO permission_sets (id, names) VALUES (1, ''), (7, 'calls:read calls:write'), (8, 'a:b')`,
		`INSERT INTO roles VALUES ('r1', 'w1', 'Owner', 'owner', '', 'owner', NULL, 1, 1, 1), ('r2', 'w1', 'Ops', 'ops', 'd', '', 7, 1, 1, 1),
			('r3', 'w1', 'Dev', 'dev', 'd', '', 8, 0, 1, 1), ('r4', 'w1', 'Old', 'old', 'd', '', 1, 0, 1, 1)`,
		`INSERT INTO members VALUES ('w1', 'u1', 'e', 'd', 'r1', 3, 1, 1, 0, 2), ('w1', 'u2', 'e', 'd', NULL, 0, 1, 1, 9, 0),
			('w1', 'ü|3', '', '', 'r2', 0, 1, 1, 0, 1)`,
		`INSERT INTO settlements VALUES ('s1', 'w1', 'u1', 1, 'transfer', 'ü|3', 'calls:read', '{"perDay":5}', 'u2', 7, '{"actor":"u2"}', 'k1', 8, 0),
			('s2', 'w1', 'ü|3', 0, 'stop', '', '', '', 'u2', 7, '{}', '', 8, 9)`,
		`INSERT INTO api_keys (id, workspace_id, user_id, name, environment, is_active, is_revoked, is_orphan, set_id, per_minute, per_day,
			allowed_ips, description, metadata, created_ms, updated_ms, last_used_ms, expires_ms, masked, pepper, digest, has_previous,
			value_ms, disabled_by, disabled_ms, disabled_by_right) VALUES ` +
			many(
				2500,
				`('k#', 'w1', 'u1', 'n#', 'live', 0, 0, 0, 7, 60, 0, '', '', '{"a":"<ü>"}', 1, 2, 3, 4, 'kw_…#', 'none', #D, 0, 5, 'u1', 5, 1)`,
			),
		`INSERT INTO api_keys (id, workspace_id, user_id, name, environment, is_active, is_revoked, is_orphan, set_id, per_minute, per_day,
			allowed_ips, description, metadata, created_ms, updated_ms, last_used_ms, expires_ms, masked, pepper, digest, has_previous,
			value_ms, disabled_by, disabled_ms, disabled_by_right) VALUES ('kforeign', 'w1', 'u1', 'imported', 'live', 1, 0, 0, 7, 0, 0,
			'', '', '', 1, 2, 3, 4, 'imported…', 'foreign:rehash:hmac-sha256:crm:0011223344556677', ` + blob(
			"foreign",
		) + `, 0, 5, '', 0, 0)`,
		`INSERT INTO key_values VALUES (` + zero + `, 'k00001', 0, 'none', 'm', 5, 0, '10.1.2.0/24', 'none:x:y')`,
		`INSERT INTO service_keys VALUES ('s1', 'root', 'manage', 1, 'm', 'none', ` + zero + `, 1, 0, '', 'none:x:y')`,
		`INSERT INTO idempotency VALUES ('a', 'k', ` + zero + `, 'k00001', 1, x'00ff', 2), ('a', 'l', ` + zero +
			`, 'k00001', 1, NULL, 0)`,
		`INSERT INTO events VALUES ` + many(1000, `(#+1, 'e#', 'w1', 'api_key.created', '', 'u1', '', 1, '{}', #D)`),
		`INSERT INTO event_types VALUES ('', 'x', 1, 0, 0), ('w1', 'api_key.created', 1, 20000, 1)`,
		`INSERT INTO event_targets VALUES ('k00001', 2), ('k00001', 1)`,
		`INSERT INTO event_turns VALUES (7)`,
		`INSERT INTO past_quotas VALUES (x'00000000000000000000000000000000', 19999, 3)`,
		`INSERT INTO day_quotas VALUES (x'00000000000000000000000000000000', 20000, 5), (x'ff000000000000000000000000000000', 20001, 7)`,
		`INSERT INTO saved_windows VALUES ('n', 0, x'')`,
		`INSERT INTO follower_batches VALUES ('s1', 'i1', 'days', 7, x'00ff', 5)`,
		`INSERT INTO follower_days VALUES ('s1', 'i1', x'00000000000000000000000000000000', 20000, 2)`,
		`INSERT INTO key_prefixes VALUES ('kw', 1), ('acme', 2)`,
		`INSERT INTO usage_counts VALUES (0, 60000, 'k00001', 1, 2, 3, 4, 5, 6, 7, 8, 9), (0, 60000, '', 0, 0, 0, 0, 0, 0, 0, 0, 1)`,
		`INSERT INTO usage_gone VALUES ('k99999')`,
		`INSERT INTO permission_uses VALUES ('k00001', 'calls:read=20781'), ('k00002', 'a:b=1 c:d=2')`,
		`INSERT INTO permission_counts VALUES ('w1', 86400000, 'calls:read', 1, 2), ('w1', 172800000, 'calls:read', 3, 0)`,
		`INSERT INTO refusals VALUES ('k00001', 5, -1, 'w1', 'EXPIRED', 'ü', 'a:b c:d', '', '::1', 1), ('k00001', 5, 2, 'w1', 'EXPIRED', '', '', '', '', 0)`,
		`UPDATE refusal_total SET refusals = 2`,
		`INSERT INTO removals VALUES ('r1', 'w1', 'u1', 'ro', 'a:b c:d', 'frozen', 'user u2', 5, 600005, '')`,
		`INSERT INTO removal_keys VALUES ('r1', 'k00001', 1, '', 0, 0, 0), ('r1', 'k00002', 0, 'ü', 7, 1, 2)`,
		`INSERT INTO sessions VALUES ('x', '', 'w1', 'u1', 'link', 'a', 'b', ` + zero + `, 1, 2, 3, '')`,
		`INSERT INTO sign_in_links VALUES (` + zero + `, '', 'w1', 'u1', 9, '')`,
		`INSERT INTO passkeys VALUES ('p1', 'w1', 'u1', 1, 'laptop', x'01', x'02', x'03', 4, 1, '', 5, 6), ('p2', 'w1', 'u1', 1, 'key', x'04', x'', x'', 0, 0, '', 5, 6)`,
		`INSERT INTO invitations VALUES (` + zero + `, 'w1', 'u2', 1, '', '', 'u1', '', 9)`,
		`INSERT INTO answered_challenges VALUES (` + zero + `, 9)`,
		`INSERT INTO signed_in VALUES ('w1', 'u1', 3)`,
		`INSERT INTO portal_sessions VALUES ('p1', 'w1', 'u1', 'r1', 1, 's1', '', '', '', '{}', ` + zero + `, '', 2, 3, 0)`,
		`INSERT INTO portal_proofs VALUES (` + zero + `, 9)`,
		`INSERT INTO key_requests VALUES ('q1', 'w1', 'k00001', 1, 'u1', '{"ü":1}', 'u2', '{}', 2, 3, 0, 0)`,
		`INSERT INTO webhooks VALUES ('h1', 'w1', 'https://ü.example', 'ü', 'api_key.created', 1, '', x'00ff', x'', 5, 'none', 'u1', 1, 2, 0, 7, 8, '~', 3, 4, 5, 'api_key.created=6@7')`,
		`INSERT INTO webhook_deliveries VALUES ('d1', 'h1', 1, 'e1', 'api_key.created', 'w1', 'k00001', '{"ü":1}', 1, 0, 2, 200, '', 1, 2, 3, 0, 4)`,
		`INSERT INTO webhook_levels VALUES ('h1', 'w1', 'maxKeys', '0/5', 80)`,
		`UPDATE webhook_lease SET node = 'n', until_ms = 9`,
		`UPDATE installation SET head_seq = 1000, head_hash = ` + zero,
	}
}

// dump reads every row of every table as text, without the product's own reading of tables.
func (h *house) dump(d store.Driver, layout []store.Table) map[string][]string {
	h.Helper()
	out := map[string][]string{}
	h.must(d.Read(context.Background(), func(q store.SQL) error {
		for _, t := range layout {
			rows, err := q.Query(context.Background(), "SELECT "+strings.Join(t.Columns, ", ")+" FROM "+t.Name)
			if err != nil {
				return err
			}
			for rows.Next() {
				values, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
				for i := range values {
					into[i] = &values[i]
				}
				if err := rows.Scan(into...); err != nil {
					return err
				}
				for i, v := range values {
					if b, ok := v.([]byte); ok {
						values[i] = fmt.Sprintf("bytes %x", b)
					}
				}
				out[t.Name] = append(out[t.Name], fmt.Sprintf("%#v", values))
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return err
			}
			slices.Sort(out[t.Name])
		}
		return nil
	}))
	return out
}

// same compares both databases and returns their content.
func (h *house) same() map[string][]string {
	h.Helper()
	layout, err := h.source.Layout(context.Background())
	h.must(err)
	a, b := h.dump(h.source, layout), h.dump(h.target, layout)
	if d := cmp.Diff(a, b); d != "" {
		h.Fatalf("source and target differ: %s", d)
	}
	for _, t := range layout {
		if len(a[t.Name]) == 0 {
			h.Errorf("the table %s is empty: this test says nothing of it", t.Name)
		}
	}
	return a
}

func (h *house) run(o storecopy.Options) (storecopy.Report, error) {
	o.To, o.Now = "postgres://target", time.Now
	return storecopy.Run(context.Background(), h.source, h.target, o)
}

// frozen tells whether the source refuses changes, with the error that says so.
func (h *house) frozen() bool {
	h.Helper()
	err := h.source.Write(context.Background(), func(q store.SQL) error {
		_, err := q.Exec(context.Background(), `UPDATE workspaces SET updated_ms = updated_ms WHERE id = 'w1'`)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrMoving) {
		h.Fatal(err)
	}
	return err != nil
}

func TestEverythingIsMovedAndComparedRowByRow(t *testing.T) {
	t.Parallel()
	h := open(t)
	r, err := h.run(storecopy.Options{})
	h.must(err)
	rows := h.same()
	for _, c := range r.Tables {
		if int(c.Rows) != len(rows[c.Table]) {
			t.Errorf("%s: %d rows are reported, %d are there", c.Table, c.Rows, len(rows[c.Table]))
		}
	}
	if len(r.Tables) != len(rows) || r.Resumed {
		t.Errorf("%d tables are reported, %d are there", len(r.Tables), len(rows))
	}
	if m, err := h.source.Moving(t.Context()); err != nil || !m.Gone || m.To != "postgres://target" || !h.frozen() {
		t.Errorf("the source is not left: %+v %v", m, err)
	}
	if err := h.source.Servable(t.Context()); err == nil || !strings.Contains(err.Error(), "postgres://target") {
		t.Errorf("a server may work on what was left: %v", err)
	}
	h.must(h.target.Servable(t.Context()))
	if err := storecopy.Abort(t.Context(), h.source, h.target); err == nil {
		t.Error("a complete move was aborted")
	}
	// Everything goes on where it was: a new set of permissions has a number of its own, and nodes take the log as it
	// is.
	got := pgtest.Run(t, h.url, `INSERT INTO permission_sets (names) VALUES ('new') RETURNING id`)
	if len(got) == 0 || strings.TrimSpace(got[0]) != "9" {
		t.Errorf("the next set has the number %v, want 9", got)
	}
	if got := pgtest.Run(t, h.url, `SELECT pruned_to FROM cluster`); strings.TrimSpace(got[0]) != "1000" {
		t.Errorf("the change log is said to be complete after %v, want 1000", got)
	}
}

func TestEveryFieldOfEveryRecordIsMoved(t *testing.T) {
	t.Parallel()
	h := open(t)
	db, err := store.Open(t.Context(), h.source, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
	h.must(err)
	check := storetest.EveryRecord(t, db, time.Now())
	_, err = h.run(storecopy.Options{})
	h.must(err)
	target, err := postgres.Open(t.Context(), h.url, postgres.Options{})
	h.must(err)
	moved, err := store.Open(t.Context(), target, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
	h.must(err)
	defer moved.Close()
	check(t, moved)
}

// Changes by another process to the file while it is copied, at the worst places: names and digests that go from one
// row to another, and rows that are referred to.
func TestWhatIsWrittenMeanwhileIsMovedToo(t *testing.T) {
	t.Parallel()
	h := open(t)
	digest := func(k string) string { return `(SELECT digest FROM api_keys WHERE id = '` + k + `')` }
	changes := []string{
		`UPDATE roles SET name_folded = 'tmp' WHERE id = 'r2'`,
		`UPDATE roles SET name_folded = 'ops' WHERE id = 'r3'`,
		`UPDATE roles SET name_folded = 'dev' WHERE id = 'r2'`,
		`UPDATE members SET role_id = 'r3' WHERE user_id = 'ü|3'`,
		`DELETE FROM roles WHERE id = 'r2'`,
		`DELETE FROM roles WHERE id = 'r4'`,
		`INSERT INTO roles VALUES ('r5', 'w1', 'Old', 'old', '', '', NULL, 0, 1, 1), ('r0', 'w1', 'Dev', 'dev', '', '', 1, 0, 1, 1)`,
		`INSERT INTO key_values SELECT digest, id, 0, pepper, masked, 77, 0, '', second_digest FROM api_keys WHERE id = 'k00002'`,
		`UPDATE api_keys SET digest = ` + blob("rotated") + `, has_previous = 1 WHERE id = 'k00002'`,
		`CREATE TEMP TABLE IF NOT EXISTS kept AS SELECT ` + digest("k00003") + ` AS digest`,
		`DELETE FROM api_keys WHERE id = 'k00003'`,
		`INSERT INTO api_keys (id, workspace_id, user_id, name, environment, is_active, is_revoked, is_orphan, set_id, per_minute, per_day,
			allowed_ips, description, metadata, created_ms, updated_ms, last_used_ms, expires_ms, masked, pepper, digest, has_previous)
			SELECT 'zz', workspace_id, user_id, name, environment, 0, 1, 0, set_id, 0, 0, '', '', '', 9, 9, 9, 9, masked, pepper,
			(SELECT digest FROM kept), 0 FROM api_keys WHERE id = 'k00004'`,
		`DELETE FROM api_keys WHERE id > 'k00010' AND id < 'k01500'`,
		`INSERT INTO events SELECT seq + 1000, id || 'x', workspace_id, type, '', '', '', 2, '', hash FROM events`,
		`UPDATE installation SET head_seq = 2000`,
		`UPDATE day_quotas SET reserved = reserved + 100`,
		`DELETE FROM passkeys WHERE id = 'p1'`,
		`INSERT INTO passkeys VALUES ('p0', 'w1', 'u1', 1, 'new', x'01', x'02', x'03', 4, 1, '', 5, 6)`,
		`DELETE FROM sessions`,
		`INSERT INTO sessions VALUES ('y', '', 'w1', 'u1', 'link', 'a', 'b', ` + blob("") + `, 1, 2, 3, '')`,
	}
	done := false
	r, err := h.run(storecopy.Options{Progress: func(p storecopy.Progress) {
		if p.Table == "usage_counts" && !done { // all that is changed has been copied as it was
			done = true
			for _, c := range changes {
				h.exec(c)
			}
		}
	}})
	h.must(err)
	rows := h.same()
	if !done || len(rows["events"]) != 2000 || len(rows["api_keys"]) != 2501-1489 {
		t.Errorf("the changes are not in it: %d events, %d keys", len(rows["events"]), len(rows["api_keys"]))
	}
	if len(r.Tables) == 0 {
		t.Error("nothing was reported")
	}
}

func TestAFrozenFileIsReadAndNotWritten(t *testing.T) {
	t.Parallel()
	h := open(t)
	server, err := sqlite.Open(h.path, sqlite.Options{Lock: true})
	h.must(err)
	db, err := store.Open(t.Context(), server, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
	h.must(err)
	defer db.Close()
	write := func() error { return db.MarkTime(t.Context()) } // by a statement that it has prepared
	h.must(write())
	asked := 0
	_, err = h.run(storecopy.Options{Frozen: func(now bool) {
		asked++
		if err := write(); !errors.Is(err, store.ErrMoving) || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("a change to a frozen file: %v", err)
		}
		h.must(db.Ping(t.Context()))
	}})
	h.must(err)
	if asked != 1 {
		t.Errorf("the file was frozen or thawed %d times, want once", asked)
	}
	h.same()
	if err := write(); !errors.Is(err, store.ErrMoving) {
		t.Errorf("a change after the move: %v", err)
	}
}

func TestAMoveThatFailsLeavesTheSourceWorkingAndIsResumed(t *testing.T) {
	t.Parallel()
	h := open(t)
	for walk := 1; walk <= 2; walk++ {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := storecopy.Run(
			ctx,
			h.source,
			h.target,
			storecopy.Options{To: "x", Now: time.Now, Progress: func(p storecopy.Progress) {
				if p.Walk == walk && p.Table == "events" {
					cancel()
				}
			}},
		)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("walk %d: %v", walk, err)
		}
		if h.frozen() {
			t.Fatalf("the source is frozen after the error in walk %d", walk)
		}
		if h.target.Servable(t.Context()) == nil {
			t.Errorf("a server may start on what walk %d has left", walk)
		}
	}
	var written int64
	_, err := h.run(storecopy.Options{Progress: func(p storecopy.Progress) { written = max(written, p.Difference) }})
	h.must(err)
	if written > 600 {
		t.Errorf("%d rows were written again", written)
	}
	h.same()
}

// A mover that was killed leaves the file frozen.
func TestAKilledMoveIsAbortedOrDoneAgain(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.must(storecopy.Abort(t.Context(), h.source, h.target)) // nothing to do
	h.must(h.source.Freeze(t.Context(), "postgres://target"))
	if !h.frozen() {
		t.Fatal("it is not frozen")
	}
	h.must(h.source.Servable(t.Context()))
	h.must(storecopy.Abort(t.Context(), h.source, h.target))
	if h.frozen() {
		t.Fatal("it is still frozen")
	}
	h.must(h.source.Freeze(t.Context(), "postgres://target"))
	_, err := h.run(storecopy.Options{})
	h.must(err)
	h.same()
}

// A move that begins after a killed one, and fails in its turn, opens the file; one that cannot ask the target does
// not.
func TestAFailureAfterAKilledMoveOpensTheFile(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.must(h.source.Freeze(t.Context(), "postgres://target"))
	ctx, cancel := context.WithCancel(context.Background())
	_, err := storecopy.Run(
		ctx, h.source, h.target,
		storecopy.Options{To: "postgres://target", Now: time.Now, Progress: func(storecopy.Progress) { cancel() }},
	)
	if !errors.Is(err, context.Canceled) || h.frozen() {
		t.Errorf("frozen %v: %v", h.frozen(), err)
	}
	h.must(h.source.Freeze(t.Context(), "postgres://target"))
	if _, err := storecopy.Run(
		ctx, h.source, h.target, storecopy.Options{To: "postgres://target", Now: time.Now},
	); err == nil ||
		!h.frozen() {
		t.Errorf("frozen %v: %v", h.frozen(), err)
	}
	_, err = h.run(storecopy.Options{})
	h.must(err)
	h.same()
	h.must(h.target.Servable(t.Context()))
}

// A file that is restored from a backup after its move is not taken for the target's content.
func TestAFileThatWasPutBackIsNotMovedAgain(t *testing.T) {
	t.Parallel()
	h := open(t)
	backup := filepath.Join(t.TempDir(), "backup.db")
	h.must(h.source.Backup(t.Context(), backup))
	_, err := h.run(storecopy.Options{})
	h.must(err)
	again, err := sqlite.Open(backup, sqlite.Options{})
	h.must(err)
	defer again.Close()
	_, err = storecopy.Run(t.Context(), again, h.target, storecopy.Options{To: "postgres://target", Now: time.Now})
	if err == nil || !strings.Contains(err.Error(), "takes changes, and yet") {
		t.Errorf("%v", err)
	}
}

// cut loses the answer to Complete.
type cut struct {
	*postgres.Driver
	before, asked error
}

func (c *cut) Complete(ctx context.Context) error {
	if c.before != nil {
		return c.before
	}
	return errors.Join(c.Driver.Complete(ctx), errors.New("the connection was lost"))
}

func (c *cut) Holds(ctx context.Context, secret []byte) (bool, error) {
	if c.asked != nil {
		return false, c.asked
	}
	return c.Driver.Holds(ctx, secret)
}

func TestAnAnswerThatIsLostAtTheEnd(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	run := func(h *house, c *cut) error {
		c.Driver = h.target
		_, err := storecopy.Run(context.Background(), h.source, c, storecopy.Options{To: "postgres://target", Now: time.Now})
		return err
	}
	t.Run("the target says that it is complete", func(t *testing.T) {
		h := open(t)
		h.must(run(h, &cut{}))
		if m, err := h.source.Moving(t.Context()); err != nil || !m.Gone {
			t.Errorf("%+v %v", m, err)
		}
	})
	t.Run("the target says that it is not", func(t *testing.T) {
		h := open(t)
		if err := run(h, &cut{before: lost}); !errors.Is(err, lost) || h.frozen() {
			t.Errorf("frozen %v: %v", h.frozen(), err)
		}
		_, err := h.run(storecopy.Options{})
		h.must(err)
	})
	t.Run("the target says nothing", func(t *testing.T) {
		h := open(t)
		if err := run(h, &cut{asked: lost}); !errors.Is(err, storecopy.ErrUnclear) || !h.frozen() {
			t.Errorf("frozen %v: %v", h.frozen(), err)
		}
		if err := storecopy.Abort(t.Context(), h.source, h.target); err == nil {
			t.Error("a complete move was aborted")
		}
		r, err := h.run(storecopy.Options{})
		h.must(err)
		if m, err := h.source.Moving(t.Context()); err != nil || !m.Gone || !r.Resumed {
			t.Errorf("%+v %v", m, err)
		}
	})
}

func TestATargetThatIsNotEmptyIsRefused(t *testing.T) {
	t.Parallel()
	t.Run("in use", func(t *testing.T) {
		t.Parallel()
		h := open(t)
		d, err := postgres.Open(t.Context(), h.url, postgres.Options{})
		h.must(err)
		db, err := store.Open(t.Context(), d, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
		h.must(err)
		h.must(db.Close())
		if _, err := h.run(storecopy.Options{}); err == nil || !strings.Contains(err.Error(), "in use") || h.frozen() {
			t.Errorf("%v", err)
		}
	})
	t.Run("of another move", func(t *testing.T) {
		t.Parallel()
		h, other := open(t), open(t)
		ctx, cancel := context.WithCancel(t.Context())
		_, _ = storecopy.Run(
			ctx, other.source, h.target, storecopy.Options{Now: time.Now, Progress: func(storecopy.Progress) { cancel() }},
		)
		if _, err := h.run(storecopy.Options{}); err == nil || !strings.Contains(err.Error(), "another database") {
			t.Errorf("%v", err)
		}
	})
	t.Run("nothing to move", func(t *testing.T) {
		t.Parallel()
		h := open(t)
		h.exec(`DELETE FROM installation`)
		if _, err := h.run(storecopy.Options{}); err == nil || !strings.Contains(err.Error(), "nothing in it") {
			t.Errorf("%v", err)
		}
	})
}

// stubborn is a target in which a row changes behind the mover's back.
type stubborn struct{ *postgres.Driver }

func (s *stubborn) Read(ctx context.Context, fn func(store.SQL) error) error {
	err := s.Driver.Write(ctx, func(q store.SQL) error {
		var b [8]byte
		_, _ = rand.Read(b[:])
		_, err := q.Exec(ctx, `UPDATE api_keys SET name = ? WHERE id = 'k01234'`, fmt.Sprintf("%x", b))
		return err
	})
	return errors.Join(err, s.Driver.Read(ctx, fn))
}

func TestARowThatIsNotTheSameIsFound(t *testing.T) {
	t.Parallel()
	h := open(t)
	_, err := storecopy.Run(
		t.Context(), h.source, &stubborn{h.target}, storecopy.Options{To: "postgres://target", Now: time.Now},
	)
	if err == nil || !strings.Contains(err.Error(), "somebody else writes there") || h.frozen() {
		t.Errorf("%v", err)
	}
}

// The tables and unique columns that the package names are those of the schema.
func TestTheTablesAreThoseOfTheSchema(t *testing.T) {
	t.Parallel()
	h := open(t)
	found := map[string]string{}
	h.must(h.source.Read(t.Context(), func(q store.SQL) error {
		rows, err := q.Query(
			t.Context(),
			`SELECT m.name, c.name FROM sqlite_schema m, pragma_index_list(m.name) i, pragma_index_info(i.name) c
			WHERE m.type = 'table' AND i."unique" AND i.origin <> 'pk' AND c.name NOT IN ('id', 'workspace_id')`,
		)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var table, column string
			if err := rows.Scan(&table, &column); err != nil {
				return err
			}
			found[table] = column
		}
		return rows.Err()
	}))
	if d := cmp.Diff(storecopy.Unique, found); d != "" {
		t.Errorf("the unique columns of the schema: %s", d)
	}
}
