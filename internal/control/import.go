package control

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/store"
)

// ImportKeys makes many keys of one workspace, each for itself: with new values, or under digests of
// values that exist. The rules of creation hold for each. Digests come from a service key that may manage, and from no
// other caller: the answer that one is taken would tell of keys in other workspaces.
func (s *Service) ImportKeys(
	ctx context.Context, c Caller, workspace string, items []ImportKey,
) (done []Imported, failed []ItemError, err error) {
	generates := slices.ContainsFunc(items, func(in ImportKey) bool { return in.Generate })
	all := bulk[ImportKey, Imported]{Service: s, items: items, name: func(ImportKey) string { return "" },
		begin: func(tx *store.Tx, a *actor) (func(int, ImportKey) (Imported, error), error) {
			ws, err := s.authorizeWorkspace(tx.View, a, workspace, account.APIKeysWrite)
			if err != nil {
				return nil, err
			}
			if a.service == nil && !generates {
				return nil, scopeDenied(account.ScopeManage)
			}
			im := importing{Service: s, tx: tx, actor: a}
			return func(index int, in ImportKey) (Imported, error) {
				if in.Workspace != "" && in.Workspace != string(ws.ID) {
					return Imported{}, fault.Missing()
				}
				in.Workspace = string(ws.ID)
				one, err := im.key(in)
				one.Index = index
				return one, err
			}, nil
		}}
	return all.run(ctx, c.in(workspace))
}

// importing is one import.
type importing struct {
	*Service
	tx    *store.Tx
	actor *actor
	kinds map[keyfmt.PepperID]bool // of foreign digests in use, once they have been read
}

func (im *importing) key(in ImportKey) (Imported, error) {
	if err := in.check(); err != nil {
		return Imported{}, err
	}
	if in.Digest != nil && im.actor.service == nil {
		return Imported{}, scopeDenied(account.ScopeManage)
	}
	d, err := im.draft(im.tx.View, im.actor, in.CreateKey)
	if err != nil {
		return Imported{}, err
	}
	if in.IsActive.Set && !in.IsActive.Value {
		d.Disable(im.actor.mark(&d.Key, im.tx.Now()))
	}
	if in.Digest != nil {
		return im.digest(&d, in)
	}
	secret, err := im.format.Mint(im.rand, d.Environment)
	if err != nil {
		return Imported{}, fmt.Errorf("mint: %w", err)
	}
	d.Value = im.value(d.Workspace, secret)
	err = im.insert(im.tx, im.actor, &d, fields{"imported": true})
	return Imported{ID: d.ID, Secret: secret}, err
}

// digest makes a key of a value that exists.
func (im *importing) digest(d *draft, in ImportKey) (Imported, error) {
	stored, err := im.stored(in.Digest)
	if err != nil {
		return Imported{}, err
	}
	masked, err := im.masked(in.Masked, stored)
	if err != nil {
		return Imported{}, err
	}
	if err := im.admit(stored.Pepper, in); err != nil {
		return Imported{}, err
	}
	stored.Pepper = stored.Pepper.WithRehash(in.Rehash)
	taken, err := im.tx.HasDigest(stored.Sum)
	if err != nil {
		return Imported{}, err
	}
	if taken {
		return Imported{}, in.taken()
	}
	d.Value = apikey.Value{Digest: stored, Masked: masked}
	note := fields{"imported": true, "algorithm": in.Digest.Algorithm, "rehash": in.Rehash}
	if err = im.insert(im.tx, im.actor, d, note); errors.Is(err, store.ErrDuplicate) {
		err = in.taken()
	}
	return Imported{ID: d.ID}, err
}

func (in *ImportKey) taken() error {
	return fault.New(fault.Conflict, "a key with this digest exists",
		fault.Detail{Field: in.Digest.field("value"), Message: "is taken"})
}

// maxKinds is how many kinds of digest a presented foreign value is looked for by: each costs every such value a
// digest.
const maxKinds = 4

// admit refuses a kind of digest beyond those that may be in use at once. Our own digest, which a rehash leads to, is a
// kind.
func (im *importing) admit(p keyfmt.PepperID, in ImportKey) error {
	if im.kinds == nil {
		used, err := im.tx.Peppers()
		if err != nil {
			return err
		}
		im.kinds = make(map[keyfmt.PepperID]bool)
		for _, u := range used {
			im.note(u)
		}
	}
	before := len(im.kinds)
	im.note(p.WithRehash(in.Rehash))
	if after := len(im.kinds); after > before && after > maxKinds {
		im.kinds = nil // read them anew: this one did not come in
		return fault.New(
			fault.Conflict,
			"at most 4 kinds of foreign digests are in use at once",
			fault.Detail{
				Field:   in.Digest.field("algorithm"),
				Message: "would be one more than 4 kinds of digests: rotate or delete the keys of another kind",
			},
		)
	}
	return nil
}

func (im *importing) note(p keyfmt.PepperID) {
	if !p.IsForeign() {
		return
	}
	if p.Rehash() {
		im.kinds[im.digester.StoreForeign("").Pepper] = true
	}
	im.kinds[p.WithRehash(false)] = true
}

// Rehash puts our own digests in the place of imported ones, for values that were used. One that meanwhile was rotated
// away, or is gone, is left alone. The event says that Keyward itself did it.
func (s *Service) Rehash(ctx context.Context, list []Rehash) error {
	_, err := s.db.Update(ctx, func(tx *store.Tx) error {
		for _, r := range list {
			if err := s.rehash(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
	return storageFault(err)
}

func (s *Service) rehash(tx *store.Tx, r Rehash) error {
	k, err := tx.Key(r.Key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || k.Value.Digest.Sum != r.From || !k.Value.Digest.Pepper.Rehash() {
		return err
	}
	if k.Value.Digest.Sum != r.To.Sum {
		taken, err := tx.HasDigest(r.To.Sum)
		if err != nil {
			return err
		}
		if taken { // another key has the same value: this one keeps its digest, and is not tried again
			r.To = keyfmt.Stored{Pepper: k.Value.Digest.Pepper.WithRehash(false), Sum: r.From}
		}
	}
	if err := tx.ReplaceDigest(k.ID, r.From, r.To); err != nil {
		return err
	}
	return s.record(tx, itself(), change{kind: audit.APIKeyUpdated, workspace: k.Workspace, target: string(k.ID),
		sentence: fmt.Sprintf("API key %s of %s got a digest of our own", quoted(k.Name), k.User),
		note:     fields{"rehashed": true}, free: true})
}

// Rehash is our own digest of an imported value, and the digest whose place it takes.
type Rehash struct {
	Key  id.Key
	From keyfmt.Digest
	To   keyfmt.Stored
}
