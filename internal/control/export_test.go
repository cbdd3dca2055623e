package control

import (
	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
)

// KeyFields, WorkspaceFields and RoleFields are what events show.
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
