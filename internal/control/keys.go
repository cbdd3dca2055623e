package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// Catalogue is the installation's permissions.
func (s *Service) Catalogue() *perm.Catalogue { return s.cat }

// show adds a key's creator, also one that has left, and its latest use.
func (s *Service) show(v *store.View, k apikey.Key) (Key, error) {
	s.lately(&k)
	email, name, err := v.Creator(k.Workspace, k.User)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Key{}, err
	}
	return Key{Key: k, Creator: Creator{ID: k.User, Email: email, DisplayName: name}}, nil
}

// whoseKeys decides whose keys a list shows; "" is all users.
func (s *Service) whoseKeys(a *actor, user string) (id.User, error) {
	if user != "" {
		u, err := userInput("userId", user)
		if err != nil {
			return "", err
		}
		return u, s.needFor(a, u, account.APIKeysRead)
	}
	if err := s.need(a, account.APIKeysRead); err != nil {
		return "", err
	}
	if a.service == nil && !s.cat.Holds(a.does(), account.APIKeysManageOthers) {
		return a.user, nil
	}
	return "", nil
}

// loadKeyFor finds a key that the caller may act on: 403 without the permission, 404 for an unknown key or one of
// another workspace, 403 again for another user's key without manage-others.
func (s *Service) loadKeyFor(v *store.View, a *actor, key, permission string) (apikey.Key, error) {
	if err := s.requireAnywhere(v, a, permission); err != nil {
		return apikey.Key{}, err
	}
	if _, ok := id.Parse(key); !ok {
		return apikey.Key{}, fault.Missing()
	}
	k, err := v.Key(id.Key(key))
	if errors.Is(err, store.ErrNotFound) {
		return apikey.Key{}, fault.Missing()
	}
	if err != nil {
		return apikey.Key{}, err
	}
	if err := s.switchWorkspace(v, a, k.Workspace); err != nil {
		return apikey.Key{}, err
	}
	if !a.reach.Environment(k.Environment) {
		return apikey.Key{}, fault.Missing()
	}
	return k, s.needFor(a, k.User, permission)
}

// GetKey shows one key.
func (s *Service) GetKey(ctx context.Context, c Caller, key string) (Key, error) {
	var out Key
	err := s.view(ctx, c.through(session.KeysRead), func(v *store.View, a *actor) error {
		k, err := s.loadKeyFor(v, a, key, account.APIKeysRead)
		if err != nil {
			return err
		}
		out, err = s.show(v, k)
		return err
	})
	return out, storageFault(err)
}

// SelfKey shows the key that calls, with any permissions.
func (s *Service) SelfKey(ctx context.Context, c Caller) (Key, error) {
	var out Key
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		if a.key == nil {
			return fault.New(fault.PermissionDenied, "only an API key can ask for itself",
				fault.Detail{Field: "Authorization", Message: "an API key is needed"})
		}
		ws, err := v.Workspace(a.key.Workspace)
		if err != nil {
			return err
		}
		out, err = s.show(v, *a.key)
		out.WorkspaceName = ws.Name
		return err
	})
	return out, storageFault(err)
}

// DeleteKey takes a key away for good.
func (s *Service) DeleteKey(ctx context.Context, c Caller, key string) error {
	return s.update(
		ctx, c.through(session.KeysDelete), func(tx *store.Tx, a *actor) error { return s.deleteKey(tx, a, key) },
	)
}

func (s *Service) deleteKey(tx *store.Tx, a *actor, key string) error {
	k, err := s.loadKeyFor(tx.View, a, key, account.APIKeysDelete)
	if err != nil {
		return err
	}
	if err := s.settleFirst(tx, &k); err != nil {
		return err
	}
	if err := tx.DeleteKey(k.ID); err != nil {
		return err
	}
	return s.record(tx, a, change{kind: audit.APIKeyDeleted, workspace: k.Workspace, target: string(k.ID),
		sentence: fmt.Sprintf("API key %s of %s deleted", quoted(k.Name), k.User), before: s.keyFields(&k)})
}

// DeleteKeys takes away many, each for itself.
func (s *Service) DeleteKeys(
	ctx context.Context, c Caller, keys []string,
) (done []string, failed []ItemError, err error) {
	all := bulk[string, string]{Service: s, items: keys, name: func(key string) string { return key },
		begin: func(tx *store.Tx, a *actor) (func(int, string) (string, error), error) {
			return func(_ int, key string) (string, error) { return key, s.deleteKey(tx, a, key) },
				s.requireAnywhere(tx.View, a, account.APIKeysDelete)
		}}
	return all.run(ctx, c.through(session.KeysDelete))
}

// RotateKey gives a key a new value; the old one works for overlapSeconds more. Rotating reveals a value, so the grant
// rule holds: the key must lie within the caller.
func (s *Service) RotateKey(ctx context.Context, c Caller, key string, overlapSeconds int64) (Revealed, error) {
	return s.RotateKeyOnce(ctx, c, key, overlapSeconds, Idempotency{})
}

// RotateKeyOnce is RotateKey for a request that may be repeated.
func (s *Service) RotateKeyOnce(
	ctx context.Context, c Caller, key string, overlapSeconds int64, i Idempotency,
) (Revealed, error) {
	if err := overlapInput("overlapSeconds", overlapSeconds); err != nil {
		return Revealed{}, err
	}
	var out Revealed
	err := s.update(ctx, c.through(session.KeysRotate), func(tx *store.Tx, a *actor) error {
		k, err := s.loadKeyFor(tx.View, a, key, account.APIKeysWrite)
		if err != nil {
			return err
		}
		out, err = s.rotateOnce(tx, a, &k, overlapSeconds, i)
		return err
	})
	return out, err
}

// RotateSelf gives the API key that calls a new value. It needs no permission: by its current value a key may replace
// that value, and nothing else of it changes.
func (s *Service) RotateSelf(ctx context.Context, c Caller, overlapSeconds int64, i Idempotency) (Revealed, error) {
	if err := overlapInput("overlapSeconds", overlapSeconds); err != nil {
		return Revealed{}, err
	}
	var out Revealed
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		if a.key == nil {
			return fault.New(fault.PermissionDenied, "only an API key can rotate itself",
				fault.Detail{Field: "Authorization", Message: "an API key is needed"})
		}
		k := *a.key
		if err := mayRotateItself(tx.View, &k); err != nil {
			return err
		}
		a.holds = k.Permissions // what the value carries already, whatever a capped workspace leaves of it now
		var err error
		out, err = s.rotateOnce(tx, a, &k, overlapSeconds, i)
		return err
	})
	return out, err
}

// mayRotateItself asks the settings of the key's workspace. Where they forbid it, the right to write keys is needed, by
// the key's id.
func mayRotateItself(v *store.View, k *apikey.Key) error {
	ws, err := v.Workspace(k.Workspace)
	if err != nil || !ws.Settings.NoSelfRotation {
		return err
	}
	return fault.New(fault.PermissionDenied, "the workspace forbids keys to rotate themselves",
		fault.Detail{Field: "Authorization", Message: "settings.selfRotation of the workspace is forbidden"})
}

// rotateOnce rotates a key that the caller may rotate, or answers the outcome of the same request before. That comes
// first: a key that has rotated itself repeats its request by the value before.
func (s *Service) rotateOnce(
	tx *store.Tx, a *actor, k *apikey.Key, overlapSeconds int64, i Idempotency,
) (Revealed, error) {
	o := once{Idempotency: i, workspace: k.Workspace, operation: "rotate " + string(k.ID), asked: overlapSeconds}
	return s.once(tx, a, o, func() (Revealed, error) { return s.rotate(tx, a, k, overlapSeconds) })
}

// rotates refuses a caller who has an earlier value, and a key that was revoked.
func rotates(a *actor, k *apikey.Key) error {
	switch {
	case a.earlier:
		return fault.New(fault.PermissionDenied, "an earlier value of a key does not rotate",
			fault.Detail{Field: "Authorization", Message: "the current value is needed"})
	case k.Revoked:
		return fault.New(fault.Conflict, "a revoked key cannot be rotated")
	}
	return nil
}

func (s *Service) rotate(tx *store.Tx, a *actor, k *apikey.Key, overlapSeconds int64) (Revealed, error) {
	if err := rotates(a, k); err != nil {
		return Revealed{}, err
	}
	secret, err := s.format.Mint(s.rand, k.Environment)
	if err != nil {
		return Revealed{}, fmt.Errorf("mint: %w", err)
	}
	was := *k
	k.Confined = k.Confined || a.confines()
	if err := s.replaceValue(tx.View, a, k, secret, time.Duration(overlapSeconds)*time.Second); err != nil {
		return Revealed{}, err
	}
	if err := s.changeKey(tx, a, &was, k, a.rotation(&was, k, overlapSeconds)); err != nil {
		return Revealed{}, err
	}
	shown, err := s.show(tx.View, *k)
	return Revealed{Key: shown, Secret: secret}, err
}

// replaceValue rotates the key, as it will be kept. The new value ends when the workspace's settings, and a portal
// session's ceiling, say, and no later
// than the key's expiry already said: a later end is an update of its own.
func (s *Service) replaceValue(
	v *store.View, a *actor, k *apikey.Key, secret keyfmt.Secret, overlap time.Duration,
) error {
	ws, err := v.Workspace(k.Workspace)
	if err != nil {
		return err
	}
	k.RotateSince(
		s.value(k.Workspace, secret), v.Now(), v.Floor(), overlap,
	)
	if len(k.Previous) > apikey.MaxPrevious {
		return fault.New(
			fault.Conflict,
			fmt.Sprintf("a key has at most %d earlier values at once; rotate without an overlap to end them all",
				apikey.MaxPrevious),
			fault.Detail{Field: "overlapSeconds", Message: "would leave too many earlier values"},
		)
	}
	longest := a.latest(ws.Settings, k.Made())
	switch {
	case !longest.IsZero() && (k.ExpiresAt.IsZero() || k.ExpiresAt.After(longest)):
		k.ExpiresAt = longest
	case k.ExpiresAt.IsZero() && ws.Settings.RequireExpiry:
		return fault.New(fault.Conflict, "the workspace requires an expiry: give the key one, then rotate it",
			fault.Detail{Field: "expiresAt", Message: "the workspace requires an expiry"})
	}
	return nil
}

func (a *actor) rotation(was, k *apikey.Key, overlapSeconds int64) change {
	return change{kind: audit.APIKeyRotated, sentence: fmt.Sprintf("API key %s of %s rotated", quoted(k.Name), k.User),
		before: fields{"key": was.Value.Masked, "expiresAt": stamp(was.ExpiresAt), "confined": was.Confined},
		after: fields{
			"key": k.Value.Masked, "expiresAt": stamp(k.ExpiresAt), "confined": k.Confined,
		}, note: a.confirmation(fields{"overlapSeconds": overlapSeconds})}
}

// RevokeByValue ends the value of a key that the caller has shown (RFC 7009): the current value with the key, for good,
// and an earlier one alone. A value that was rotated away meanwhile ends nothing. presented is the digest by which the
// engine found the key, and the one that may have taken its place. It needs the scope revoke; an API key can revoke
// itself alone.
func (s *Service) RevokeByValue(ctx context.Context, c Caller, key id.Key, presented ...keyfmt.Digest) error {
	return s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		if err := mayRevoke(a, key); err != nil {
			return err
		}
		k, err := tx.Key(key)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		by, until, ok := answers(&k, tx.Now(), presented...)
		switch {
		case !ok || k.Revoked || !a.reach.Covers(k.Workspace, k.Environment): // as for a value that is none
			return nil
		case !until.IsZero():
			return s.endEarlier(tx, a, k, by)
		}
		was := k
		k.Disable(a.mark(&k, tx.Now()))
		k.Revoked = true
		return s.changeKey(tx, a, &was, &k, change{kind: audit.APIKeyRevoked,
			sentence: fmt.Sprintf("API key %s of %s revoked", quoted(k.Name), k.User), before: s.keyFields(&was),
			after: s.keyFields(&k)})
	})
}

// RevokeNothing answers for a value that is no key's: the same refusals, and nothing else.
func (s *Service) RevokeNothing(ctx context.Context, c Caller) error {
	return storageFault(s.view(ctx, c, func(_ *store.View, a *actor) error { return mayRevoke(a, "") }))
}

// mayRevoke refuses a service key without the scope, and every other caller but the key itself.
func mayRevoke(a *actor, key id.Key) error {
	switch {
	case a.service != nil && !a.service.Has(account.ScopeRevoke):
		return scopeDenied(account.ScopeRevoke)
	case a.service == nil && (a.key == nil || key != "" && a.key.ID != key):
		return fault.New(fault.PermissionDenied, "an API key can revoke itself alone",
			fault.Detail{Field: "token", Message: "is not the credential of this request"})
	}
	return nil
}

// endEarlier ends one earlier value of a key, and leaves the key as it is.
func (s *Service) endEarlier(tx *store.Tx, a *actor, k apikey.Key, value keyfmt.Digest) error {
	was := k
	k.End(value)
	return s.changeKey(tx, a, &was, &k, change{kind: audit.APIKeyUpdated,
		sentence: fmt.Sprintf("an earlier value of API key %s of %s revoked", quoted(k.Name), k.User),
		before:   previousFields(&was), after: previousFields(&k),
		note: fields{"reason": "value.revoked"}})
}

func previousFields(k *apikey.Key) fields {
	masked := make([]string, len(k.Previous))
	for i, p := range k.Previous {
		masked[i] = p.Masked
	}
	return fields{"previousKeys": masked}
}
