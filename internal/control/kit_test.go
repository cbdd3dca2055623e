package control_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

var catalogue = perm.Builtin()

// kit is a control plane over a real database, and its root.
type kit struct {
	*control.Service
	db   *store.DB
	root control.Caller
}

// failer is a *testing.T, or a *rapid.T within one.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func newKit(t failer, dir string, change ...func(*control.Config)) *kit {
	t.Helper()
	driver, err := sqlite.Open(filepath.Join(dir, "keyward.db"), sqlite.Options{Lock: true})
	must(t, err)
	db, err := store.Open(context.Background(), driver, store.Options{Now: time.Now, Catalogue: catalogue})
	must(t, err)
	return newKitOn(t, db, change...)
}

// newKitOn is newKit on an open database.
func newKitOn(t failer, db *store.DB, change ...func(*control.Config)) *kit {
	t.Helper()
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	must(t, err)
	digester, err := keyfmt.NewDigester("")
	must(t, err)
	config := control.Config{DB: db, Catalogue: catalogue, Format: format, Digester: digester,
		IDs: id.NewGenerator(time.Now, rand.Reader), Rand: rand.Reader, Reveal: 10 * time.Minute}
	for _, c := range change {
		c(&config)
	}
	k := &kit{db: db, Service: control.New(config)}
	_, err = k.EnsureRoot(context.Background(), keyfmt.Secret{})
	must(t, err)
	must(t, db.View(context.Background(), func(v *store.View) error {
		roots, err := v.ServiceKeys(store.Page{Limit: 1})
		k.root = control.Caller{ServiceKey: roots[0].ID, Presented: roots[0].Digest.Sum}
		return err
	}))
	return k
}

// inWorkspace is a kit with a workspace that the user "owner" owns; it ends with the test.
func inWorkspace(t *testing.T) (*kit, string) {
	t.Helper()
	k := newKit(t, t.TempDir())
	t.Cleanup(func() { must(t, k.db.Close()) })
	return k, k.found(t)
}

func (k *kit) found(t failer) string {
	t.Helper()
	ws, err := k.CreateWorkspace(context.Background(), k.root, control.CreateWorkspace{Name: "w",
		Owner: control.Some(control.OwnerInput{User: "owner", Email: "owner@example.org"})})
	must(t, err)
	return string(ws.ID)
}

// roles gives a workspace's roles by name.
func (k *kit) roles(t failer, ws string) map[string]control.Role {
	t.Helper()
	list, _, err := k.ListRoles(context.Background(), k.root, ws, control.Paging{Limit: 100})
	must(t, err)
	out := map[string]control.Role{}
	for _, r := range list {
		out[r.Name] = r
	}
	return out
}

// join adds a member with a role of the given name.
func (k *kit) join(t failer, ws, user, role string) {
	t.Helper()
	_, _, err := k.PutMember(
		context.Background(), k.root, ws, user,
		control.PutMember{Email: user + "@example.org", Role: string(k.roles(t, ws)[role].ID)},
	)
	must(t, err)
}

// key makes a key for the user with all that they hold, or with the named permissions.
func (k *kit) key(t failer, ws, user string, permissions ...string) control.Revealed {
	t.Helper()
	in := control.CreateKey{Workspace: ws, User: user, Name: "key"}
	if permissions != nil {
		in.Permissions = control.Some(permissions)
	}
	out, err := k.CreateKey(context.Background(), k.root, in)
	must(t, err)
	return out
}

func must(t failer, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// person calls as themselves, by a token of the provider that goes on for long.
func person(ws, user string) control.Caller {
	return control.Caller{
		Person: control.Person{Workspace: id.Workspace(ws), User: id.User(user)}, Until: time.Now().Add(24 * time.Hour),
	}
}

// by calls with the current value of a key.
func by(k control.Revealed) control.Caller {
	return control.Caller{APIKey: k.Key.ID, Presented: k.Key.Value.Digest.Sum}
}

// operator calls with a service key.
func operator(k control.RevealedServiceKey) control.Caller {
	return control.Caller{ServiceKey: k.ServiceKey.ID, Presented: k.ServiceKey.Digest.Sum}
}

// secret is the value of a new service key.
func (k *kit) secret(t failer) keyfmt.Secret {
	t.Helper()
	format, err := keyfmt.NewFormat(keyfmt.DefaultPrefix)
	must(t, err)
	out, err := format.Mint(rand.Reader, keyfmt.Service)
	must(t, err)
	return out
}

// environmentRoot calls with a new root key of the environment.
func (k *kit) environmentRoot(t failer) (c control.Caller) {
	t.Helper()
	_, err := k.EnsureRoot(context.Background(), k.secret(t))
	must(t, err)
	must(t, k.db.View(context.Background(), func(v *store.View) error {
		all, err := v.ServiceKeys(store.Page{})
		for _, s := range all {
			if s.FromEnv {
				c = control.Caller{ServiceKey: s.ID, Presented: s.Digest.Sum}
			}
		}
		return err
	}))
	return c
}
