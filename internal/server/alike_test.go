package server_test

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keyward/keyward"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/rig"
	"github.com/keyward/keyward/internal/server"
	"github.com/keyward/keyward/internal/store/postgres/pgtest"
)

// sharing are the settings of a node on a database of PostgreSQL, with a root key.
func sharing(t *testing.T, url string, root keyfmt.Secret) config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.Addr, cfg.Postgres, cfg.RootKey, cfg.MaxStaleness = "127.0.0.1:0", keyfmt.NewSecret(url), root, time.Second
	return cfg
}

func rootKey(t *testing.T) keyfmt.Secret {
	t.Helper()
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	root, err := format.Mint(rand.Reader, keyfmt.Service)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// works tells whether a node takes a value as a service key.
func works(t *testing.T, s *server.Server, root keyfmt.Secret) bool {
	t.Helper()
	_, err := client(t, s, root.Reveal()).ListNodes(t.Context())
	var refused *keyward.Error
	if errors.As(err, &refused) && refused.Status == 401 {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

// endings counts the events that say that a service key ended.
func endings(t *testing.T, url string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(),
		`SELECT count(*) FROM keyward.events WHERE type = 'service_key.deleted'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A root key is changed across nodes that are replaced one by one: both work until the last node that sets the old one
// is gone, then it ends by itself, once.
func TestARootKeyIsChangedAcrossNodes(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, b := rootKey(t), rootKey(t)
	old, stopOld := start(t, sharing(t, url, a), server.Options{})
	var log rig.Output
	first, _ := start(t, sharing(t, url, b), server.Options{Log: &log})
	second, _ := start(t, sharing(t, url, b), server.Options{})
	for _, s := range []*server.Server{old, first, second} {
		until(t, "both root keys work on each node", func() bool { return works(t, s, a) && works(t, s, b) })
	}
	if !strings.Contains(log.String(), "stays good until no live node sets it") {
		t.Errorf("the start says nothing of the older root key:\n%s", log.String())
	}
	kept := slices.DeleteFunc(
		serviceKeys(t, first, b), func(k keyward.ServiceKey) bool { return !strings.Contains(k.Name, "environment") },
	)
	if len(kept) != 2 {
		t.Fatalf("root keys of the environment: %+v", kept)
	}
	for _, k := range kept {
		var refused *keyward.Error
		if _, err := client(t, first, b.Reveal()).DeleteServiceKey(t.Context(), k.ID); !errors.As(err, &refused) ||
			refused.Code != "conflict" {
			t.Errorf("deleting a root key that a live node sets: %v", err)
		}
	}
	time.Sleep(3 * time.Second) // longer than either node takes to look
	if n := endings(t, url); n != 0 || !works(t, first, a) {
		t.Errorf("%d root keys ended while a live node sets them", n)
	}
	if err := stopOld(); err != nil {
		t.Error(err)
	}
	for _, s := range []*server.Server{first, second} {
		until(t, "the old root key ends", func() bool { return !works(t, s, a) })
	}
	time.Sleep(3 * time.Second)
	if n := endings(t, url); n != 1 || !works(t, second, b) {
		t.Errorf("%d events of an end, want 1", n)
	}
}

func serviceKeys(t *testing.T, s *server.Server, root keyfmt.Secret) []keyward.ServiceKey {
	t.Helper()
	listed, err := client(t, s, root.Reveal()).ListServiceKeys(t.Context(), keyward.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return listed.ServiceKeys
}

// Where the last node that sets a root key goes and the others set none, one of those makes a root key and prints it.
func TestARootKeyIsMintedWhereTheLastVariableIsGone(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a := rootKey(t)
	old, stopOld := start(t, sharing(t, url, a), server.Options{})
	var notices [2]rig.Output
	var bare [2]*server.Server
	for i := range bare {
		bare[i], _ = start(t, sharing(t, url, keyfmt.Secret{}), server.Options{Notice: &notices[i]})
	}
	if !works(t, old, a) || !works(t, bare[0], a) {
		t.Fatal("the root key of the first node does not work")
	}
	if err := stopOld(); err != nil {
		t.Error(err)
	}
	printed := func() string { return notices[0].String() + notices[1].String() }
	until(
		t, "a root key is printed", func() bool { return strings.Contains(printed(), "No KEYWARD_ROOT_KEY is set any more") },
	)
	if n := strings.Count(printed(), "kw_svc_"); n != 1 {
		t.Fatalf("%d root keys were printed", n)
	}
	_, after, _ := strings.Cut(printed(), "kw_svc_")
	value, _, _ := strings.Cut(after, "\n")
	for _, s := range bare {
		until(
			t, "the new one works and the old one does not",
			func() bool { return works(t, s, keyfmt.NewSecret("kw_svc_"+value)) && !works(t, s, a) },
		)
	}
}

// A node that died may be alive behind a network that is down: its root key stays until this one has been heard of for
// so long that the other would have been, too.
func TestARootKeyOfANodeThatDiedEndsOnceItCountsAsGone(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, b := rootKey(t), rootKey(t)
	_, stopOld := start(t, sharing(t, url, a), server.Options{})
	if err := stopOld(); err != nil {
		t.Error(err)
	}
	dead := `INSERT INTO keyward.nodes (id, address, version, state, applied, limit_ms, skew_ms, started_ms, seen_ms, root_key, root_stored, catalogue, pepper)
		VALUES ('dead', 'dead', 'test', 'ready', 0, 1000, 0, 0, (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 60000, 'x', '`
	pgtest.Run(t, url, dead+rootStored(t, url, a)+`', '', '')`)
	next, _ := start(t, sharing(t, url, b), server.Options{})
	if !works(t, next, a) {
		t.Error("a start ends the root key of a node that has only been silent")
	}
	until(t, "the root key of the dead node ends", func() bool { return !works(t, next, a) })
}

// rootStored asks a node of that root key how it describes it.
func rootStored(t *testing.T, url string, root keyfmt.Secret) (stored string) {
	t.Helper()
	_, stop := start(t, sharing(t, url, root), server.Options{})
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), `SELECT root_stored FROM keyward.nodes`).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	return stored
}

// Each setting that nodes are to have alike is told by each node that differs, in every place.
func TestNodesThatAreNotSetAlikeSaySo(t *testing.T) {
	t.Parallel()
	url, root := pgtest.Database(t), rootKey(t)
	plain := sharing(t, url, root)
	catalogue := filepath.Join(t.TempDir(), "catalogue.yaml")
	if err := os.WriteFile(catalogue, []byte("- {resource: invoices, action: read, description: Look at invoices}\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	one, _ := start(t, plain, server.Options{})
	for _, c := range []struct {
		setting string
		change  func(*config.Config)
	}{
		{"rootKey", func(c *config.Config) { c.RootKey = rootKey(t) }},
		{"catalogue", func(c *config.Config) { c.Catalogue = catalogue }},
		{"pepper", func(c *config.Config) {
			c.Pepper, c.PepperPrevious = keyfmt.NewSecret("another"), []keyfmt.Secret{keyfmt.NewSecret("none")}
		}},
	} {
		alike(t, one, root)
		cfg, setting := plain, c.setting
		c.change(&cfg)
		var log rig.Output
		other, stop := start(t, cfg, server.Options{Log: &log})
		for _, s := range []*server.Server{one, other} {
			until(t, setting+" in /readyz of each", func() bool {
				_, body := get(t, s.URL()+"/readyz")
				return strings.Contains(
					body, strings.ToUpper("keyward_"+strings.ReplaceAll(setting, "Key", "_key"))+": 1 of 1 other nodes have another",
				)
			})
			if _, body := get(t, s.URL()+"/metrics"); !strings.Contains(
				body, `keyward_nodes_that_differ{setting="`+setting+`"} 1`,
			) {
				t.Errorf("%s is in no metric", setting)
			}
			nodes, err := client(t, s, root.Reveal()).ListNodes(t.Context())
			if err != nil || len(nodes) != 2 {
				t.Fatalf("%+v, %v", nodes, err)
			}
			for _, n := range nodes {
				if !slices.Equal(n.Differs, []string{setting}) {
					t.Errorf("node of itself=%t differs in %v, want %s", n.IsSelf, n.Differs, setting)
				}
			}
		}
		until(t, "a line in the log", func() bool {
			return strings.Contains(log.String(), `"level":"WARN","msg":"nodes of this installation are not set alike`)
		})
		if strings.Contains(log.String(), cfg.RootKey.Reveal()) || strings.Contains(log.String(), `"differs":""`) {
			t.Errorf("the log:\n%s", log.String())
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
	alike(t, one, root)
}

// alike waits until a node is alone, and finds nothing that differs.
func alike(t *testing.T, s *server.Server, root keyfmt.Secret) {
	t.Helper()
	until(t, "all is alike", func() bool {
		_, body := get(t, s.URL()+"/readyz")
		nodes, err := client(t, s, root.Reveal()).ListNodes(t.Context())
		return err == nil && len(nodes) == 1 && len(nodes[0].Differs) == 0 && !strings.Contains(body, "other nodes")
	})
}
