// Package keywardtest gives a program's tests a real Keyward server: in the same process, over a database in a
// temporary directory, on a free port of this machine, gone when the test ends. It owns no fake: what holds here holds
// in production.
//
//	func TestOrders(t *testing.T) {
//		kw := keywardtest.New(t)
//		workspace := kw.Workspace(t, "Acme", "ada")
//		key := kw.Key(t, workspace, "ada", "orders:read")
//		…
//	}
package keywardtest

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/server"
)

// Server is a running server.
type Server struct {
	// URL is where it is, without a slash at the end.
	URL string
	// RootKey is a service key with all scopes.
	RootKey string
	// GRPCAddr is host:port of Envoy's gRPC, with WithEnvoy.
	GRPCAddr string

	client *keyward.Client
}

// options hold the settings of an Option.
type options struct {
	cfg config.Config
	opt server.Options
}

// Option sets something about the server.
type Option func(*options)

// WithCatalogue takes the catalogue of permissions from a YAML file instead of the built-in one.
func WithCatalogue(path string) Option { return func(o *options) { o.cfg.Catalogue = path } }

// WithPepper keys the digests of keys.
func WithPepper(pepper string) Option {
	return func(o *options) { o.cfg.Pepper = keyfmt.NewSecret(pepper) }
}

// WithKeyPrefix sets the prefix of every key; the default is kw.
func WithKeyPrefix(prefix string) Option { return func(o *options) { o.cfg.KeyPrefix = prefix } }

// WithDatabase keeps the database in a file of one's own, to start a second server on it later, for instance.
func WithDatabase(path string) Option { return func(o *options) { o.cfg.Database = path } }

// WithNow sets the clock by which keys expire. It must not block, and be safe for concurrent use. A jump ahead is taken
// back with it, as long as the server has not run for an hour since; otherwise the server's time never runs backwards.
func WithNow(now func() time.Time) Option { return func(o *options) { o.opt.Now = now } }

// WithRoutes reads a route table for gateway checks from a YAML file.
func WithRoutes(path string) Option { return func(o *options) { o.cfg.Routes = path } }

// WithTrustedProxies believes the forwarded headers of these networks.
func WithTrustedProxies(networks ...netip.Prefix) Option {
	return func(o *options) { o.cfg.TrustedProxies = networks }
}

// WithWebhookNetworks lets notices to webhooks into these networks, also over plain HTTP: 127.0.0.0/8 for a receiver in
// the test.
func WithWebhookNetworks(networks ...netip.Prefix) Option {
	return func(o *options) { o.cfg.WebhookNetworks = networks }
}

// WithEnvoy answers Envoy's gRPC on Server.GRPCAddr.
func WithEnvoy() Option { return func(o *options) { o.cfg.GRPCAddr = "127.0.0.1:0" } }

// WithPublicURL has browsers reach the server at localhost and its own port, as portal sessions and passkeys need it.
func WithPublicURL(tb testing.TB) Option {
	tb.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("keyward: find a free port: %v", err)
	}
	defer free.Close()
	at := free.Addr().String()
	_, port, _ := net.SplitHostPort(at)
	return func(o *options) { o.cfg.Addr, o.cfg.PublicURL = at, "http://localhost:"+port }
}

// WithLog writes the server's log; the default is to throw it away.
func WithLog(w io.Writer) Option { return func(o *options) { o.opt.Log = w } }

// New starts a server and stops it when the test ends. An error ends the test.
func New(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	o := options{cfg: config.Default()}
	o.cfg.Addr = "127.0.0.1:0"
	o.cfg.Database = filepath.Join(tb.TempDir(), "keyward.db")
	o.opt.Version = "test"
	o.opt.Fatal = func(err error) { tb.Errorf("keyward: the disk lost a write: %v", err) }
	for _, set := range opts {
		set(&o)
	}
	root, err := rootKey(o.cfg.KeyPrefix)
	if err != nil {
		tb.Fatalf("keyward: make a root key: %v", err)
	}
	o.cfg.RootKey = root
	running, err := server.New(tb.Context(), o.cfg, o.opt)
	if err != nil {
		tb.Fatalf("keyward: start: %v", err)
	}
	run(tb, running)
	s := &Server{URL: running.URL(), RootKey: root.Reveal(), GRPCAddr: running.GRPCAddr()}
	s.client = s.As(tb, s.RootKey)
	return s
}

func rootKey(prefix string) (keyfmt.Secret, error) {
	format, err := keyfmt.NewFormat(prefix)
	if err != nil {
		return keyfmt.Secret{}, err
	}
	return format.Mint(rand.Reader, keyfmt.Service)
}

// run serves until the test's clean-up.
func run(tb testing.TB, s *server.Server) {
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()
	tb.Cleanup(func() {
		stop()
		if err := errors.Join(<-stopped, s.Close()); err != nil {
			tb.Errorf("keyward: stop: %v", err)
		}
	})
}

// Client calls the server with the root key.
func (s *Server) Client() *keyward.Client { return s.client }

// As calls the server with another token.
func (s *Server) As(tb testing.TB, token string) *keyward.Client {
	tb.Helper()
	c, err := keyward.New(s.URL, keyward.WithToken(token))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// Workspace makes a workspace with its owner and answers its id.
func (s *Server) Workspace(tb testing.TB, name, owner string) string {
	tb.Helper()
	w, err := s.client.CreateWorkspace(tb.Context(), keyward.CreateWorkspaceRequest{
		Name: name, Owner: &keyward.Owner{UserID: owner, Email: owner + "@example.com"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return w.ID
}

// Key makes a key of a member with the permissions and returns its value; without any permission the key only
// identifies.
func (s *Server) Key(tb testing.TB, workspace, user string, permissions ...string) string {
	tb.Helper()
	k, err := s.client.CreateKey(tb.Context(), keyward.CreateKeyRequest{
		WorkspaceID: workspace, UserID: user, Name: tb.Name(), Permissions: keyward.Permissions(permissions...),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return k.Key.Reveal()
}
