package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/store"
)

// Second is the second digest of a value that was presented.
type Second struct {
	Key     id.Key        // "" for a service key
	Service id.ServiceKey // "" for an API key
	Of      keyfmt.Digest // the value's digest
	To      keyfmt.Stored
}

// KeepSeconds keeps the second digests of values that were presented, for followers that are bound to their workspaces.
// A value that meanwhile was rotated away, or is gone, is left alone. The event says that Keyward itself did it.
func (s *Service) KeepSeconds(ctx context.Context, list []Second) error {
	_, err := s.db.Update(ctx, func(tx *store.Tx) error {
		for i := range list {
			keep := s.keepSecond
			if list[i].Service != "" {
				keep = s.keepServiceSecond
			}
			if err := keep(tx, &list[i]); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	return storageFault(err)
}

func (s *Service) keepSecond(tx *store.Tx, d *Second) error {
	k, err := tx.Key(d.Key)
	if err != nil {
		return err
	}
	value := &k.Value
	for i := range k.Previous {
		if k.Previous[i].Digest.Sum == d.Of {
			value = &k.Previous[i]
		}
	}
	if value.Digest.Sum != d.Of || value.Digest.Pepper.IsForeign() || value.Second == d.To {
		return nil
	}
	if err := tx.PutSecond(k.ID, d.Of, d.To); err != nil {
		return err
	}
	return s.record(tx, itself(), change{kind: audit.APIKeyUpdated, workspace: k.Workspace, target: string(k.ID),
		sentence: fmt.Sprintf("API key %s of %s got a digest for followers of the workspace", quoted(k.Name), k.User),
		note:     fields{"secondDigest": true}, free: true})
}

func (s *Service) keepServiceSecond(tx *store.Tx, d *Second) error {
	k, err := tx.ServiceKey(d.Service)
	if err != nil || k.Digest.Sum != d.Of || k.Second == d.To {
		return err
	}
	k.Second = d.To
	if err := tx.PutServiceKey(k); err != nil {
		return err
	}
	return s.record(tx, itself(), change{kind: audit.ServiceKeyUpdated, target: string(k.ID),
		sentence: fmt.Sprintf("service key %s got a digest for followers of its workspaces", quoted(k.Name)),
		note:     fields{"secondDigest": true}})
}
