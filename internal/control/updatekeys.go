package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// UpdateKeys changes many keys, each for itself. Permissions are frozen and never change.
func (s *Service) UpdateKeys(
	ctx context.Context, c Caller, items []UpdateKey,
) (done []Key, failed []ItemError, err error) {
	all := bulk[UpdateKey, Key]{Service: s, items: items, name: func(i UpdateKey) string { return i.ID },
		begin: func(tx *store.Tx, a *actor) (func(int, UpdateKey) (Key, error), error) {
			return func(_ int, item UpdateKey) (Key, error) { return s.updateKey(tx, a, item) },
				s.requireAnywhere(tx.View, a, account.APIKeysWrite)
		}}
	return all.run(ctx, c.through(session.KeysUpdate, session.KeysDisable))
}

func (s *Service) updateKey(tx *store.Tx, a *actor, in UpdateKey) (Key, error) {
	was, err := s.loadKeyFor(tx.View, a, in.ID, account.APIKeysWrite)
	if err != nil {
		return Key{}, err
	}
	if err := a.mayUpdate(in); err != nil {
		return Key{}, err
	}
	if in.Permissions {
		return Key{}, fault.Invalid("permissions", "are frozen when a key is made; make a new key instead")
	}
	k := was
	if err := s.applyUpdate(tx.View, a, &k, in); err != nil {
		return Key{}, err
	}
	before, after := s.keyFields(&was), s.keyFields(&k)
	if unchanged(before, after) {
		if in.IsActive.Set && !k.IsActive { // it was said of a key that a removal has stopped, too
			if err := tx.TakeKeyBack(k.ID); err != nil {
				return Key{}, err
			}
		}
		return s.show(tx.View, was)
	}
	err = s.changeKey(tx, a, &was, &k, change{kind: audit.APIKeyUpdated,
		sentence: fmt.Sprintf("API key %s of %s updated", quoted(k.Name), k.User), before: before, after: after})
	if err != nil {
		return Key{}, err
	}
	return s.show(tx.View, k)
}

func (s *Service) applyUpdate(v *store.View, a *actor, k *apikey.Key, in UpdateKey) error {
	var name, limits, description, metadata, addresses error
	if in.Name.Set {
		k.Name, name = nameInput("name", in.Name.Value, maxKeyName)
	}
	state := s.switchKey(v, a, k, in.IsActive)
	expiry := applyExpiry(v, k, in)
	k.Limits, limits = limitsInput("rateLimit", in.RateLimit, k.Limits)
	if in.Description.Set {
		k.Description, description = lineInput("description", in.Description, maxDescription)
	}
	if in.Metadata.Set {
		k.Metadata, metadata = metadataInput("metadata", in.Metadata)
	}
	if in.AllowedIPs.Set {
		k.AllowedIPs, addresses = addressesInput("allowedIps", in.AllowedIPs)
	}
	return fault.All(name, state, expiry, limits, description, metadata, addresses)
}

func applyExpiry(v *store.View, k *apikey.Key, in UpdateKey) error {
	if !in.ExpiresAt.Set {
		return nil
	}
	t, err := expiryInput("expiresAt", in.ExpiresAt, v.Now())
	if err == nil {
		k.ExpiresAt = t
	}
	return err
}

// switchKey enables or disables a key, where that is given.
func (s *Service) switchKey(v *store.View, a *actor, k *apikey.Key, active Optional[bool]) error {
	switch {
	case !active.Set || active.Value && k.IsActive:
		return nil
	case !active.Value:
		k.Disable(a.mark(k, v.Now()))
		return nil
	}
	if err := s.mayEnable(v, a, k); err != nil {
		return err
	}
	k.Enable()
	return nil
}

// mayEnable refuses to bring back a key that was revoked, or whose creator has left without its being kept, and without
// the right of api-keys:manage-others one that was disabled by that right. The grant rule comes first: it names what
// the caller lacks for good.
func (s *Service) mayEnable(v *store.View, a *actor, k *apikey.Key) error {
	enabled := *k
	enabled.Enable()
	if err := s.mayWiden(a, k, &enabled); err != nil {
		return err
	}
	if k.Disabled.Strong() {
		if err := s.need(a, account.APIKeysManageOthers); err != nil {
			return err
		}
	}
	if k.Revoked {
		return fault.New(
			fault.Conflict, "a revoked key stays disabled", fault.Detail{Field: "isActive", Message: "the key was revoked"},
		)
	}
	if k.Orphan {
		return nil
	}
	_, err := v.Member(k.Workspace, k.User)
	if errors.Is(err, store.ErrNotFound) {
		return fault.New(fault.Conflict, "the key's creator is no longer a member",
			fault.Detail{Field: "isActive", Message: "the key's creator is no longer a member"})
	}
	return err
}
