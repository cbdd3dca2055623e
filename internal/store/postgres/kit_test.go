package postgres_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net"
	"net/url"
	"sync"
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
)

// where the keys lie that these tests write.
const (
	workspace = id.Workspace("00000000-0000-7000-8000-000000000001")
	role      = id.Role("00000000-0000-7000-8000-000000000002")
	user      = id.User("writer")
)

var ids = id.NewGenerator(time.Now, rand.Reader)

// start opens the store on a driver, with a workspace in it, and closes it at the end.
func start(t *testing.T, d store.Driver) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), d, store.Options{Now: time.Now, Catalogue: perm.Builtin(),
		Fatal: func(err error) { t.Errorf("Fatal was called: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := settle(db); err != nil {
		t.Fatal(err)
	}
	return db
}

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

// insert makes a key.
func insert(db *store.DB, k id.Key) error {
	_, err := db.Update(context.Background(), func(tx *store.Tx) error {
		err := tx.InsertKey(
			apikey.Key{ID: k, Workspace: workspace, User: user, Name: "n", Environment: keyfmt.Live, IsActive: true,
				Permissions: perm.Builtin().Reads(), CreatedAt: tx.Now(), UpdatedAt: tx.Now(),
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

func newKey() id.Key { return id.Key(ids.Next()) }

// there tells whether the key is in the database.
func there(t *testing.T, db *store.DB, k id.Key) bool {
	t.Helper()
	err := db.View(context.Background(), func(v *store.View) error {
		_, err := v.Key(k)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// proxy stands between a driver and its server, and can lose connections at the worst moment.
type proxy struct {
	listener net.Listener
	server   string

	mu     sync.Mutex
	lose   string // "request" or "answer" of the next commit; "" loses none
	refuse bool   // new connections
	open   []net.Conn
}

// between answers a URL that leads through a proxy.
func between(t *testing.T, database string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, server: u.Host}
	go p.accept()
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
	})
	u.Host = l.Addr().String()
	return p, u.String()
}

func (p *proxy) set(lose string, refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose, p.refuse = lose, refuse
}

// cut breaks every connection.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		_ = c.Close()
	}
	p.open = nil
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuse := p.refuse
		p.mu.Unlock()
		server, err := net.Dial("tcp", p.server)
		if err != nil || refuse {
			_ = client.Close()
			if err == nil {
				_ = server.Close()
			}
			continue
		}
		p.mu.Lock()
		p.open = append(p.open, client, server)
		p.mu.Unlock()
		answerless := new(atomic.Bool)
		go carry(client, server, answerless)
		go p.pass(client, server, answerless)
	}
}

// carry carries the server's bytes. Where the answer is to be lost, it closes the client's connection when the server
// has given it: earlier, the driver's request to cancel the statement could come before the commit.
func carry(client, server net.Conn, answerless *atomic.Bool) {
	defer client.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil || answerless.Load() {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// pass carries the client's bytes, and looks for a commit in them.
func (p *proxy) pass(client, server net.Conn, answerless *atomic.Bool) {
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("; COMMIT\x00")) {
			p.mu.Lock()
			lose := p.lose
			p.lose = ""
			p.mu.Unlock()
			switch lose {
			case "request":
				_ = client.Close()
				return
			case "answer":
				answerless.Store(true)
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}
