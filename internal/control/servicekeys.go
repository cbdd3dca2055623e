package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// CreateServiceKey makes an operator's credential; its value is in this answer alone.
func (s *Service) CreateServiceKey(ctx context.Context, c Caller, in CreateServiceKey) (RevealedServiceKey, error) {
	var out RevealedServiceKey
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		if err := a.root(); err != nil {
			return err
		}
		name, err := nameInput("name", in.Name, maxKeyName)
		if err != nil {
			return err
		}
		scopes, err := scopesInput(in.Scopes)
		if err != nil {
			return err
		}
		expires, err := expiryInput("expiresAt", in.ExpiresAt, tx.Now())
		if err != nil {
			return err
		}
		if !a.service.ExpiresAt.IsZero() && (expires.IsZero() || expires.After(a.service.ExpiresAt)) {
			return fault.New(fault.PermissionEscalation, "a service key cannot make one that outlives it",
				fault.Detail{Field: "expiresAt", Message: "lies beyond the calling key's expiry"})
		}
		secret, err := s.format.Mint(s.rand, keyfmt.Service)
		if err != nil {
			return fmt.Errorf("mint: %w", err)
		}
		k := s.serviceKey(tx, secret, name, scopes)
		k.ExpiresAt = expires
		out = RevealedServiceKey{ServiceKey: k, Secret: secret}
		return s.putServiceKey(tx, a, k)
	})
	return out, err
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

func (s *Service) serviceKey(tx *store.Tx, secret keyfmt.Secret, name string, scopes []account.Scope) account.ServiceKey {
	return account.ServiceKey{ID: id.ServiceKey(s.ids.Next()), Name: name, Scopes: scopes, CreatedAt: tx.Now(),
		Masked: s.format.Mask(secret), Digest: s.digester.Store(secret)}
}

func (s *Service) putServiceKey(tx *store.Tx, a *actor, k account.ServiceKey) error {
	if err := tx.PutServiceKey(k); err != nil {
		return err
	}
	return s.record(tx, a, change{kind: audit.ServiceKeyCreated, target: string(k.ID),
		sentence: fmt.Sprintf("service key %q created", k.Name), after: serviceKeyFields(k)})
}

func serviceKeyFields(k account.ServiceKey) fields {
	return fields{"name": k.Name, "scopes": k.Scopes, "expiresAt": stamp(k.ExpiresAt), "key": k.Masked,
		"fromEnvironment": k.FromEnv}
}

// ListServiceKeys gives a page of service keys, newest first.
func (s *Service) ListServiceKeys(ctx context.Context, c Caller, in Paging) ([]account.ServiceKey, Page, error) {
	var out []account.ServiceKey
	var page Page
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		if err := a.root(); err != nil {
			return err
		}
		var err error
		out, page, err = paged(s, "service-keys", in, func(k account.ServiceKey) string { return string(k.ID) }, v.ServiceKeys)
		return err
	})
	return out, page, storageFault(err)
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
		if k.FromEnv {
			return fault.New(fault.Conflict, "this key is set by KEYWARD_ROOT_KEY", fault.Detail{Field: "id", Message: "is the root key of the environment"})
		}
		if err := tx.DeleteServiceKey(k.ID); err != nil {
			return err
		}
		roots, err := rootKeys(tx.View)
		if err != nil {
			return err
		}
		if k.Has(account.ScopeRoot) && len(roots) == 0 {
			return fault.New(fault.Conflict, "the last root key cannot be deleted", fault.Detail{Field: "id", Message: "is the last root key"})
		}
		return s.record(tx, a, change{kind: audit.ServiceKeyDeleted, target: string(k.ID),
			sentence: fmt.Sprintf("service key %q deleted", k.Name), before: serviceKeyFields(k)})
	})
}

// rootKeys lists the service keys with the scope root that have not expired.
func rootKeys(v *store.View) ([]account.ServiceKey, error) {
	var roots []account.ServiceKey
	for after := ""; ; {
		page, err := v.ServiceKeys(store.Page{Limit: maxLimit, After: after})
		if err != nil || len(page) == 0 {
			return roots, err
		}
		for _, k := range page {
			if k.Has(account.ScopeRoot) && !k.Expired(v.Now()) {
				roots = append(roots, k)
			}
		}
		after = string(page[len(page)-1].ID)
	}
}

// EnsureRoot sees to it that there is a root key: the one of the environment where it is given, which then replaces an earlier
// one of the environment; else one is minted where none exists, and answered for the one time it is shown.
func (s *Service) EnsureRoot(ctx context.Context, given keyfmt.Secret) (minted keyfmt.Secret, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		minted, err = s.ensureRoot(tx, given)
		return err
	})
	return minted, err
}

// SetUp is EnsureRoot that, in a new installation, also makes a one-time link by which an operator signs in as the root; link is the
// code of it, for the one time it is shown. There is no line in the log for it but that of the key, which is made with it.
func (s *Service) SetUp(ctx context.Context, given keyfmt.Secret) (minted, link keyfmt.Secret, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		minted, link = keyfmt.Secret{}, keyfmt.Secret{}
		before, err := tx.ServiceKeys(store.Page{Limit: 1})
		if err != nil {
			return err
		}
		if minted, err = s.ensureRoot(tx, given); err != nil || len(before) > 0 {
			return err
		}
		roots, err := rootKeys(tx.View)
		if err != nil {
			return err
		}
		link, err = s.putLink(tx, session.Link{ServiceKey: roots[0].ID})
		return err
	})
	return minted, link, err
}

func (s *Service) ensureRoot(tx *store.Tx, given keyfmt.Secret) (minted keyfmt.Secret, err error) {
	roots, err := rootKeys(tx.View)
	if err != nil {
		return minted, err
	}
	self := itself()
	all := []account.Scope{account.ScopeVerify, account.ScopeManage, account.ScopeRoot} // the others lie within these
	if !given.IsZero() {
		k := s.serviceKey(tx, given, "root (environment)", all)
		k.FromEnv = true
		return minted, s.replaceEnvRoot(tx, self, roots, k)
	}
	if len(roots) > 0 {
		return minted, nil
	}
	if minted, err = s.format.Mint(s.rand, keyfmt.Service); err != nil {
		return minted, err
	}
	return minted, s.putServiceKey(tx, self, s.serviceKey(tx, minted, "root", all))
}

func (s *Service) replaceEnvRoot(tx *store.Tx, self *actor, roots []account.ServiceKey, k account.ServiceKey) error {
	for _, r := range roots {
		if r.Digest == k.Digest {
			return nil
		}
	}
	for _, r := range roots {
		if !r.FromEnv {
			continue
		}
		if err := tx.DeleteServiceKey(r.ID); err != nil {
			return err
		}
		if err := s.record(tx, self, change{kind: audit.ServiceKeyDeleted, target: string(r.ID),
			sentence: fmt.Sprintf("service key %q replaced by another KEYWARD_ROOT_KEY", r.Name), before: serviceKeyFields(r)}); err != nil {
			return err
		}
	}
	return s.putServiceKey(tx, self, k)
}
