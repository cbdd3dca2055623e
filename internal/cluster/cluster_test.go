package cluster_test

import (
	"context"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"github.com/keyward/keyward/internal/verify"
)

func TestT26ARevocationReachesEveryNodeWithinTheBoundAndWithWaitBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a := join(t, url).settle()
	b, c := join(t, url).run(), join(t, url).run()
	a.run()
	for range 10 {
		k := a.mint()
		eventually(t, "a new key", func() bool { return b.ask(k) == verify.Valid && c.ask(k) == verify.Valid })
		if err := b.revoke(k); err != nil {
			t.Fatal(err)
		}
		b.says(k, verify.NotFound, "on the node that answers, at once")
		e := b.Effect(context.Background(), b.wrote.Load(), true)
		a.says(k, verify.NotFound, "on another node, after wait=all")
		c.says(k, verify.NotFound, "on a third node, after wait=all")
		if !e.Everywhere || e.Confirmed != 3 || e.Pending != 0 {
			t.Errorf("with everybody there: %+v", e)
		}
	}
	k := a.mint()
	eventually(t, "a new key", func() bool { return c.ask(k) == verify.Valid })
	if err := a.revoke(k); err != nil {
		t.Fatal(err)
	}
	e := a.Effect(context.Background(), a.wrote.Load(), false)
	eventually(t, "the revocation", func() bool { return c.ask(k) != verify.Valid })
	if time.Now().After(e.Deadline) {
		t.Errorf("it came after the deadline %s", e.Deadline)
	}
}

func TestT26ANodeThatStoodStillIsFencedBeforeItAnswers(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a := join(t, url).settle().run()
	b := join(t, url)
	k := a.mint()
	b.look()
	b.says(k, verify.Valid, "in step")
	if err := a.revoke(k); err != nil {
		t.Fatal(err)
	}
	b.says(k, verify.Valid, "not told yet, and within the bound")
	b.ahead.Add(int64(60 * time.Second)) // SIGSTOP, and SIGCONT a minute later
	b.says(k, verify.Unavailable, "a minute later, before anything else")
	b.look()
	b.says(k, verify.NotFound, "once it has caught up")
}

func TestWaitingEndsAtTheDeadlineWhereANodeSaysNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, still := join(t, url).settle().run(), join(t, url)
	k := a.mint()
	still.look()
	if err := a.revoke(k); err != nil {
		t.Fatal(err)
	}
	now := a.Effect(context.Background(), a.wrote.Load(), false)
	if now.Everywhere || now.Pending != 1 {
		t.Errorf("without waiting: %+v", now)
	}
	e := a.Effect(context.Background(), a.wrote.Load(), true)
	if !e.Everywhere || e.Pending != 1 || e.Confirmed != 1 {
		t.Errorf("with waiting: %+v", e)
	}
	still.says(k, verify.Unavailable, "at the deadline, on the node that said nothing")
}

func TestANodeThatLeftIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, b := join(t, url).settle().run(), join(t, url)
	k := a.mint()
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.says(k, verify.Unavailable, "after it has left")
	if e := a.Effect(context.Background(), a.wrote.Load(), false); !e.Everywhere || e.Pending != 0 {
		t.Errorf("%+v", e)
	}
}

func TestT86VerificationGoesOnWithoutTheDatabaseUpToTheBoundAndRecovers(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t)
	n := join(t, server.Database(t)).settle().run()
	k := n.mint()
	server.Down(syscall.SIGINT)
	n.says(k, verify.Valid, "the database is gone")
	eventually(t, "the fence", func() bool { return n.ask(k) == verify.Unavailable })
	if n.Stats().Errors == 0 {
		t.Error("no look at the feed has failed")
	}
	if err := server.Up(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the recovery", func() bool { return n.ask(k) == verify.Valid })
	if err := n.revoke(k); err != nil {
		t.Error(err)
	}
	n.says(k, verify.NotFound, "afterwards")
}

// TestT28 holds two transactions open so that the one that began first commits last.
func TestT28TransactionsThatCommitOutOfOrderLoseNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	slow, quick, reader := join(t, url).settle(), join(t, url), join(t, url)
	k1, k2 := slow.mint(), slow.mint()
	reader.look()
	begun, done := make(chan struct{}), make(chan error, 2)
	go func() {
		done <- slow.change(audit.APIKeyDeleted, func(tx *store.Tx) error {
			err := tx.DeleteKey(k1.ID)
			close(begun)
			time.Sleep(300 * time.Millisecond) // the other one is at the lock meanwhile, and cannot pass
			return err
		})
	}()
	<-begun
	go func() { done <- quick.revoke(k2) }()
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		reader.look()
	}
	reader.says(k1, verify.NotFound, "the revocation that began first")
	reader.says(k2, verify.NotFound, "the revocation that came after it")
}

// TestT28TheNaiveCursor shows the purpose of the lock: the same with a sequence and a cursor alone.
func TestT28TheNaiveCursorLosesWhatCommitsLate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := pgtest.Database(t)
	connect := func() *pgx.Conn {
		c, err := pgx.Connect(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close(ctx) })
		return c
	}
	run := func(c *pgx.Conn, sql string) {
		if _, err := c.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	slow, quick, reader := connect(), connect(), connect()
	run(reader, "CREATE TABLE naive (seq BIGSERIAL PRIMARY KEY, what TEXT)")
	var cursor int64
	seen := map[string]bool{}
	read := func() {
		rows, err := reader.Query(ctx, "SELECT seq, what FROM naive WHERE seq > $1 ORDER BY seq", cursor)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var what string
			if err := rows.Scan(&cursor, &what); err != nil {
				t.Fatal(err)
			}
			seen[what] = true
		}
	}
	run(slow, "BEGIN; INSERT INTO naive (what) VALUES ('revoked first')")
	run(quick, "BEGIN; INSERT INTO naive (what) VALUES ('revoked second'); COMMIT")
	read()
	run(slow, "COMMIT")
	read()
	if !seen["revoked second"] || seen["revoked first"] {
		t.Errorf("seen: %v: the naive cursor was expected to lose the first one", seen)
	}
}

func TestT33ARestoredBackupIsNoticedAndEverythingIsLoadedAnew(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	database := pgtest.Database(t)
	a := join(t, database).settle()
	kept, early := a.mint(), a.mint()
	b := join(t, database).run()
	dump, err := server.Command("pg_dump", "--clean", "--if-exists", database).Output()
	if err != nil {
		t.Fatal(err)
	}
	late := a.mint()
	if err := a.revoke(early); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the later state", func() bool { return b.ask(late) == verify.Valid && b.ask(early) == verify.NotFound })
	for tries := 1; ; tries++ { // the server may end a restoration whose locks cross those of a node that reads
		restore := server.Command("psql", "-q", "-1", "-v", "ON_ERROR_STOP=1", database)
		restore.Stdin = strings.NewReader(string(dump))
		out, err := restore.CombinedOutput()
		if err == nil {
			break
		}
		if tries == 20 || !strings.Contains(string(out), "deadlock detected") {
			t.Fatalf("psql: %v: %s", err, out)
		}
	}
	eventually(
		t, "the restored state", func() bool { return b.ask(late) == verify.NotFound && b.ask(kept) == verify.Valid },
	)
	b.says(early, verify.Valid, "revoked after the backup: the backup does not know that, and the operator is told so")
	// The node that wrote the lost change notices before it answers the next change.
	if err := a.revoke(kept); err != nil {
		t.Fatal(err)
	}
	a.says(kept, verify.Unavailable, "fenced until it has loaded the other history")
	a.look()
	a.says(kept, verify.NotFound, "loaded anew")
	a.says(late, verify.NotFound, "which was written before the restoration")
	a.says(early, verify.Valid, "as in the backup")
	if a.Stats().Loads != 2 {
		t.Errorf("loaded %d times, want 2", a.Stats().Loads)
	}
}

func TestT87AnotherEpochMeansAFullLoad(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	n := join(t, url).settle()
	k := n.mint()
	n.look()
	pgtest.Run(t, url, "UPDATE cluster SET epoch = 'another'")
	n.look()
	if n.Stats().Loads != 2 {
		t.Errorf("loaded %d times, want 2", n.Stats().Loads)
	}
	n.says(k, verify.Valid, "after the load")
}

func TestAReaderThatWasAwayForTooLongLoadsAnewAndTheLogIsPrunedBehindTheSlowest(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := pgtest.Database(t)
	a, slow := join(t, url).settle(), join(t, url)
	k := a.mint()
	prune := func() string {
		if _, err := a.db.PruneChanges(ctx); err != nil {
			t.Fatal(err)
		}
		return pgtest.Run(t, url, "SELECT count(*) FROM changes")[0]
	}
	a.look()
	if left := prune(); left == "0" {
		t.Error("the change log was pruned before a live node had read it")
	}
	slow.look()
	if left := prune(); left != "0" {
		t.Errorf("%s changes are left that everybody has", left)
	}
	k2 := a.mint()
	a.look()
	pgtest.Run(
		t, url, "UPDATE nodes SET seen_ms = seen_ms - 60000 WHERE id <> '"+a.ID+"'",
	) // it has been silent for a minute
	if left := prune(); left != "0" {
		t.Errorf("%s changes are kept for a node that is gone", left)
	}
	slow.look()
	if slow.Stats().Loads != 2 {
		t.Errorf("loaded %d times, want 2", slow.Stats().Loads)
	}
	slow.says(k, verify.Valid, "after the load")
	slow.says(k2, verify.Valid, "made while it was away")
}

func TestEveryKindOfChangeReachesAnotherNode(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, b := join(t, url).settle(), join(t, url)
	k := a.mint()
	step := func(what string, want verify.Code, write func(*store.Tx) error) {
		t.Helper()
		a.must(a.change(audit.WorkspaceUpdated, write))
		b.look()
		a.says(k, want, what+", where it was done")
		b.says(k, want, what+", elsewhere")
	}
	set := func(active bool) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			w, err := tx.Workspace(workspace)
			if err != nil {
				return err
			}
			w.IsActive = active
			return tx.PutWorkspace(w)
		}
	}
	step("a disabled workspace", verify.Disabled, set(false))
	step("an enabled workspace", verify.Valid, set(true))
	step("a member who left", verify.Disabled, func(tx *store.Tx) error { return tx.RemoveMember(workspace, user) })
	step("a member who is back", verify.Valid, func(tx *store.Tx) error {
		return tx.PutMember(account.Member{Workspace: workspace, User: user, Role: role})
	})
	step("a disabled key", verify.Disabled, func(tx *store.Tx) error {
		now, err := tx.Key(k.ID)
		if err != nil {
			return err
		}
		now.IsActive = false
		return tx.UpdateKey(now)
	})
	step("a deleted workspace", verify.NotFound, func(tx *store.Tx) error { return tx.DeleteWorkspace(workspace) })
}

func TestALongWayIsCaughtUpPageByPage(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, b := join(t, url).settle(), join(t, url)
	var keys []key
	for range 30 {
		keys = append(keys, a.mint())
	}
	at := store.Cursor{}
	c, err := a.db.Follow(context.Background(), firstCursor(t, a), 7)
	for n := 0; err == nil && c.More; n++ {
		if at == c.Cursor || n > 10 {
			t.Fatalf("the feed stands still at %+v", at)
		}
		at = c.Cursor
		c, err = a.db.Follow(context.Background(), at, 7)
	}
	if err != nil {
		t.Fatal(err)
	}
	b.look()
	for _, k := range keys {
		b.says(k, verify.Valid, "caught up")
	}
}

// firstCursor stands before everything.
func firstCursor(t *testing.T, n *node) store.Cursor {
	t.Helper()
	at, ok, err := n.db.LoadShared(context.Background(), 2, func(feedChange) error { return nil })
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	return store.Cursor{Epoch: at.Epoch}
}

func TestT89OnlySoManyNodesLoadAtOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := pgtest.Database(t)
	a := join(t, url).settle()
	_, ok, err := a.db.LoadShared(ctx, 1, func(feedChange) error {
		other := join(t, url)
		_, ok, err := other.db.LoadShared(ctx, 1, func(feedChange) error { return nil })
		if err != nil || ok {
			t.Errorf("a second one at the only place: %v, %v", ok, err)
		}
		return nil
	})
	if err != nil || !ok {
		t.Errorf("the first one: %v, %v", ok, err)
	}
}

func TestT30AClockThatIsAheadIsSeen(t *testing.T) {
	t.Parallel()
	n := join(t, pgtest.Database(t))
	if skew := n.Skew().Abs(); skew > time.Second {
		t.Errorf("on one machine the clocks differ by %s", skew)
	}
	n.ahead.Store(int64(time.Hour))
	n.look()
	if skew := n.Skew(); skew < 59*time.Minute || skew > 61*time.Minute {
		t.Errorf("an hour ahead: %s", skew)
	}
	members, err := n.Members(context.Background())
	if err != nil || len(members) != 1 || members[0].Skew < 59*time.Minute {
		t.Errorf("%+v, %v", members, err)
	}
}

func TestT34AStandbyIsNeverReadAndAPromotedOneIsAnotherHistory(t *testing.T) {
	t.Parallel()
	primary := pgtest.Own(t, "max_wal_senders=4", "wal_log_hints=on")
	database := primary.Database(t)
	standby := primary.Standby(t)
	n := join(t, failover(t, database, standby)).settle().run()
	lost, kept := key{}, n.mint()
	standby.CatchUp(t, primary)
	if _, err := connectTo(failoverOnly(t, database, standby)); err == nil {
		t.Error("a node starts on a standby")
	}
	standby.Pause(t) // what comes now never reaches it
	lost = n.mint()
	n.says(lost, verify.Valid, "before the failover")
	primary.Down(syscall.SIGQUIT)
	standby.Promote(t)
	eventually(t, "the new primary", func() bool { return n.ask(lost) == verify.NotFound && n.ask(kept) == verify.Valid })
	if n.Stats().Loads != 2 {
		t.Errorf("loaded %d times, want 2", n.Stats().Loads)
	}
	next := n.mint()
	n.says(next, verify.Valid, "made under a sequence number that was given out before")
}

// failover names both servers in one URL.
func failover(t *testing.T, database string, standby *pgtest.Server) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	other, err := url.Parse(standby.URL("x"))
	if err != nil {
		t.Fatal(err)
	}
	u.Host += "," + other.Host
	return u.String()
}

// failoverOnly names the standby alone.
func failoverOnly(t *testing.T, database string, standby *pgtest.Server) string {
	t.Helper()
	return standby.URL(database[strings.LastIndex(database, "/")+1 : strings.Index(database, "?")])
}
