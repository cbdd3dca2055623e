package control

import (
	"cmp"
	"errors"
	"slices"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/keyfmt"
	"github.com/keyward/keyward/internal/store"
)

// outside refuses to make something where the caller does not reach.
func outside(field string) error {
	return fault.New(
		fault.NotFound, "there is no such thing",
		fault.Detail{Field: field, Message: "lies outside the bounds of the caller"},
	)
}

// unbound refuses a caller that is bound to workspaces or environments: for operations on the whole installation.
func (a *actor) unbound(why string) error {
	if a.reach.All() {
		return nil
	}
	field := "workspaceIds"
	if a.reach.Workspaces == nil {
		field = "environments"
	}
	return fault.New(fault.PermissionDenied, why, fault.Detail{Field: field, Message: "the caller is bound"})
}

// ofOneKind are the permissions of operations on single API keys, and of reads that are the same in both
// environments.
var ofOneKind = []string{
	account.APIKeysRead, account.APIKeysWrite, account.APIKeysDelete, account.MembersRead, account.RolesRead,
	account.WorkspaceRead,
}

// wholly refuses a caller that is bound to an environment if an operation concerns a workspace as a whole, with the
// keys of the other environment in it: members, roles, settings, the log and usage.
func (a *actor) wholly(permission string) error {
	if !a.confined() || slices.Contains(ofOneKind, permission) {
		return nil
	}
	return fault.New(fault.PermissionDenied, "this concerns the keys of both environments",
		fault.Detail{Field: "environments", Message: "the caller is bound to one"})
}

// confined tells whether the caller manages keys of one environment alone. A key whose value such a caller has is
// confined likewise: by it, they would be out of their bounds.
func (a *actor) confined() bool {
	return a.reach.Environments != nil && !(a.reach.Environment(keyfmt.Live) && a.reach.Environment(keyfmt.Test))
}

// confines tells whether a key whose value the caller gets is confined to its environment.
func (a *actor) confines() bool {
	if a.asker != nil && a.asker.confines() {
		return true
	}
	return a.confined() || a.portal != nil && len(a.portal.Ceiling.Environments) == 1
}

// within lists the workspaces that lie within the caller's reach, the newest first.
func within(v *store.View, a *actor, p store.Page) ([]account.Workspace, error) {
	if a.reach.Workspaces == nil {
		return v.Workspaces(p)
	}
	names := slices.Clone(a.reach.Workspaces)
	slices.SortFunc(names, func(one, other id.Workspace) int { return cmp.Compare(other, one) })
	var out []account.Workspace
	for _, name := range slices.Compact(names) {
		if p.After != "" && string(name) >= p.After || len(out) == p.Limit {
			continue
		}
		ws, err := v.Workspace(name)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, ws)
	}
	return out, nil
}

// mayReach refuses bounds that reach further than the caller's, and names each field in which they do.
func (a *actor) mayReach(b *account.Bounds) error {
	var details []fault.Detail
	for _, field := range b.Beyond(&a.service.Bounds) {
		details = append(details, fault.Detail{Field: field, Message: "reach further than the calling key"})
	}
	if details == nil {
		return nil
	}
	return fault.New(
		fault.PermissionEscalation,
		"a service key cannot make one that reaches further than itself",
		details...)
}
