package control

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// RemoveMember takes a member out of the workspace. Their keys stop in the same transaction, unless they are kept or transferred. A dry run is
// a look: it takes no turn of the writer.
func (s *Service) RemoveMember(ctx context.Context, c Caller, workspace, user string, in RemoveMember) (Removed, error) {
	var out Removed
	if in.DryRun {
		err := s.view(ctx, c, func(v *store.View, a *actor) (err error) {
			out, err = s.previewRemoval(v, a, workspace, user, in)
			return err
		})
		return out, storageFault(err)
	}
	err := s.update(ctx, c, func(tx *store.Tx, a *actor) error {
		d, err := s.departure(tx.View, a, workspace, user, in.Keys)
		if err != nil {
			return err
		}
		out, err = s.removeMember(tx, a, d)
		return err
	})
	return out, err
}

// departure is a removal that may take place.
type departure struct {
	workspace account.Workspace
	member    account.Member
	role      account.Role
	settle    settlement
}

// departure decides whether the caller may remove the member, and how their keys are settled. A preview and a removal decide alike.
func (s *Service) departure(v *store.View, a *actor, workspace, user, keys string) (d departure, err error) {
	if d.workspace, err = s.authorizeWorkspace(v, a, workspace, account.MembersRemove); err != nil {
		return d, err
	}
	if d.member, err = v.Member(d.workspace.ID, id.User(user)); err != nil {
		return d, err
	}
	if d.role, err = v.Role(d.workspace.ID, d.member.Role); err != nil {
		return d, err
	}
	if d.role.System == account.Owner && !a.owner {
		return d, ownersOnly("only an owner can remove an owner")
	}
	if d.settle, err = s.settlement(v, a, d.workspace, d.member, keys); err != nil {
		return d, err
	}
	if d.role.System != account.Owner {
		return d, nil
	}
	owners, err := v.MembersWithRole(d.workspace.ID, d.role.ID, 2)
	if err == nil && len(owners) < 2 {
		err = lastOwner()
	}
	return d, err
}

// previewRemoval counts what a removal would do, and names the newest keys. Keys that differ in nothing that is asked are settled alike, so
// they are counted together, but for a caller whose own bounds are held against each key.
func (s *Service) previewRemoval(v *store.View, a *actor, workspace, user string, in RemoveMember) (Removed, error) {
	out := Removed{User: id.User(user)}
	d, err := s.departure(v, a, workspace, user, in.Keys)
	if err != nil {
		return out, err
	}
	f := store.KeyFilter{Workspace: d.workspace.ID, User: d.member.User, Page: store.Page{Limit: MaxSettled}}
	if a.bound != nil && strings.HasPrefix(in.Keys, "transfer:") {
		f.Limit = 0
	}
	keys, err := v.Keys(f)
	if err != nil {
		return out, err
	}
	for i := range keys[:min(len(keys), MaxSettled)] {
		out.Keys = append(out.Keys, preview(keys[i], d.settle, v.Now()))
	}
	if f.Limit == 0 {
		for i := range keys {
			if err := s.foreseeKey(a, keys[i], d.settle, &out); err != nil {
				return out, err
			}
		}
		return out, nil
	}
	kinds, err := v.KeyKinds(f.Workspace, f.User)
	if err != nil {
		return out, err
	}
	for _, kind := range kinds {
		var one Removed
		k := apikey.Key{Workspace: f.Workspace, User: f.User, Permissions: kind.Permissions, Revoked: kind.Revoked, Orphan: kind.Orphan,
			IsActive: kind.IsActive}
		if err := s.foreseeKey(a, k, d.settle, &one); err != nil {
			return out, err
		}
		out.Stopped += one.Stopped * kind.Count
		out.Kept += one.Kept * kind.Count
		out.Transferred += one.Transferred * kind.Count
	}
	return out, nil
}

func (s *Service) removeMember(tx *store.Tx, a *actor, d departure) (Removed, error) {
	ws, m := d.workspace, d.member
	keys, err := tx.KeysOf(ws.ID, m.User)
	if err != nil {
		return Removed{}, err
	}
	out := Removed{User: m.User}
	for i := range keys {
		if err := s.settleKey(tx, a, &keys[i], d.settle, &out); err != nil {
			return out, err
		}
	}
	if err := s.endMembership(tx, a, ws.ID, m.User); err != nil {
		return out, err
	}
	if err := tx.RemoveMember(ws.ID, m.User); err != nil {
		return out, err
	}
	if d.role.System == account.Owner {
		if err := s.passOwnership(tx, ws, d.role.ID, m.User); err != nil {
			return out, err
		}
	}
	return out, s.record(tx, a, change{kind: audit.MemberRemoved, workspace: ws.ID, target: string(m.User),
		sentence: fmt.Sprintf("%s removed", m.User), before: memberFields(m, d.role.Name),
		note: fields{"keys": fields{"stopped": out.Stopped, "kept": out.Kept, "transferred": out.Transferred}}})
}

// foreseeKey counts what becomes of a key, on a copy of it, and gives the refusal that the removal would meet.
func (s *Service) foreseeKey(a *actor, k apikey.Key, settle settlement, out *Removed) error {
	was := k
	if !settle(&k, out) {
		return nil
	}
	return s.mayWiden(a, &was, &k)
}

// preview says what becomes of a key, on a copy of it.
func preview(k apikey.Key, settle settlement, now time.Time) SettledKey {
	var count Removed
	out := SettledKey{ID: k.ID, Name: k.Name, Masked: k.Value.Masked, Working: k.IsActive && !k.Expired(now), Outcome: "stopped"}
	settle(&k, &count)
	switch {
	case count.Kept > 0:
		out.Outcome = "kept"
	case count.Transferred > 0:
		out.Outcome = "transferred"
	}
	return out
}

// settlement decides what becomes of one key of a member who leaves: it changes the key and answers which count it falls under.
type settlement func(k *apikey.Key, out *Removed) (changed bool)

// stopKey disables a key by the right by which members are removed: it takes the right over others' keys to enable it. It also takes away
// the mark of a key that was kept before: the key of a member who has left, and which nobody kept, stays off.
func stopKey(a *actor, at time.Time) settlement {
	return func(k *apikey.Key, out *Removed) bool {
		kept := k.Orphan
		k.Orphan = false
		out.Stopped++
		return k.Disable(apikey.Mark{By: a.id(), At: at, Right: true}) || kept
	}
}

func keepKey(k *apikey.Key, out *Removed) bool {
	k.Orphan = true
	out.Kept++
	return true
}

func (s *Service) settlement(v *store.View, a *actor, ws account.Workspace, m account.Member, keys string) (settlement, error) {
	to, transfer := strings.CutPrefix(keys, "transfer:")
	switch {
	case keys == "" || keys == "stop":
		return stopKey(a, v.Now()), nil
	case keys == "keep":
		return keepKey, nil
	case !transfer:
		return nil, fault.Invalid("keys", "must be stop, keep or transfer:<userId>")
	}
	heir, err := userInput("keys", to)
	if err != nil {
		return nil, err
	}
	if heir == m.User {
		return nil, fault.Invalid("keys", "cannot be transferred to the member who leaves")
	}
	if err := s.needFor(a, heir, account.APIKeysWrite); err != nil {
		return nil, err
	}
	next, err := v.Member(ws.ID, heir)
	if err != nil {
		return nil, err
	}
	role, err := v.Role(ws.ID, next.Role)
	if err != nil {
		return nil, err
	}
	stop := stopKey(a, v.Now())
	return func(k *apikey.Key, out *Removed) bool {
		given := *k
		given.User = heir
		if k.Revoked || !k.Permissions.Within(role.Permissions) || s.mayWiden(a, k, &given) != nil {
			return stop(k, out)
		}
		k.User, k.Orphan = heir, false
		out.Transferred++
		return true
	}, nil
}

func (s *Service) settleKey(tx *store.Tx, a *actor, k *apikey.Key, settle settlement, out *Removed) error {
	was := *k
	if !settle(k, out) {
		return nil
	}
	return s.changeKey(tx, a, &was, k, change{kind: audit.APIKeyUpdated,
		sentence: fmt.Sprintf("API key %s: its creator %s was removed", quoted(k.Name), was.User),
		before:   s.keyFields(&was), after: s.keyFields(k), note: fields{"reason": "member.removed"}})
}

// welcomeBack takes the mark from keys that were kept when their creator left, now that the creator is a member again: they are
// ordinary keys, and stop when the creator leaves again.
func (s *Service) welcomeBack(tx *store.Tx, a *actor, m account.Member) error {
	keys, err := tx.KeptKeys(m.Workspace, m.User)
	if err != nil {
		return err
	}
	for _, k := range keys {
		was := k
		k.Orphan = false
		if err := s.changeKey(tx, a, &was, &k, change{kind: audit.APIKeyUpdated,
			sentence: fmt.Sprintf("API key %s: its creator %s is a member again", quoted(k.Name), k.User),
			before:   s.keyFields(&was), after: s.keyFields(&k), note: fields{"reason": "member.added"}}); err != nil {
			return err
		}
	}
	return nil
}
