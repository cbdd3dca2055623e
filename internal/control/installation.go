package control

import (
	"context"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/store"
)

// MostWithoutExpiry is where the keys without an end stop being counted.
const MostWithoutExpiry = 1000

// Installation holds the state of the installation as a whole by its database.
type Installation struct {
	Now           time.Time
	Workspaces    int64 // MostCounted at most
	WithoutExpiry int64 // enabled keys that never expire, MostWithoutExpiry at most
	Backup        store.Backup
}

// Installation reads the state of the installation, for service keys that may manage it and are not bound.
func (s *Service) Installation(ctx context.Context, c Caller) (Installation, error) {
	var out Installation
	err := s.view(ctx, c, func(v *store.View, a *actor) (err error) {
		if err := a.installation("a key that is bound does not see the installation as a whole"); err != nil {
			return err
		}
		out.Now = v.Now()
		if out.Workspaces, err = v.WorkspaceCount(MostCounted); err != nil {
			return err
		}
		if out.WithoutExpiry, err = v.KeysWithoutExpiry(MostWithoutExpiry); err != nil {
			return err
		}
		out.Backup, err = v.LastBackup()
		return err
	})
	return out, storageFault(err)
}

// installation refuses every caller but an unbound service key that may manage.
func (a *actor) installation(why string) error {
	if a.service == nil {
		return scopeDenied(account.ScopeManage)
	}
	if err := a.manages(); err != nil {
		return err
	}
	return a.unbound(why)
}
