package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/store"
)

// CreateServiceKey makes an operator's credential; its value is in this answer alone.
func (s *Service) CreateServiceKey(ctx context.Context, c Caller, in CreateServiceKey) (RevealedServiceKey, error) {
	var out RevealedServiceKey
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		if err := a.root(); err != nil {
			return err
		}
		name, badName := nameInput("name", in.Name, maxKeyName)
		scopes, badScopes := scopesInput(in.Scopes)
		expires, badExpiry := expiryInput("expiresAt", in.ExpiresAt, tx.Now())
		bounds, badBounds := boundsInput(in)
		modes, badModes := followerModesInput(in.FollowerModes, scopes)
		if err := fault.All(badName, badScopes, badExpiry, badBounds, badModes); err != nil {
			return err
		}
		if !a.service.ExpiresAt.IsZero() && (expires.IsZero() || expires.After(a.service.ExpiresAt)) {
			return fault.New(fault.PermissionEscalation, "a service key cannot make one that outlives it",
				fault.Detail{Field: "expiresAt", Message: "lies beyond the calling key's expiry"})
		}
		if err := mayBind(tx.View, a, &bounds); err != nil {
			return err
		}
		secret, err := s.format.Mint(s.rand, keyfmt.Service)
		if err != nil {
			return fmt.Errorf("mint: %w", err)
		}
		k := s.serviceKey(tx, secret, name, scopes)
		k.ExpiresAt, k.Bounds, k.FollowerModes = expires, bounds, modes
		if len(bounds.Workspaces) > 0 {
			k.Second = s.digester.Second(string(bounds.Workspaces[0]), secret.Reveal())
		}
		out = RevealedServiceKey{ServiceKey: k, Secret: secret}
		return s.putServiceKey(tx, a, k)
	})
	return out, err
}

// followerModesInput reads in which ways followers may admit more than the limits at their source.
func followerModesInput(names []string, scopes []account.Scope) (modes []account.FollowerMode, err error) {
	if len(names) > 0 && !slices.Contains(scopes, account.ScopeFollow) {
		return nil, fault.Invalid("followerModes", "needs the scope follow")
	}
	for i, name := range names {
		m := account.FollowerMode(name)
		if m != account.LocalMode && m != account.OpenMode {
			return nil, fault.Invalid(indexed("followerModes", i), "must be local or open")
		}
		if !slices.Contains(modes, m) {
			modes = append(modes, m)
		}
	}
	return modes, nil
}

// boundsInput reads the bounds of a new service key.
func boundsInput(in CreateServiceKey) (b account.Bounds, err error) {
	var bad []error
	for _, list := range []struct {
		field string
		Optional[[]string]
	}{{"workspaceIds", in.Workspaces}, {"environments", in.Environments}, {"allowedIps", in.AllowedIPs}} {
		if list.Set && !list.Null && (len(list.Value) == 0 || len(list.Value) > account.MaxReach) {
			bad = append(
				bad, fault.Invalid(list.field, "must name 1 to %d; leave it out for a key that is not bound", account.MaxReach),
			)
		}
	}
	for i, name := range in.Workspaces.Value {
		if _, ok := id.Parse(name); !ok {
			bad = append(bad, fault.Invalid(indexed("workspaceIds", i), "must be the id of a workspace"))
		}
		b.Workspaces = append(b.Workspaces, id.Workspace(name))
	}
	for i, name := range in.Environments.Value {
		list, ok := account.OnlyEnvironment(name)
		if !ok {
			bad = append(bad, fault.Invalid(indexed("environments", i), "must be live or test"))
		}
		b.Environments = append(b.Environments, list...)
	}
	b.AllowedIPs, err = addressesInput("allowedIps", in.AllowedIPs)
	return b, fault.All(append(bad, err)...)
}

// mayBind refuses bounds beyond those of the caller. An unknown workspace, and one outside the caller's reach, are
// refused alike.
func mayBind(v *store.View, a *actor, b *account.Bounds) error {
	if err := a.mayReach(b); err != nil {
		return err
	}
	for i, ws := range b.Workspaces {
		if _, err := v.Workspace(ws); errors.Is(err, store.ErrNotFound) {
			return fault.New(
				fault.NotFound, "there is no such workspace",
				fault.Detail{Field: indexed("workspaceIds", i), Message: "is not there"},
			)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func scopesInput(names []string) ([]account.Scope, error) {
	if len(names) == 0 {
		return nil, fault.Invalid("scopes", "must name at least one scope")
	}
	var out []account.Scope
	for i, n := range names {
		scope := account.Scope(n)
		if !slices.Contains(account.Scopes(), scope) {
			return nil, fault.Invalid(indexed("scopes", i), "must be one of: %s", scopeNames())
		}
		if !slices.Contains(out, scope) {
			out = append(out, scope)
		}
	}
	return out, nil
}

func scopeNames() string {
	var names []string
	for _, s := range account.Scopes() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

func (s *Service) serviceKey(
	tx *store.Tx, secret keyfmt.Secret, name string, scopes []account.Scope,
) account.ServiceKey {
	return account.ServiceKey{ID: id.ServiceKey(s.ids.Next()), Name: name, Scopes: scopes, CreatedAt: tx.Now(),
		Masked: s.format.Mask(secret), Digest: s.digester.Store(secret)}
}

func (s *Service) putServiceKey(tx *store.Tx, a *actor, k account.ServiceKey) error {
	if err := tx.PutServiceKey(k); err != nil {
		return err
	}
	return s.record(tx, a, change{kind: audit.ServiceKeyCreated, target: string(k.ID),
		sentence: fmt.Sprintf("service key %s created", quoted(k.Name)), after: serviceKeyFields(k)})
}

func serviceKeyFields(k account.ServiceKey) fields {
	return fields{
		"name": k.Name, "scopes": k.Scopes, "workspaceIds": k.Bounds.Workspaces,
		"environments": k.Bounds.Environments, "allowedIps": k.Bounds.AllowedIPs,
		"expiresAt": stamp(k.ExpiresAt), "key": k.Masked, "fromEnvironment": k.FromEnv, "followerModes": k.FollowerModes,
	}
}

// ListServiceKeys gives a page of service keys, newest first.
func (s *Service) ListServiceKeys(ctx context.Context, c Caller, in Paging) ([]account.ServiceKey, Page, error) {
	return listed(ctx, s, c, func(v *store.View, a *actor) ([]account.ServiceKey, Page, error) {
		if err := a.root(); err != nil {
			return nil, Page{}, err
		}
		return paged(s, "service-keys", in, func(k account.ServiceKey) string { return string(k.ID) },
			func(p store.Page) ([]account.ServiceKey, error) { return serviceKeysWithin(v, a, p) })
	})
}

// serviceKeysWithin lists the service keys that reach no further than the caller, the newest first.
func serviceKeysWithin(v *store.View, a *actor, p store.Page) ([]account.ServiceKey, error) {
	if a.service.Bounds.None() {
		return v.ServiceKeys(p)
	}
	var out []account.ServiceKey
	for at := (store.Page{Limit: maxLimit, After: p.After}); ; {
		keys, err := v.ServiceKeys(at)
		if err != nil || len(keys) == 0 {
			return out, err
		}
		for _, k := range keys {
			if at.After = string(k.ID); len(k.Bounds.Beyond(&a.service.Bounds)) > 0 {
				continue
			}
			if out = append(out, k); len(out) == p.Limit {
				return out, nil
			}
		}
	}
}

// DeleteServiceKey takes a service key away at once. The key of the environment and the last root stay.
func (s *Service) DeleteServiceKey(ctx context.Context, c Caller, key string) error {
	return s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		if err := a.root(); err != nil {
			return err
		}
		if _, ok := id.Parse(key); !ok {
			return fault.Missing()
		}
		k, err := tx.ServiceKey(id.ServiceKey(key))
		if err != nil {
			return err
		}
		if len(k.Bounds.Beyond(&a.service.Bounds)) > 0 ||
			a.Within != "" && !slices.Equal(k.Bounds.Workspaces, []id.Workspace{id.Workspace(a.Within)}) {
			return fault.Missing()
		}
		if set, err := s.isSet(tx, k); err != nil {
			return err
		} else if set {
			return fault.New(fault.Conflict, "this key is set by KEYWARD_ROOT_KEY",
				fault.Detail{Field: "id", Message: "is the root key of the environment"})
		}
		if err := tx.DeleteServiceKey(k.ID); err != nil {
			return err
		}
		if err := s.endPortalsAtOnce(tx, a, store.PortalFilter{ServiceKey: k.ID}, string(k.ID),
			"the service key that made them was deleted"); err != nil {
			return err
		}
		if k.Has(account.ScopeRoot) {
			if err := oneRootLeft(tx.View); err != nil {
				return err
			}
		}
		return s.record(tx, a, change{kind: audit.ServiceKeyDeleted, target: string(k.ID),
			sentence: fmt.Sprintf("service key %s deleted", quoted(k.Name)), before: serviceKeyFields(k)})
	})
}

// oneRootLeft refuses where no root key is left. It looks at every service key, and is asked of root keys alone.
func oneRootLeft(v *store.View) error {
	roots, err := rootKeys(v)
	if err == nil && len(roots) == 0 {
		err = fault.New(
			fault.Conflict, "the last root key cannot be deleted", fault.Detail{Field: "id", Message: "is the last root key"},
		)
	}
	return err
}

// rootKeys lists the service keys with the scope root that have not expired and are not bound: those with all rights.
func rootKeys(v *store.View) ([]account.ServiceKey, error) {
	var roots []account.ServiceKey
	for after := ""; ; {
		page, err := v.ServiceKeys(store.Page{Limit: maxLimit, After: after})
		if err != nil || len(page) == 0 {
			return roots, err
		}
		for _, k := range page {
			if k.Has(account.ScopeRoot) && k.Bounds.None() && !k.Expired(v.Now()) {
				roots = append(roots, k)
			}
		}
		after = string(page[len(page)-1].ID)
	}
}
