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

// RemoveMember takes a member out of the workspace. The outcome for their keys is decided in the same transaction,
// and holds from then on; the rows of many keys follow in chunks. The answer comes when they are written, or after
// two seconds, with the same counts. A dry run is a read: it takes no turn of the writer.
func (s *Service) RemoveMember(
	ctx context.Context, c Caller, workspace, user string, in RemoveMember,
) (Removed, error) {
	var out Removed
	if in.DryRun {
		err := s.view(ctx, c, func(v *store.View, a *actor) (err error) {
			out, err = s.previewRemoval(v, a, workspace, user, in)
			return err
		})
		return out, storageFault(err)
	}
	began := s.now()
	c = c.in(workspace)
	r := removal{Service: s, ctx: ctx, caller: c, workspace: workspace, user: user, in: in}
	open, err := r.run(&out)
	if err == nil {
		s.writeOn(ctx, c, open, began)
	}
	return out, err
}

// removal is a removal that counts the keys beforehand, where they are too many to be counted in the turn of the
// writer.
type removal struct {
	*Service
	ctx             context.Context
	caller          Caller
	workspace, user string
	in              RemoveMember

	tally *tally
	tries int
}

// tally is the result of reading a member's keys. It holds as long as these keys, and what settles them, stay as they
// are: changes of other keys of the workspace do not matter.
type tally struct {
	kinds   []store.KeyKind
	bounded bool  // kinds also differ by what a caller's own bounds apply to
	head    int64 // where the log ended
	keys    int64 // of the member
	period  int64 // of the membership
}

// holds tells whether the tally is still right.
func (t *tally) holds(v *store.View, d *departure) (bool, error) {
	if t.keys != d.member.KeyCount || t.period != d.member.Period || t.bounded != d.bounded() {
		return false, nil
	}
	changed, err := v.KeysChangedSince(d.workspace.ID, d.member.User, t.head)
	return err == nil && !changed, err
}

// maxTallies is how often keys are counted beforehand. Where the member's keys change each time, they are counted in
// the turn.
const maxTallies = 5

// run decides the removal, and gives the settlement whose rows are to be written; "" where they are.
func (r *removal) run(out *Removed) (open id.Settlement, err error) {
	for again := true; again; r.tries++ {
		again = false
		update := r.update
		if r.tally != nil || len(r.in.Overrides) > 0 { // rows of many keys are written
			update = r.updateApart
		}
		err = update(r.ctx, r.caller, func(tx *store.Tx, a *actor) error {
			d, err := r.departure(tx.View, a, r.workspace, r.user, r.in)
			if err != nil {
				return err
			}
			counts, ok, err := r.count(tx.View, &d)
			if err != nil {
				return err
			}
			if again = !ok; again {
				return nil // and nothing has been changed
			}
			counts.recount(&d)
			*out = counts
			open, err = r.removeMember(tx, a, &d, out)
			return err
		})
		if err == nil && again {
			err = r.look()
		}
		if err != nil {
			return "", err
		}
	}
	return open, nil
}

// look counts the keys without a turn of the writer.
func (r *removal) look() error {
	return storageFault(r.view(r.ctx, r.caller, func(v *store.View, a *actor) error {
		d, err := r.departure(v, a, r.workspace, r.user, r.in)
		if err != nil {
			return err
		}
		t := &tally{bounded: d.bounded(), keys: d.member.KeyCount, period: d.member.Period}
		if t.head, err = v.LogHead(); err != nil {
			return err
		}
		t.kinds, err = v.KeyKinds(d.workspace.ID, d.member.User, d.bounded())
		r.tally = t
		return err
	}))
}

// count decides the outcome for the keys; ok is false if that has to be read beforehand.
func (r *removal) count(v *store.View, d *departure) (out Removed, ok bool, err error) {
	out.User = d.member.User
	if ok, err = d.countAlike(v, &out); ok || err != nil {
		return out, ok, err
	}
	var kinds []store.KeyKind
	switch {
	case r.tally != nil:
		if ok, err = r.tally.holds(v, d); err != nil {
			return out, false, err
		}
		if ok || r.tries < maxTallies {
			kinds = r.tally.kinds
			break
		}
		fallthrough
	case d.member.KeyCount <= r.pace.atOnce:
		if kinds, err = v.KeyKinds(d.workspace.ID, d.member.User, d.bounded()); err != nil {
			return out, false, err
		}
		ok = true
	}
	for i := range kinds {
		out.add(d.settle.Outcome(&kinds[i].Key), kinds[i].Count)
	}
	return out, ok, nil
}

// countAlike counts without a look at the keys, and tells whether it could: where all of them are settled alike.
func (d *departure) countAlike(v *store.View, out *Removed) (ok bool, err error) {
	if d.settle.Kind == apikey.Transfer {
		return false, nil
	}
	open, err := v.OpenSettlements(d.workspace.ID, d.member.User)
	if err != nil || len(open) > 0 {
		return false, err
	}
	out.add(d.settle.Outcome(&apikey.Key{User: d.member.User}), int(d.member.KeyCount))
	return true, nil
}

func (r *Removed) add(o apikey.Outcome, n int) {
	switch o {
	case apikey.Stopped:
		r.Stopped += n
	case apikey.Kept:
		r.Kept += n
	case apikey.Transferred:
		r.Transferred += n
	}
}

// departure is a removal that may take place.
type departure struct {
	workspace account.Workspace
	member    account.Member
	role      account.Role
	settle    apikey.Settlement
	reason    string
	overrides []override
}

// bounded tells whether the caller's own bounds apply to the keys that are handed over.
func (d *departure) bounded() bool { return d.settle.Bound != nil }

// departure decides whether the caller may remove the member, and how their keys are settled. A preview and a removal
// decide alike.
func (s *Service) departure(v *store.View, a *actor, workspace, user string, in RemoveMember) (d departure, err error) {
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
	if d.settle, err = s.settlement(v, a, d.workspace, d.member, in.Keys); err != nil {
		return d, err
	}
	if d.overrides, err = s.overrides(v, a, d.workspace, d.member, in.Overrides); err != nil {
		return d, err
	}
	if d.reason, err = removalReason(in.Reason); err != nil || d.role.System != account.Owner {
		return d, err
	}
	owners, err := v.MembersWithRole(d.workspace.ID, d.role.ID, 2)
	if err == nil && len(owners) < 2 {
		err = lastOwner()
	}
	return d, err
}

// previewRemoval counts the effect of a removal, and names the newest keys.
func (s *Service) previewRemoval(v *store.View, a *actor, workspace, user string, in RemoveMember) (Removed, error) {
	out := Removed{User: id.User(user)}
	d, err := s.departure(v, a, workspace, user, in)
	if err != nil {
		return out, err
	}
	keys, err := v.Keys(
		store.KeyFilter{Workspace: d.workspace.ID, User: d.member.User, Page: store.Page{Limit: MaxSettled}},
	)
	if err != nil {
		return out, err
	}
	for i := range keys {
		k := &keys[i]
		s.lately(k)
		out.Keys = append(
			out.Keys,
			SettledKey{ID: k.ID, Name: k.Name, Masked: k.Value.Masked, Working: k.IsActive && !k.Expired(v.Now()),
				Used: k.LastUsedAt, Outcome: string(d.outcome(k))},
		)
	}
	if counted, err := d.countAlike(v, &out); counted || err != nil {
		out.recount(&d)
		return out, err
	}
	kinds, err := v.KeyKinds(d.workspace.ID, d.member.User, d.bounded())
	for i := range kinds {
		out.add(d.settle.Outcome(&kinds[i].Key), kinds[i].Count)
	}
	out.recount(&d)
	return out, err
}

func (s *Service) removeMember(tx *store.Tx, a *actor, d *departure, out *Removed) (open id.Settlement, err error) {
	ws, m := d.workspace, d.member
	undo, err := s.restorable(tx, a, d)
	if err != nil {
		return "", err
	}
	if open, err = s.settle(tx, a, &d.settle, m.KeyCount, undo, d.overrides...); err != nil {
		return "", err
	}
	if undo != nil {
		out.Removal, out.Until = undo.ID, undo.Until
	}
	if err := s.endMembership(tx, a, ws.ID, m.User); err != nil {
		return "", err
	}
	if err := tx.RemoveMember(ws.ID, m.User); err != nil {
		return "", err
	}
	if d.role.System == account.Owner {
		if err := s.passOwnership(tx, ws, d.role.ID, m.User); err != nil {
			return "", err
		}
	}
	note := s.settlementFields(&d.settle)
	note["keys"] = fields{"stopped": out.Stopped, "kept": out.Kept, "transferred": out.Transferred}
	note["reason"], note["removalId"] = d.reason, orNull(string(out.Removal))
	if len(d.overrides) > 0 {
		note["overridden"] = d.overridden()
	}
	return open, s.record(tx, a, change{kind: audit.MemberRemoved, workspace: ws.ID, target: string(m.User),
		sentence: fmt.Sprintf("%s removed", m.User), before: memberFields(m, d.role.Name), note: note})
}

// settlement decides the outcome for the keys of a leaving member. The heir, and the permissions that may go over,
// follow from the current permissions of the caller and of the heir.
func (s *Service) settlement(
	v *store.View, a *actor, ws account.Workspace, m account.Member, keys string,
) (out apikey.Settlement, err error) {
	out = apikey.Settlement{
		Workspace: ws.ID, User: m.User, Kind: apikey.Stop, By: a.id(), At: v.Now().Truncate(time.Millisecond),
	}
	to, transfer := strings.CutPrefix(keys, "transfer:")
	switch {
	case keys == "" || keys == "stop":
		return out, nil
	case keys == "keep":
		out.Kind = apikey.Keep
		return out, nil
	case !transfer:
		return out, fault.Invalid("keys", "must be stop, keep or transfer:<userId>")
	}
	out.Kind = apikey.Transfer
	if out.Heir, err = userInput("keys", to); err != nil {
		return out, err
	}
	if out.Heir == m.User {
		return out, fault.Invalid("keys", "cannot be transferred to the member who leaves")
	}
	if err := s.needFor(a, out.Heir, account.APIKeysWrite); err != nil {
		return out, err
	}
	heir, err := v.Member(ws.ID, out.Heir)
	if err != nil {
		return out, err
	}
	role, err := v.Role(ws.ID, heir.Role)
	out.Ceiling, out.Bound = role.Permissions.And(a.holds), a.bound
	return out, err
}
