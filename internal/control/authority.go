package control

import (
	"context"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// Authority returns the caller's permissions in a workspace; "" is the caller's own, and for a service key none. A
// workspace that the caller is not in is not_found.
func (s *Service) Authority(ctx context.Context, c Caller, workspace string) (Authority, error) {
	out := Authority{catalogue: s.cat}
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		out = Authority{catalogue: s.cat, User: a.user, Email: a.email, Holds: a.holds, Owner: a.owner}
		out.Creates = s.mayCreateWorkspace(a) == nil
		if a.service != nil {
			out.Manages, out.Root = a.service.Has(account.ScopeManage), a.service.Has(account.ScopeRoot)
			out.Installation = out.Manages && a.reach.All()
			if workspace == "" || !out.Manages {
				return nil
			}
		}
		var err error
		if out.Workspace, err = s.resolveWorkspace(v, a, workspace); err != nil || a.service != nil {
			return err
		}
		m, err := v.Member(a.workspace, a.user)
		if err != nil {
			return err
		}
		r, err := v.Role(a.workspace, m.Role)
		out.DisplayName, out.Role = m.DisplayName, r.Name
		return err
	})
	return out, storageFault(err)
}

// DraftKey returns the key that CreateKey would make of the same request, or its refusal, and makes nothing. The key
// has no id and no value.
func (s *Service) DraftKey(ctx context.Context, c Caller, in CreateKey) (Key, error) {
	var out Key
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		d, err := s.draft(v, a, in)
		out = Key{Key: d.Key, Creator: d.creator}
		return err
	})
	return out, storageFault(err)
}

// Granting returns the permissions that may flow into a key that the caller makes for a member.
func (s *Service) Granting(ctx context.Context, c Caller, workspace, user string) (Granting, error) {
	var out Granting
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		ws, err := s.authorizeWorkspace(v, a, workspace, account.APIKeysWrite)
		if err != nil {
			return err
		}
		u, err := userInput("userId", user)
		if err != nil {
			return err
		}
		if err := s.needFor(a, u, account.APIKeysWrite); err != nil {
			return err
		}
		m, err := v.Member(ws.ID, u)
		if err != nil {
			return err
		}
		r, err := v.Role(ws.ID, m.Role)
		out = Granting{Creator: r.Permissions, Caller: a.holds}
		return err
	})
	return out, storageFault(err)
}

// KeyStandings counts the keys that the caller sees, by their standing. It costs the same for any number of keys.
func (s *Service) KeyStandings(ctx context.Context, c Caller, workspace string) (Standings, error) {
	var out Standings
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		ws, err := s.resolveWorkspace(v, a, workspace)
		if err != nil {
			return err
		}
		user, err := s.whoseKeys(a, "")
		if err != nil {
			return err
		}
		if out.Total, err = keyTotal(v, a, ws.ID, user); err != nil {
			return err
		}
		if out.Others, err = s.unseenKeys(v, a, ws.ID, user, out.Total); err != nil {
			return err
		}
		off := false
		for _, one := range []struct {
			to     *int64
			filter store.KeyFilter
		}{
			{&out.Disabled, store.KeyFilter{Active: &off}},
			{&out.Expiring, store.KeyFilter{Standing: apikey.Expiring}},
			{&out.Expired, store.KeyFilter{Standing: apikey.Expired}},
			{&out.Unused, store.KeyFilter{Standing: apikey.Unused}},
			{&out.Orphans, store.KeyFilter{Standing: apikey.Orphaned}},
		} {
			one.filter.Workspace, one.filter.User, one.filter.Of = ws.ID, user, a.reach.Environments
			if *one.to, err = v.KeyCount(one.filter, MostCounted); err != nil {
				return err
			}
		}
		return nil
	})
	return out, storageFault(err)
}

// unseenKeys is Standings.Others of a caller that sees the keys of user alone; "" is all users.
func (s *Service) unseenKeys(v *store.View, a *actor, ws id.Workspace, user id.User, own int64) (int64, error) {
	if user == "" {
		return 0, nil
	}
	if s.need(a, account.MembersRead) != nil || a.reach.Environments != nil {
		return -1, nil
	}
	all, err := v.KeyTotal(ws, "")
	return all - own, err
}

// keyTotal is the number of keys that the caller sees. For one that is bound to an environment they are counted, up to
// MostCounted.
func keyTotal(v *store.View, a *actor, ws id.Workspace, user id.User) (int64, error) {
	if a.reach.Environments == nil {
		return v.KeyTotal(ws, user)
	}
	return v.KeyCount(store.KeyFilter{Workspace: ws, User: user, Of: a.reach.Environments}, MostCounted)
}

// RoleHolders lists up to n members with a role, the earliest first.
func (s *Service) RoleHolders(ctx context.Context, c Caller, workspace, role string, n int) ([]account.Member, error) {
	var out []account.Member
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		ws, err := s.authorizeWorkspace(v, a, workspace, account.MembersRead)
		if err != nil {
			return err
		}
		out, err = v.MembersWithRole(ws.ID, id.Role(role), n)
		return err
	})
	return out, storageFault(err)
}
