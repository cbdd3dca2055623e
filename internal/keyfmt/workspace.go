package keyfmt

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// WorkspaceKey is the key of the digests of one workspace's values, derived from one pepper. It tells neither the
// pepper nor the key of another workspace.
type WorkspaceKey struct {
	Workspace string
	Pepper    PepperID
	Key       [32]byte
}

// workspaceInfo begins the purpose for which a workspace's key is derived; its id follows.
const workspaceInfo = "keyward workspace digests v1\x00"

// forWorkspace derives the key of a workspace from a pepper: HKDF-SHA-256 (RFC 5869).
func (p pepper) forWorkspace(workspace string) WorkspaceKey {
	return WorkspaceKey{workspace, p.id, [32]byte(derive(p.key, nil, workspaceInfo+workspace))}
}

// peppers lists the current pepper and the earlier ones, without NoPepper. It is empty where the current one is
// NoPepper: no second digest is made then.
func (d *Digester) peppers() (list []pepper) {
	if d.current.key == nil {
		return nil
	}
	list = append(list, d.current)
	for _, p := range d.previous {
		if p.key != nil {
			list = append(list, p)
		}
	}
	return list
}

// SecondPeppers names the peppers of which second digests are of use, the current one first; nil without a pepper.
func (d *Digester) SecondPeppers() (list []PepperID) {
	for _, p := range d.peppers() {
		list = append(list, p.id)
	}
	return list
}

// Second gives the second digest of a value: HMAC-SHA-256 under the key of its workspace that is derived from the
// current pepper. It is zero without a pepper.
func (d *Digester) Second(workspace string, value string) Stored {
	if d.current.key == nil {
		return Stored{}
	}
	k := d.current.forWorkspace(workspace)
	return Stored{Pepper: k.Pepper, Sum: newMAC(k.Pepper, k.Key[:]).digest(value)}
}

// WorkspaceKeys derives the keys of workspaces, from the current pepper and from the earlier ones.
func (d *Digester) WorkspaceKeys(workspaces []string) (keys []WorkspaceKey) {
	for _, p := range d.peppers() {
		for _, w := range workspaces {
			keys = append(keys, p.forWorkspace(w))
		}
	}
	return keys
}

// NewWorkspaceDigester makes a digester that knows no pepper, but keys of workspaces: a value has a digest under each
// of them. There is at least one.
func NewWorkspaceDigester(keys []WorkspaceKey) *Digester {
	d := &Digester{}
	for i, k := range keys {
		p := newMAC(k.Pepper, k.Key[:])
		p.key = nil // from which nothing is derived
		if i == 0 {
			d.current = p
		} else {
			d.previous = append(d.previous, p)
		}
	}
	return d
}

// Text writes a digest with its pepper; "" for the zero Stored.
func (s Stored) Text() string {
	if s == (Stored{}) {
		return ""
	}
	return string(s.Pepper) + ":" + base64.RawURLEncoding.EncodeToString(s.Sum[:])
}

// ParseStored reads what Text wrote.
func ParseStored(text string) (s Stored, err error) {
	if text == "" {
		return s, nil
	}
	pepper, sum, _ := strings.Cut(text, ":")
	b, err := base64.RawURLEncoding.DecodeString(sum)
	if err != nil || len(b) != len(s.Sum) || pepper == "" {
		return s, fmt.Errorf("%d bytes that are no digest with its pepper", len(text))
	}
	return Stored{Pepper: PepperID(pepper), Sum: Digest(b)}, nil
}
