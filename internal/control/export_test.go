package control

import (
	"context"
	"errors"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/store"
)

// KeyFields, WorkspaceFields and RoleFields are the fields that events show.
func (s *Service) KeyFields(k apikey.Key) map[string]any { return s.keyFields(&k) }

func (s *Service) WorkspaceFields(w account.Workspace) map[string]any { return workspaceFields(w) }

func (s *Service) RoleFields(r account.Role) map[string]any { return s.roleFields(r) }

// Classified lists the fields of a key that are classified, and Widened those of them by which a change widens it.
func Classified() (names []string) {
	for _, f := range keyReach {
		names = append(names, f.name)
	}
	return names
}

// Widened is widened.
func Widened(was, now *apikey.Key) []string { return widened(was, now) }

// WriteChunk writes one chunk of the settlement that is next, and tells whether there was one.
func (s *Service) WriteChunk(ctx context.Context) (bool, error) {
	open, err := s.db.NextUnsettled(ctx, 0)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err == nil {
		_, err = s.writeChunk(context.Background(), open)
	}
	return true, err
}

// Planned tells whether a plan says something of a kind of event, and whether it may refuse one.
func Planned(t audit.Type) (said, refused bool) {
	h, said := planned[t]
	return said, h.refused
}
