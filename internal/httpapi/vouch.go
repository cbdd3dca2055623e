package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/wire"
)

// A service key that is bound to networks is not good from the address of this follower. Questions of its holder about
// limits go on by this follower's own credential instead, under an incarnation that is derived from the caller's. This
// follower vouches for the caller then: authentication has held the address, the end and the scope of the service key
// against its own copy, and the functions below hold each question against the key's workspaces and environments.

// vouches tells whether the caller's questions go on by this follower's own credential.
func (x *exchange) vouches() bool { return x.service.Bounds.AllowedIPs != nil }

// incarnationAbove names the caller to the source. It is another one for each service key and start of a caller, and
// the same after a start of this follower, so that a batch that comes again is done once and units go back.
func (x *exchange) incarnationAbove(of string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "keyward follower below another v1\x00%s\x00%s", x.service.ID, of))
	return "below-" + hex.EncodeToString(sum[:])
}

// nowhere is the id of no key. A question about a key outside of the caller's bounds is asked about it, and keeps its
// place.
const nowhere wire.Place = "00000000-0000-7000-8000-000000000000"

// keyWithin tells whether a key lies within the caller's bounds, and in which workspace it is. A key that this follower
// does not know lies in none.
func (x *exchange) keyWithin(key [16]byte) (ws id.Workspace, ok bool) {
	ws, env, known := x.api.Feed.Above.Find(key)
	return ws, known && x.service.Bounds.Covers(ws, env)
}

// accountWithin tells the same of a key, or of a workspace that has a plan.
func (x *exchange) accountWithin(account [16]byte) bool {
	if ws, env, known := x.api.Feed.Above.Find(account); known {
		return x.service.Bounds.Covers(ws, env)
	}
	ws := id.Workspace(id.Format(account))
	return x.service.Bounds.Workspace(ws) && x.api.Feed.Above.HasWorkspace(ws)
}

// vouchForLeases confines questions to the caller's bounds: no key is found outside.
func (x *exchange) vouchForLeases(in *wire.FollowerLeases) error {
	in.Incarnation = x.incarnationAbove(in.Incarnation)
	if x.service.Bounds.All() {
		return nil
	}
	for i := range in.Leases {
		q, err := ask(fmt.Sprintf("leases[%d]", i), &in.Leases[i])
		if err != nil {
			return err
		}
		if _, ok := x.keyWithin(q.Key); !ok {
			in.Leases[i].KeyID = nowhere
		}
	}
	return nil
}

// vouchForDays confines claims to the caller's bounds, and names the others. Those want nothing; units that the caller
// holds of a key that is gone go back all the same.
func (x *exchange) vouchForDays(in *wire.FollowerDays) (outside []int, err error) {
	in.Incarnation = x.incarnationAbove(in.Incarnation)
	if x.service.Bounds.All() {
		return nil, nil
	}
	for i := range in.Claims {
		c, err := dayClaim(fmt.Sprintf("claims[%d]", i), &in.Claims[i])
		if err != nil {
			return nil, err
		}
		if !x.accountWithin(c.ID) {
			in.Claims[i].Want = 0
			outside = append(outside, i)
		}
	}
	return outside, nil
}

// vouchForUses empties what a report says of keys outside of the caller's bounds. The places stay: a report that comes
// again goes on where it was cut off.
func (x *exchange) vouchForUses(in *wire.FollowerUses) error {
	in.Incarnation = x.incarnationAbove(in.Incarnation)
	if x.service.Bounds.All() {
		return nil
	}
	for i := range in.Uses {
		u := &in.Uses[i]
		e, err := use(fmt.Sprintf("uses[%d]", i), u)
		if err != nil {
			return err
		}
		if u.KeyID == "" {
			continue
		}
		if ws, ok := x.keyWithin(e.Key); ok {
			u.WorkspaceID = wire.Place(ws)
		} else {
			*u = wire.FollowerUse{StartMS: u.StartMS, Counts: map[string]int64{}}
		}
	}
	for i := range in.Previous {
		p := &in.Previous[i]
		key, err := keyOf(fmt.Sprintf("previous[%d].keyId", i), p.KeyID)
		if err != nil {
			return err
		}
		if _, ok := x.keyWithin(key); !ok {
			p.KeyID = nowhere
		}
	}
	for i := range in.Refusals {
		r := &in.Refusals[i]
		key, err := keyOf(fmt.Sprintf("refusals[%d].keyId", i), r.KeyID)
		if err != nil {
			return err
		}
		if _, ok := x.keyWithin(key); !ok {
			r.KeyID = nowhere
		}
	}
	return nil
}
