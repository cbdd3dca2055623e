package sqlite_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

// This test program runs itself as a child, which writes keys to a file until it is stopped, so that it can be
// killed, traced, and given a broken disk. Its instructions are in its environment.
const (
	childFile    = "KEYWARD_TEST_CHILD_FILE"
	childWriters = "KEYWARD_TEST_CHILD_WRITERS"
	childKeys    = "KEYWARD_TEST_CHILD_KEYS"

	childFatal = 7 // the child's exit code when the store called Fatal
)

// where the keys lie that the tests of the disk write.
const (
	workspace = id.Workspace("00000000-0000-7000-8000-000000000001")
	role      = id.Role("00000000-0000-7000-8000-000000000002")
	user      = id.User("writer")
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		life := child
		if bytes, err := strconv.Atoi(os.Getenv(childCloses)); err == nil {
			life = func(path string) error { return closes(path, bytes) }
		}
		if err := life(path); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child prints "ok" and the id of each key once the store has acknowledged it.
func child(path string) error {
	writers, _ := strconv.Atoi(os.Getenv(childWriters))
	keys, _ := strconv.ParseInt(os.Getenv(childKeys), 10, 64)
	d, err := sqlite.Open(path, sqlite.Options{Lock: true})
	if err != nil {
		return err
	}
	db, err := store.Open(
		context.Background(),
		d,
		store.Options{Now: time.Now, Catalogue: perm.Builtin(), Fatal: func(err error) {
			fmt.Fprintln(os.Stderr, "fatal:", err)
			os.Exit(childFatal)
		}},
	)
	if err != nil {
		return err
	}
	if err := settle(db); err != nil {
		return err
	}
	var left atomic.Int64
	left.Store(keys)
	ended := make(chan error, writers)
	for range writers {
		go func() {
			for left.Add(-1) >= 0 {
				k := id.Key(ids.Next())
				if err := insert(db, k, ""); err != nil {
					ended <- err
					return
				}
				_, _ = os.Stdout.WriteString("ok " + string(k) + "\n")
			}
			ended <- nil
		}()
	}
	for range writers {
		err = errors.Join(err, <-ended)
	}
	return err
}

var ids = id.NewGenerator(time.Now, rand.Reader)

// settle makes the workspace, unless it is there.
func settle(db *store.DB) error {
	_, err := db.Update(context.Background(), func(tx *store.Tx) error {
		if _, err := tx.Workspace(workspace); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return errors.Join(
			tx.PutWorkspace(account.Workspace{ID: workspace, Name: "W", IsActive: true, CreatedAt: tx.Now()}),
			tx.PutRole(account.Role{ID: role, Workspace: workspace, Name: "Owner", System: account.Owner}, "owner"),
			tx.PutMember(account.Member{Workspace: workspace, User: user, Role: role}),
			tx.Record(audit.Event{ID: id.Event(ids.Next()), Workspace: workspace, Type: audit.WorkspaceCreated}),
		)
	})
	return err
}

// eventOf is an event about the workspace.
func eventOf(text string) audit.Event {
	return audit.Event{ID: id.Event(ids.Next()), Workspace: workspace, Type: audit.WorkspaceUpdated, Description: text}
}

var reads = perm.Builtin().Reads()

// insert makes a key as the control plane does: it reads the creator's authority, writes, and records.
func insert(db *store.DB, k id.Key, description string) error {
	_, err := db.Update(context.Background(), func(tx *store.Tx) error {
		m, err := tx.Member(workspace, user)
		if err != nil {
			return err
		}
		if _, err := tx.Role(workspace, m.Role); err != nil {
			return err
		}
		err = tx.InsertKey(
			apikey.Key{ID: k, Workspace: workspace, User: user, Name: "n", Environment: keyfmt.Live, IsActive: true,
				Permissions: reads, Description: description, CreatedAt: tx.Now(), UpdatedAt: tx.Now(),
				Value: apikey.Value{Masked: "m", Digest: keyfmt.Stored{Pepper: keyfmt.NoPepper, Sum: sha256.Sum256([]byte(k))}}},
		)
		if err != nil {
			return err
		}
		return tx.Record(
			audit.Event{ID: id.Event(ids.Next()), Workspace: workspace, Type: audit.APIKeyCreated, ActorID: string(user)},
		)
	})
	return err
}

// command runs this program as a child, behind other words if there are any.
func command(t *testing.T, path string, writers, keys int, before ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	words := append(before, self)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append(
		os.Environ(), childFile+"="+path, childWriters+"="+strconv.Itoa(writers), childKeys+"="+strconv.Itoa(keys),
	)
	return cmd
}

// acknowledged reads ids from a child's output to its end, and calls after with their number. A line that was cut
// short was nevertheless acknowledged, but its content is unknown.
func acknowledged(out *bufio.Reader, after func(int)) (keys []id.Key) {
	for {
		line, err := out.ReadString('\n')
		if err != nil {
			return keys
		}
		keys = append(keys, id.Key(strings.TrimSpace(strings.TrimPrefix(line, "ok "))))
		after(len(keys))
	}
}

// audited opens the database as the next start does, and checks that all keys are there and that everything fits
// together.
func audited(t *testing.T, path string, keys []id.Key) {
	t.Helper()
	d := open(t, path)
	db := start(t, d)
	defer db.Close()
	ctx := context.Background()
	if _, err := db.VerifyLog(ctx); err != nil {
		t.Error(err)
	}
	err := db.View(ctx, func(v *store.View) error {
		for _, k := range keys {
			if _, err := v.Key(k); err != nil {
				t.Errorf("key %s was acknowledged: %v", k, err)
			}
		}
		all, err := v.Keys(store.KeyFilter{Workspace: workspace, User: user})
		if err != nil {
			return err
		}
		m, err := v.Member(workspace, user)
		events, err2 := v.LogCount(store.LogFilter{Workspace: workspace, Type: string(audit.APIKeyCreated)})
		if n := int64(len(all)); m.KeyCount != n || events != n {
			t.Errorf("%d keys, the member counts %d, and %d events tell of one", n, m.KeyCount, events)
		}
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Error(err)
	}
	err = d.Read(ctx, func(q store.SQL) error {
		for pragma, want := range map[string]string{"integrity_check": "[ok]", "foreign_key_check": "[]"} {
			if got := fmt.Sprint(texts(t, q, 1, "PRAGMA "+pragma)); got != want {
				t.Errorf("%s: %s", pragma, got)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
