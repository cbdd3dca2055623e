package control

import (
	"context"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/store"
)

// Operates refuses every caller but a service key that may manage: for operations on the installation as a whole.
func (s *Service) Operates(ctx context.Context, c Caller) error {
	return s.view(ctx, c, func(_ *store.View, a *actor) error {
		if a.service == nil {
			return scopeDenied(account.ScopeManage)
		}
		return a.manages()
	})
}

// Unavailable turns the store's own errors into faults for the caller.
func (s *Service) Unavailable(err error) error { return readFault(err) }
