package control

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/session"
	"github.com/keyward/keyward/internal/store"
)

// EnsureRoot sees to it that there is a root key: the one of the environment where it is given. One that the
// environment set before ends. Where none is left, one is minted, and answered for the one time it is shown.
func (s *Service) EnsureRoot(ctx context.Context, given keyfmt.Secret) (minted keyfmt.Secret, err error) {
	_, err = s.db.Update(ctx, func(tx *store.Tx) error {
		out, err := s.ensureRoot(tx, given, 0)
		minted = out.Minted
		return err
	})
	return minted, err
}

// Roots holds the changes of root keys. Each value is shown once.
type Roots struct {
	Minted keyfmt.Secret // zero where a root key was there
	Link   keyfmt.Secret // the code of a one-time link by which an operator signs in as the root, in a new installation
	Kept   int           // root keys of another KEYWARD_ROOT_KEY that stay, since another node may set them
	Ended  []string      // ids of root keys that no KEYWARD_ROOT_KEY sets any more
}

// SetUp is EnsureRoot for the start of a node, which has told the others its root key; steady is that of
// store.DeclaredRoots. The link has no event of its own beside that of the key, which is made with it.
func (s *Service) SetUp(ctx context.Context, given keyfmt.Secret, steady time.Duration) (out Roots, err error) {
	_, err = s.db.Update(ctx, func(tx *store.Tx) error {
		before, err := tx.ServiceKeys(store.Page{Limit: 1})
		if err != nil {
			return err
		}
		if out, err = s.ensureRoot(tx, given, steady); err != nil || len(before) > 0 {
			return err
		}
		roots, err := rootKeys(tx.View)
		if err != nil {
			return err
		}
		out.Link, err = s.putLink(tx, session.Link{ServiceKey: roots[0].ID})
		return err
	})
	return out, err
}

// EndRoots ends the root keys of an environment that no node sets any more, while this one runs. Of several nodes that
// see it at once, the first one does it. Where there is nothing to end, nothing is written.
func (s *Service) EndRoots(ctx context.Context, steady time.Duration) (out Roots, err error) {
	due := false
	err = s.db.View(ctx, func(v *store.View) error {
		ending, _, err := s.unset(v, steady)
		due = len(ending) > 0
		return err
	})
	if err != nil || !due {
		return out, err
	}
	_, err = s.db.Update(ctx, func(tx *store.Tx) (err error) {
		out, err = s.endRoots(tx, steady)
		return err
	})
	return out, err
}

// HasDeclaredRoot tells whether the root key that this node's environment sets is there.
func (s *Service) HasDeclaredRoot(ctx context.Context) (there bool, err error) {
	set := s.declared.Load()
	if set == nil || set.IsZero() {
		return true, nil
	}
	err = s.db.View(ctx, func(v *store.View) error {
		roots, err := rootKeys(v)
		there = slices.ContainsFunc(roots, func(r account.ServiceKey) bool { return s.sets(r) })
		return err
	})
	return there, err
}

func (s *Service) ensureRoot(tx *store.Tx, given keyfmt.Secret, steady time.Duration) (out Roots, err error) {
	s.declared.Store(&given)
	if err := s.putEnvRoot(tx, given); err != nil {
		return out, err
	}
	return s.endRoots(tx, steady)
}

// allScopes are the scopes of a root key; every other key lies within these.
func allScopes() []account.Scope {
	return []account.Scope{account.ScopeVerify, account.ScopeManage, account.ScopeRoot}
}

// putEnvRoot makes the root key of the environment where it is not there.
func (s *Service) putEnvRoot(tx *store.Tx, given keyfmt.Secret) error {
	if given.IsZero() {
		return nil
	}
	k := s.serviceKey(tx, given, "root (environment)", allScopes())
	k.FromEnv = true
	roots, err := rootKeys(tx.View)
	if err != nil || slices.ContainsFunc(roots, func(r account.ServiceKey) bool { return r.Digest == k.Digest }) {
		return err
	}
	return s.putServiceKey(tx, itself(), k)
}

// endRoots ends the root keys of the environment that no node sets any more, and mints one where none is left.
func (s *Service) endRoots(tx *store.Tx, steady time.Duration) (out Roots, err error) {
	ending, kept, err := s.unset(tx.View, steady)
	if err != nil {
		return out, err
	}
	out.Kept = kept
	for _, r := range ending {
		if err := tx.DeleteServiceKey(r.ID); err != nil {
			return out, err
		}
		sentence := fmt.Sprintf("service key %s is not set by KEYWARD_ROOT_KEY any more", quoted(r.Name))
		if s.declares(r) {
			sentence = fmt.Sprintf("service key %s is kept under another pepper now", quoted(r.Name))
		}
		err := s.record(
			tx, itself(),
			change{kind: audit.ServiceKeyDeleted, target: string(r.ID), sentence: sentence, before: serviceKeyFields(r)},
		)
		if err != nil {
			return out, err
		}
		out.Ended = append(out.Ended, string(r.ID))
	}
	roots, err := rootKeys(tx.View)
	if err != nil || len(roots) > 0 {
		return out, err
	}
	if out.Minted, err = s.format.Mint(s.rand, keyfmt.Service); err != nil {
		return out, err
	}
	return out, s.putServiceKey(tx, itself(), s.serviceKey(tx, out.Minted, "root", allScopes()))
}

// unset lists the root keys of an environment that no node sets any more, and counts those of another value that stay
// because a node may.
func (s *Service) unset(v *store.View, steady time.Duration) (ending []account.ServiceKey, kept int, err error) {
	roots, err := v.EnvironmentRoots()
	if err != nil || !slices.ContainsFunc(roots, func(r account.ServiceKey) bool { return !s.sets(r) }) {
		return nil, 0, err
	}
	nodes, err := v.DeclaredRoots(steady)
	if err != nil {
		return nil, 0, err
	}
	for _, r := range roots {
		switch {
		case s.sets(r):
		case !nodes.MayHave(r.Digest):
			ending = append(ending, r)
		case !s.declares(r):
			kept++
		}
	}
	return ending, kept, nil
}

// isSet tells whether this node's environment sets a root key, or that of another live node.
func (s *Service) isSet(tx *store.Tx, k account.ServiceKey) (bool, error) {
	if !k.FromEnv || s.sets(k) {
		return k.FromEnv, nil
	}
	nodes, err := tx.DeclaredRoots(0)
	return err == nil && nodes.Has(k.Digest), err
}

// sets reports whether a root key is the one in this node's environment, in the form in which this node would store
// it.
func (s *Service) sets(k account.ServiceKey) bool {
	set := s.declared.Load()
	return set != nil && !set.IsZero() && s.digester.Store(*set) == k.Digest
}

// declares is sets, and also accepts a form stored under an earlier pepper.
func (s *Service) declares(k account.ServiceKey) bool {
	set := s.declared.Load()
	return set != nil && !set.IsZero() && s.digester.Made(k.Digest, set.Reveal())
}
