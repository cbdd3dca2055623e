package postgres_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

func TestNodesThatStartAtOnceMakeOneInstallation(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	const nodes = 6
	secrets := make([]string, nodes)
	var wg sync.WaitGroup
	for i := range nodes {
		wg.Go(func() {
			d, err := postgres.Open(context.Background(), url, postgres.Options{Connections: 2})
			if err != nil {
				t.Error(err)
				return
			}
			db, err := store.Open(context.Background(), d, store.Options{Now: time.Now, Catalogue: perm.Builtin()})
			if err != nil {
				t.Error(err)
				return
			}
			secrets[i] = string(db.Secret())
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, s := range secrets {
		if s == "" || s != secrets[0] {
			t.Errorf("node %d has another secret than node 0", i)
		}
	}
}

func TestWritersOnSeveralNodesLoseNothingAndKeepOneLog(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	nodes := []*store.DB{start(t, open(t, url)), start(t, open(t, url)), start(t, open(t, url))}
	var wg sync.WaitGroup
	for _, db := range nodes {
		for range 4 {
			wg.Go(func() {
				for range 10 {
					if err := insert(db, newKey()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	for i, db := range nodes {
		err := db.View(context.Background(), func(v *store.View) error {
			m, err := v.Member(workspace, user)
			if err == nil && m.KeyCount != 120 {
				t.Errorf("node %d counts %d keys, want 120", i, m.KeyCount)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if events, err := db.VerifyLog(context.Background()); err != nil || events != 121 {
			t.Errorf("node %d: %d events, want 121 (%v)", i, events, err)
		}
	}
}

func TestT9AuthorityThatIsTakenAwayOnAnotherNodeMintsNothingAfterwards(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	a, b := start(t, open(t, url)), start(t, open(t, url))
	ctx := context.Background()
	for round := range 50 {
		operator := id.ServiceKey(ids.Next())
		_, err := a.Update(ctx, func(tx *store.Tx) error {
			return errors.Join(tx.PutServiceKey(serviceKey(operator)), tx.Record(event(audit.ServiceKeyCreated)))
		})
		if err != nil {
			t.Fatal(err)
		}
		var revoked, minted int64
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := a.Update(ctx, func(tx *store.Tx) error {
				return errors.Join(tx.DeleteServiceKey(operator), tx.Record(audit.Event{ID: id.Event(ids.Next()),
					Type: audit.ServiceKeyDeleted, ActorID: string(operator)}))
			})
			if err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			_, err := b.Update(ctx, func(tx *store.Tx) error {
				if _, err := tx.ServiceKey(operator); err != nil {
					return err
				}
				return tx.Record(audit.Event{ID: id.Event(ids.Next()), Type: audit.APIKeyCreated, ActorID: string(operator)})
			})
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Error(err)
			}
		})
		wg.Wait()
		err = a.View(ctx, func(v *store.View) error {
			events, err := v.Logs(store.LogFilter{All: true, Actor: string(operator)})
			for _, e := range events {
				if e.Type == audit.APIKeyCreated {
					minted = e.Seq
				} else {
					revoked = e.Seq
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if minted > revoked {
			t.Fatalf("round %d: minted at %d, after the authority ended at %d", round, minted, revoked)
		}
	}
}

func event(kind audit.Type) audit.Event { return audit.Event{ID: id.Event(ids.Next()), Type: kind} }

func serviceKey(k id.ServiceKey) account.ServiceKey {
	s := account.ServiceKey{ID: k, Name: "s"}
	copy(s.Digest.Sum[:], k)
	return s
}

// pooled starts a real pgbouncer in transaction mode before a database, and answers the URL that leads through it.
func pooled(t *testing.T, database string) string {
	t.Helper()
	s := pgtest.Shared(t)
	port, err := pgtest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "kw-bouncer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	name := database[strings.LastIndex(database, "/")+1 : strings.Index(database, "?")]
	settings := fmt.Sprintf(
		"[databases]\n%s = host=127.0.0.1 port=%d user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\n"+
			"unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 100\n",
		name,
		s.Port,
		port,
	)
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := errors.Join(os.WriteFile(file, []byte(settings), 0o644), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
	}
	bouncer := s.Command(program, "-q", file)
	if err := bouncer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = bouncer.Process.Kill()
		_ = bouncer.Wait()
	})
	url := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", port, name)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		d, err := postgres.Open(context.Background(), url, postgres.Options{Connections: 1})
		if err == nil {
			_ = d.Close()
			return url
		}
		if time.Now().After(deadline) {
			t.Fatalf("pgbouncer: %v", err)
		}
	}
}

func TestAPoolerInTransactionModeMayStandBetween(t *testing.T) {
	t.Parallel()
	url := pooled(t, migrated(t))
	nodes := []*store.DB{start(t, open(t, url)), start(t, open(t, url))}
	var wg sync.WaitGroup
	for _, db := range nodes {
		for range 4 { // more of them than connections behind the pooler
			wg.Go(func() {
				for range 10 {
					k := newKey()
					if err := insert(db, k); err != nil {
						t.Error(err)
					} else if !there(t, db, k) {
						t.Errorf("key %s was acknowledged and is not there", k)
					}
				}
			})
		}
	}
	wg.Wait()
	if events, err := nodes[0].VerifyLog(context.Background()); err != nil || events != 81 {
		t.Errorf("%d events, want 81 (%v)", events, err)
	}
}

// A database that goes on at the same revision with another event has lost something, and its later revisions mean
// other changes.
func TestT33AnotherEventAtTheCursorIsAnotherHistory(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := start(t, open(t, migrated(t)))
	if err := settle(db); err != nil {
		t.Fatal(err)
	}
	at, ok, err := db.LoadShared(ctx, 1, func(feed.Change) error { return nil })
	if err != nil || !ok || at.Revision == 0 {
		t.Fatal(at, ok, err)
	}
	if _, err := db.Follow(ctx, at, 10); err != nil {
		t.Errorf("the cursor as it is: %v", err)
	}
	at.Hash[31] ^= 1
	if _, err := db.Follow(ctx, at, 10); !errors.Is(err, store.ErrHistory) {
		t.Errorf("a cursor of another event: %v, want ErrHistory", err)
	}
}

func TestOnlyADirectConnectionListens(t *testing.T) {
	t.Parallel()
	direct := migrated(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := open(t, pooled(t, direct)).Listen(ctx, func() {}); !errors.Is(err, postgres.ErrPooled) {
		t.Errorf("through a pooler: %v, want ErrPooled", err)
	}
	d := open(t, direct)
	rings := make(chan struct{}, 100)
	ended := make(chan error)
	go func() { ended <- d.Listen(ctx, func() { rings <- struct{}{} }) }()
	<-rings // it listens
	db := start(t, open(t, direct))
	<-rings
	if err := insert(db, newKey()); err != nil {
		t.Error(err)
	}
	<-rings
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want Canceled", err)
	}
	_ = d.Close()
}

// A set of permissions goes once each live node has passed its mark and knows of it; a node that had its number in
// memory gives the number to no row afterwards.
func TestASetIsCollectedOnceEveryNodeHasPassedItsMark(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := migrated(t)
	one, other := start(t, open(t, url)), start(t, open(t, url))
	rare := perm.Builtin().Known([]string{"agents:read", "agents:write"})
	withRare := func(db *store.DB) id.Key {
		k := newKey()
		_, err := db.Update(ctx, func(tx *store.Tx) error {
			err := tx.InsertKey(
				apikey.Key{ID: k, Workspace: workspace, User: user, Name: "n", Environment: keyfmt.Live, IsActive: true,
					Permissions: rare, CreatedAt: tx.Now(), UpdatedAt: tx.Now(),
					Value: apikey.Value{Masked: "m", Digest: keyfmt.Stored{Pepper: keyfmt.NoPepper, Sum: sha256.Sum256([]byte(k))}}},
			)
			if err != nil {
				return err
			}
			return tx.Record(event(audit.APIKeyCreated))
		})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	remove := func(k id.Key) {
		_, err := one.Update(ctx, func(tx *store.Tx) error {
			if err := tx.DeleteKey(k); err != nil {
				return err
			}
			return tx.Record(event(audit.APIKeyDeleted))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	collected := func(want store.Collected) {
		t.Helper()
		if got, err := one.CollectSets(ctx); err != nil || got != want {
			t.Errorf("collected %+v, %v, want %+v", got, err, want)
		}
	}
	node := func(applied int64, alike store.Alike) {
		t.Helper()
		n := store.Node{ID: "other", State: store.NodeReady, Applied: applied, Limit: time.Minute, Alike: alike}
		if _, err := other.PutNode(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	remove(withRare(other)) // which has the number in memory from here on
	told := store.Alike{Catalogue: "x"}
	node(0, told)
	collected(store.Collected{Marked: 1})
	collected(store.Collected{}) // not passed
	node(one.Stats().LogHead, store.Alike{})
	collected(store.Collected{}) // of an older release
	node(one.Stats().LogHead, told)
	collected(store.Collected{Dropped: 1})
	k := withRare(other)
	for name, db := range map[string]*store.DB{"the node that collected": one, "the other": other,
		"a new one": start(t, open(t, url))} {
		err := db.View(ctx, func(v *store.View) error {
			found, err := v.Key(k)
			if err == nil && found.Permissions != rare {
				t.Errorf("%s reads other permissions", name)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	remove(k)
	collected(store.Collected{Marked: 1})
	k = withRare(other) // after the mark, with a number that was in memory before it
	node(one.Stats().LogHead, told)
	collected(store.Collected{})
	err := start(t, open(t, url)).View(ctx, func(v *store.View) error {
		found, err := v.Key(k)
		if err == nil && found.Permissions != rare {
			t.Error("a key lost its permissions")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
