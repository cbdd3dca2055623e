package replica_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/replica"
)

var catalogue = perm.Builtin()

func set(names ...string) perm.Set { return catalogue.Known(names) }

// sum stands for the digest of a value that is called by a word.
func sum(word string) keyfmt.Digest { return sha256.Sum256([]byte(word)) }

func workspace(name id.Workspace) feed.Change {
	return feed.Change{Workspace: &account.Workspace{ID: name, IsActive: true}}
}

// capped is a workspace that narrows keys to the permissions of their creators.
func capped(name id.Workspace) feed.Change {
	return feed.Change{
		Workspace: &account.Workspace{ID: name, IsActive: true, Settings: account.Settings{PermissionMode: account.Capped}},
	}
}

func role(w id.Workspace, name id.Role, held ...string) feed.Change {
	return feed.Change{Role: &account.Role{ID: name, Workspace: w, Permissions: set(held...)}}
}

func member(w id.Workspace, user id.User, r id.Role) feed.Change {
	return feed.Change{Member: &account.Member{Workspace: w, User: user, Role: r}}
}

func memberGone(w id.Workspace, user id.User) feed.Change {
	return feed.Change{MemberGone: &feed.MemberID{Workspace: w, User: user}}
}

// uuid stands for the id of a key that is called by a word, and keyID is its text.
func uuid(word string) (u [16]byte) {
	d := sha256.Sum256([]byte("id of " + word))
	copy(u[:], d[:])
	return u
}

func keyID(word string) id.Key { return id.Key(id.Format(uuid(word))) }

// key is an active key with one value, which is called like the key.
func key(w id.Workspace, user id.User, word string, edit ...func(*apikey.Key)) feed.Change {
	k := &apikey.Key{
		ID: keyID(word), Workspace: w, User: user, Name: "key " + word, Environment: keyfmt.Live, IsActive: true,
		Value: apikey.Value{Digest: keyfmt.Stored{Sum: sum(word)}},
	}
	for _, e := range edit {
		e(k)
	}
	return feed.Change{Key: k}
}

func keyGone(word string) feed.Change { return feed.Change{KeyGone: keyID(word)} }

func service(name id.ServiceKey, word string) feed.Change {
	return feed.Change{ServiceKey: &account.ServiceKey{ID: name, Scopes: []account.Scope{account.ScopeVerify},
		Digest: keyfmt.Stored{Sum: sum(word)}}}
}

func value(word string) func(*apikey.Key) {
	return func(k *apikey.Key) { k.Value.Digest.Sum = sum(word) }
}

func previous(word string, until time.Time) func(*apikey.Key) {
	return func(k *apikey.Key) {
		k.Previous = append(k.Previous, apikey.Value{Digest: keyfmt.Stored{Sum: sum(word)}, Until: until})
	}
}

// at gives changes a revision.
func at(revision int64, changes ...feed.Change) []feed.Change {
	for i := range changes {
		changes[i].Revision = revision
	}
	return changes
}

// house is a replica of one workspace w with the role r, which holds calls:read and calls:write, ann with that role,
// and her key k.
func house() *replica.Replica {
	r := replica.New()
	r.Apply(
		at(1, workspace("w"), role("w", "r", "calls:read", "calls:write"), member("w", "ann", "r"), key("w", "ann", "k")),
	)
	return r
}

func find(t *testing.T, r *replica.Replica, word string) replica.View {
	t.Helper()
	var v replica.View
	if !r.Lookup(sum(word), &v) {
		t.Fatalf("no key has the value %q", word)
	}
	return v
}

func finds(r *replica.Replica, word string) bool {
	var v replica.View
	return r.Lookup(sum(word), &v)
}

func diff(want, got replica.View) string {
	return cmp.Diff(want, got, cmp.Comparer(func(a, b perm.Set) bool { return a == b }),
		cmp.Comparer(func(a, b replica.Networks) bool { return a == b }))
}
