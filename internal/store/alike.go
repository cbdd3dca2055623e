package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/keyfmt"
)

// Alike holds the settings that all nodes of an installation must have alike. Each is a fingerprint under the
// installation's secret, which tells only whether two values are the same. "" is from a node of an older release.
type Alike struct {
	RootKey    string // of the value of KEYWARD_ROOT_KEY; NoRootKey without
	RootStored string // of the digest that the node keeps of it, into which its pepper goes; NoRootKey without
	Catalogue  string
	Pepper     string // NoPepper for digests without one
}

// NoRootKey is the report of a node without KEYWARD_ROOT_KEY.
const NoRootKey = "none"

// The settings that Differs names.
const (
	SettingRootKey   = "rootKey"
	SettingCatalogue = "catalogue"
	SettingPepper    = "pepper"
)

// Settings lists the names that Differs may give.
func Settings() []string { return []string{SettingRootKey, SettingCatalogue, SettingPepper} }

// Differs names the settings in which two nodes are not alike. A node that does not say is like every other.
func (a *Alike) Differs(o *Alike) (names []string) {
	for _, one := range []struct{ name, a, b string }{
		{SettingRootKey, a.RootKey, o.RootKey}, {SettingCatalogue, a.Catalogue, o.Catalogue},
		{SettingPepper, a.Pepper, o.Pepper},
	} {
		if one.a != "" && one.b != "" && one.a != one.b {
			names = append(names, one.name)
		}
	}
	return names
}

// Describe makes the fingerprints of a node's settings. A zero root is none.
func (db *DB) Describe(root keyfmt.Secret, d *keyfmt.Digester) Alike {
	a := Alike{RootKey: NoRootKey, RootStored: NoRootKey, Pepper: string(keyfmt.NoPepper)}
	if !root.IsZero() {
		a.RootKey, a.RootStored = db.fingerprint("root key", root.Reveal()), db.storedFingerprint(d.Store(root))
	}
	if p := d.CurrentPepper(); p != keyfmt.NoPepper {
		a.Pepper = db.fingerprint("pepper", string(p))
	}
	text := ""
	for _, e := range db.catalogue.Entries() {
		text += e.Name() + "\t" + e.Description + "\n"
	}
	a.Catalogue = db.fingerprint("catalogue", text)
	return a
}

func (db *DB) storedFingerprint(s keyfmt.Stored) string {
	return db.fingerprint("stored root key", string(s.Pepper)+"\x00"+string(s.Sum[:]))
}

// fingerprint is short enough to be compared by eye. The kind keeps equal values of different settings apart.
func (db *DB) fingerprint(kind, value string) string {
	m := hmac.New(sha256.New, db.secret)
	m.Write([]byte("keyward " + kind + "\x00" + value))
	return hex.EncodeToString(m.Sum(nil)[:8])
}

// DeclaredRoots says which root keys the nodes of an installation set by KEYWARD_ROOT_KEY.
type DeclaredRoots struct {
	db      *DB
	live    map[string]bool // fingerprints, of live nodes
	perhaps map[string]bool // and of nodes that are silent, perhaps since the database could not be reached
	untold  bool            // a node of an older release does not say what it sets
}

// Has tells whether a live node certainly sets a root key.
func (d *DeclaredRoots) Has(s keyfmt.Stored) bool { return d.live[d.db.storedFingerprint(s)] }

// MayHave tells whether a node may set a root key.
func (d *DeclaredRoots) MayHave(s keyfmt.Stored) bool {
	return d.untold || d.perhaps[d.db.storedFingerprint(s)]
}

// DeclaredRoots reads the root keys that the nodes declare. steady is the time for which this node has been heard of
// without a break: a node that has been silent for longer than it may is gone only if this one could have heard of it
// meanwhile. Without other nodes there is nothing.
func (v *View) DeclaredRoots(steady time.Duration) (*DeclaredRoots, error) {
	d := &DeclaredRoots{db: v.db, live: map[string]bool{}, perhaps: map[string]bool{}}
	if v.db.shared == nil {
		return d, nil
	}
	server, err := v.db.shared.Server(v.ctx, v.q)
	if err != nil {
		return nil, err
	}
	nodes, err := all(v, scanNode, selectNodes)
	for i := range nodes {
		n := &nodes[i]
		live := n.Live(server.Now)
		if !live && steady >= n.Silence() {
			continue
		}
		d.perhaps[n.Alike.RootStored] = true
		d.untold = d.untold || n.Alike.RootStored == ""
		if live {
			d.live[n.Alike.RootStored] = true
		}
	}
	return d, err
}

// EnvironmentRoots lists the service keys that a KEYWARD_ROOT_KEY has made, the newest first.
func (v *View) EnvironmentRoots() ([]account.ServiceKey, error) {
	return all(v, scanServiceKey, selectServiceKeys+` WHERE from_env <> 0 ORDER BY id DESC`)
}
