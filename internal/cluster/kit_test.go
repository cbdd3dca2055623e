package cluster_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/cluster"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
	"github.com/keyward/keyward/internal/verify"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

const (
	workspace = id.Workspace("00000000-0000-7000-8000-000000000001")
	role      = id.Role("00000000-0000-7000-8000-000000000002")
	user      = id.User("writer")
	limit     = 2 * time.Second
)

var (
	ids       = id.NewGenerator(time.Now, rand.Reader)
	format, _ = keyfmt.NewFormat(keyfmt.DefaultPrefix)
)

// node is one process as far as this package goes: a store, a copy that follows, and an engine that answers from it.
type node struct {
	*cluster.Node
	t      *testing.T
	db     *store.DB
	driver *postgres.Driver
	engine *verify.Engine
	ahead  atomic.Int64 // nanoseconds that its clocks are ahead
	wrote  atomic.Int64 // the revision of its latest change

	stop  context.CancelFunc
	ended chan struct{}
}

// join makes a node; run it, or have it look by hand.
func join(t *testing.T, url string, change ...func(*cluster.Config)) *node {
	t.Helper()
	ctx := context.Background()
	n := &node{t: t}
	var err error
	if n.driver, err = postgres.Open(ctx, url, postgres.Options{Connections: 4}); err != nil {
		t.Fatal(err)
	}
	n.db, err = store.Open(ctx, n.driver, store.Options{Now: time.Now, Catalogue: perm.Builtin(),
		Fatal: func(err error) { t.Errorf("Fatal was called: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	digester, err := keyfmt.NewDigester("")
	if err != nil {
		t.Fatal(err)
	}
	c := cluster.Config{DB: n.db, ID: ids.Next(), Address: "test", Version: "test", Limit: limit, Now: n.now,
		Interval: 50 * time.Millisecond, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		OnSwap: func(r *replica.Replica) {
			if n.engine == nil {
				n.engine = verify.New(verify.Config{Replica: r, Format: format, Digests: digester, Now: n.now})
			}
			n.engine.Use(r)
		}}
	for _, f := range change {
		f(&c)
	}
	n.Node = cluster.New(c)
	if err := n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.halt()
		_ = n.db.Close()
	})
	return n
}

func (n *node) now() time.Time { return time.Now().Add(time.Duration(n.ahead.Load())) }

// run follows the feed in the background.
func (n *node) run() *node {
	ctx, cancel := context.WithCancel(context.Background())
	n.stop, n.ended = cancel, make(chan struct{})
	go func() {
		n.Run(ctx)
		close(n.ended)
	}()
	return n
}

// halt stops that, as a process that stands still would.
func (n *node) halt() {
	if n.stop != nil {
		n.stop()
		<-n.ended
		n.stop = nil
	}
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// settle makes the workspace that keys are in.
func (n *node) settle() *node {
	n.t.Helper()
	_, err := n.db.Update(context.Background(), func(tx *store.Tx) error {
		return errors.Join(
			tx.PutWorkspace(account.Workspace{ID: workspace, Name: "W", IsActive: true, CreatedAt: tx.Now(),
				Settings: account.Settings{PermissionMode: account.Frozen}}),
			tx.PutRole(account.Role{ID: role, Workspace: workspace, Name: "Owner", System: account.Owner}, "owner"),
			tx.PutMember(account.Member{Workspace: workspace, User: user, Role: role}),
			tx.Record(audit.Event{ID: id.Event(ids.Next()), Workspace: workspace, Type: audit.WorkspaceCreated}),
		)
	})
	n.must(err)
	return n
}

// key is one that a test knows the value of.
type key struct {
	apikey.Key
	value string
}

// mint makes a key.
func (n *node) mint() key {
	n.t.Helper()
	secret, err := format.Mint(rand.Reader, keyfmt.Live)
	n.must(err)
	k := key{value: secret.Reveal()}
	k.Key = apikey.Key{
		ID:          id.Key(ids.Next()),
		Workspace:   workspace,
		User:        user,
		Name:        "n",
		Environment: keyfmt.Live,
		IsActive:    true,
		Value: apikey.Value{
			Masked: "m", Digest: keyfmt.Stored{Pepper: keyfmt.NoPepper, Sum: sha256.Sum256([]byte(k.value))},
		},
	}
	n.must(n.change(audit.APIKeyCreated, func(tx *store.Tx) error {
		k.CreatedAt, k.UpdatedAt = tx.Now(), tx.Now()
		return tx.InsertKey(k.Key)
	}))
	return k
}

// revoke deletes a key.
func (n *node) revoke(k key) error {
	return n.change(audit.APIKeyDeleted, func(tx *store.Tx) error { return tx.DeleteKey(k.ID) })
}

func (n *node) change(kind audit.Type, write func(*store.Tx) error) error {
	revision, err := n.db.Update(context.Background(), func(tx *store.Tx) error {
		return errors.Join(write(tx), tx.Record(audit.Event{ID: id.Event(ids.Next()), Workspace: workspace, Type: kind}))
	})
	if err == nil {
		n.wrote.Store(revision)
	}
	return err
}

// ask verifies a key.
func (n *node) ask(k key) verify.Code {
	var v verify.Verdict
	n.engine.Check(&verify.Question{Key: k.value, Cost: 1, IP: netip.Addr{}}, &v)
	return v.Code
}

func (n *node) says(k key, want verify.Code, when string) {
	n.t.Helper()
	if got := n.ask(k); got != want {
		n.t.Errorf("%s: %s, want %s", when, got, want)
	}
}

// look follows the feed by hand.
func (n *node) look() {
	n.t.Helper()
	before := n.Stats().Errors
	n.Look(context.Background())
	if n.Stats().Errors != before {
		n.t.Fatal("the feed could not be followed")
	}
}

// eventually waits for a slow condition, and gives up late.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

func (n *node) String() string { return fmt.Sprintf("node at %d", n.Stats().Revision) }

type feedChange = feed.Change

// connectTo opens a database and nothing more.
func connectTo(url string) (*postgres.Driver, error) {
	d, err := postgres.Open(context.Background(), url, postgres.Options{Connections: 2})
	if err == nil {
		_ = d.Close()
	}
	return d, err
}
