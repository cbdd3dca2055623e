package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// A removal can be undone for a while: the member comes back with the role and the keys of before. It is a grant like
// any other, so the caller needs what inviting the member and enabling each key need. It is undone as a whole or not
// at all: a key that was changed since, or a role that is another one, refuses it.

const (
	// RestorableFor is for how long a removal can be undone.
	RestorableFor = 10 * time.Minute
	// MaxRestorable is how many keys a removal may settle that can be undone: they come back in one transaction.
	MaxRestorable = 1000

	maxReasons = 50 // that a refusal names
)

// The reasons for a removal.
const (
	ReasonLeft   = "left"   // the member has left, or was removed by mistake; the default
	ReasonLeaked = "leaked" // values of the member may be in other hands: the removal is final
)

// removalReason checks the reason of a removal; "" is the default.
func removalReason(given string) (string, error) {
	switch reason := cmp.Or(given, ReasonLeft); reason {
	case ReasonLeft, ReasonLeaked:
		return reason, nil
	}
	return "", fault.Invalid("reason", "must be left or leaked")
}

// remover names the caller of a removal so that no user can have the name of a service key.
func (a *actor) remover() string {
	if a.service != nil {
		return "service key " + a.id()
	}
	return "user " + a.id()
}

// restorable is the removal as it is kept, or nil where it cannot be undone: after a leak, with very many keys, or
// while an earlier removal of the same member is not written yet.
func (s *Service) restorable(tx *store.Tx, a *actor, d *departure) (*store.Removal, error) {
	if d.reason == ReasonLeaked || d.member.KeyCount > MaxRestorable {
		return nil, nil
	}
	open, err := tx.OpenSettlements(d.workspace.ID, d.member.User)
	if err != nil || len(open) > 0 {
		return nil, err
	}
	at := tx.Now().Truncate(time.Millisecond)
	return &store.Removal{Workspace: d.workspace.ID, User: d.member.User, Role: d.role.ID, Permissions: d.role.Permissions,
		Mode: d.workspace.Settings.PermissionMode, By: a.remover(), At: at, Until: at.Add(RestorableFor)}, nil
}

// errUnwritten says that rows of the removal's keys are not written yet.
var errUnwritten = errors.New("the removal is not written yet")

// RestoreMember undoes a removal: the member is back, with the role of then, and every key is as it was.
func (s *Service) RestoreMember(ctx context.Context, c Caller, workspace, user, removal string) (Restored, error) {
	began := s.now()
	c = c.in(workspace)
	var out Restored
	restore := func() error { // apart, because the rows of up to MaxRestorable keys are written
		return s.updateApart(ctx, c, func(tx *store.Tx, a *actor) (err error) {
			r := restoration{Service: s, tx: tx, a: a}
			out, err = r.run(workspace, user, removal)
			return err
		})
	}
	err := restore()
	if errors.Is(err, errUnwritten) {
		s.writeOn(ctx, c, id.Settlement(removal), began)
		err = restore()
	}
	if errors.Is(err, errUnwritten) {
		return Restored{}, fault.New(fault.Conflict, "the removal is still being written: try again in a few seconds",
			fault.Detail{Field: "removalId", Message: "is not finished yet"})
	}
	return out, err
}

// restoration is a removal that is about to be undone.
type restoration struct {
	*Service
	tx      *store.Tx
	a       *actor
	removal store.Removal
	member  account.Member
	role    account.Role
	keys    []store.RemovedKey

	denied  *fault.Error   // the first refusal for want of a right
	details []fault.Detail // the reasons
}

// refuse notes a reason.
func (r *restoration) refuse(field, why string, args ...any) {
	if len(r.details) < maxReasons {
		r.details = append(r.details, fault.Detail{Field: field, Message: fmt.Sprintf(why, args...)})
	}
}

func (r *restoration) run(workspace, user, removal string) (out Restored, err error) {
	ws, err := r.authorizeWorkspace(r.tx.View, r.a, workspace, account.MembersInvite)
	if err != nil {
		return out, err
	}
	if _, ok := id.Parse(removal); !ok {
		return out, fault.Invalid("removalId", "must be the id that the removal's answer gave")
	}
	if r.removal, err = r.tx.Removal(ws.ID, id.User(user), id.Settlement(removal)); err != nil {
		return out, err
	}
	if !r.a.owner && r.a.remover() != r.removal.By {
		return out, fault.New(fault.PermissionDenied, "a removal is undone by its author, or by an owner",
			fault.Detail{Field: "removalId", Message: "is another caller's"})
	}
	if err := r.inTime(ws); err != nil {
		return out, err
	}
	if err := r.findRole(); err != nil {
		return out, err
	}
	if err := r.findKeys(); err != nil {
		return out, err
	}
	if err := r.refusal(); err != nil {
		return out, err
	}
	return r.write()
}

// inTime refuses a removal that is final by now.
func (r *restoration) inTime(ws account.Workspace) error {
	switch {
	case r.removal.State == store.RemovalRestored:
		r.refuse("removalId", "has been undone already")
	case r.removal.State == store.RemovalReturned:
		r.refuse("userId", "has become a member again since")
	case r.removal.State == store.RemovalNarrowed:
		r.refuse("keys", "the new owner of the keys lost permissions while they were handed over")
	case !r.tx.Now().Before(r.removal.Until):
		r.refuse("removalId", "could be undone until %s", stamp(r.removal.Until))
	case r.removal.Mode == account.Capped && ws.Settings.PermissionMode != account.Capped:
		r.refuse("permissionMode", "was capped when the member was removed, and is %s now", ws.Settings.PermissionMode)
	default:
		return nil
	}
	return r.refusal()
}

// findRole finds the role of then. It must be as it was, and the caller must be able to give it.
func (r *restoration) findRole() error {
	var err error
	r.role, err = r.tx.Role(r.removal.Workspace, r.removal.Role)
	switch {
	case errors.Is(err, store.ErrNotFound):
		r.refuse("roleId", "the role was deleted since")
		return nil
	case err != nil:
		return err
	case r.role.Permissions != r.removal.Permissions:
		r.refuse("roleId", "the role %s was changed since", quoted(r.role.Name))
	}
	_, err = r.givableRole(r.tx.View, r.a, r.removal.Workspace, r.role.ID)
	return err
}

// findKeys finds the keys, and holds each against the rules of enabling one.
func (r *restoration) findKeys() (err error) {
	if _, err := r.tx.Unsettled(r.removal.ID); !errors.Is(err, store.ErrNotFound) {
		return cmp.Or(err, errUnwritten)
	}
	if r.keys, err = r.tx.RemovedKeys(r.removal.ID); err != nil {
		return err
	}
	for i := range r.keys {
		if err := r.check(&r.keys[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *restoration) check(k *store.RemovedKey) error {
	switch {
	case k.Since == store.KeyDeleted:
		r.refuse("keys", "the key %s was deleted since", k.ID)
		return nil
	case k.Since == store.KeyChanged:
		r.refuse("keys", "the key %s (%s) was changed since", quoted(k.Key.Name), k.ID)
		return nil
	case k.Key.Unsettled:
		return errUnwritten
	}
	now := r.before(k)
	err := r.mayReturn(&k.Key, &now)
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	switch f.Code {
	case fault.PermissionDenied, fault.PermissionEscalation:
		r.denied = cmp.Or(r.denied, f)
	}
	r.refuse("keys", "the key %s (%s): %s", quoted(k.Key.Name), k.ID, f.Message)
	for _, d := range f.Details {
		r.refuse(d.Field, "%s", d.Message)
	}
	return nil
}

// mayReturn holds a key against the rules of enabling one, and of giving one to another member.
func (r *restoration) mayReturn(was, now *apikey.Key) error {
	if len(widened(was, now)) == 0 {
		return nil
	}
	if err := r.needFor(r.a, now.User, account.APIKeysWrite); err != nil {
		return err
	}
	if err := r.mayWiden(r.a, was, now); err != nil {
		return err
	}
	if !now.IsActive {
		return nil
	}
	off := *now // a key that goes back is held to the workspace's rules as one that is enabled
	off.IsActive = false
	return mayLive(r.tx.View, &off, now)
}

// before is the key as it was before the removal.
func (r *restoration) before(k *store.RemovedKey) apikey.Key {
	out := k.Key
	out.User, out.Orphan, out.IsActive, out.Disabled = r.removal.User, false, k.IsActive, k.Disabled
	if out.IsActive {
		out.Disabled = apikey.Mark{}
	}
	return out
}

// refusal is the answer with the reasons, nil where there is none.
func (r *restoration) refusal() error {
	switch {
	case r.details == nil:
		return nil
	case r.denied != nil:
		return fault.New(r.denied.Code, "the removal cannot be undone by this caller: "+r.denied.Message, r.details...)
	}
	return fault.New(fault.Conflict, fmt.Sprintf("the removal of %s cannot be undone", r.removal.User), r.details...)
}

// write brings the member and the keys back.
func (r *restoration) write() (out Restored, err error) {
	ws, user := r.removal.Workspace, r.removal.User
	if r.member, err = r.tx.LeftMember(ws, user); err != nil {
		return out, err
	}
	if err := r.tx.EndRemoval(r.removal.ID, store.RemovalRestored); err != nil {
		return out, err
	}
	r.member.Role, r.member.UpdatedAt = r.role.ID, r.tx.Now()
	if err := r.tx.PutMember(r.member); err != nil {
		return out, err
	}
	counts, changed := r.count()
	note := fields{
		"removalId": string(r.removal.ID),
		"keys": fields{"enabled": counts.Enabled, "returned": counts.Returned,
			"unchanged": counts.Unchanged},
	}
	if err := r.record(r.tx, r.a, change{kind: audit.MemberRestored, workspace: ws, target: string(user),
		sentence: fmt.Sprintf("removal of %s undone", user), after: memberFields(r.member,
			r.role.Name), note: note}); err != nil {
		return out, err
	}
	for _, k := range changed {
		if err := r.writeKey(k); err != nil {
			return out, err
		}
	}
	out = counts
	if r.member, err = r.tx.Member(ws, user); err == nil {
		out.Member, err = r.withRole(r.tx.View, r.member)
	}
	return out, err
}

// count counts the keys by their outcome, and gives those that change.
func (r *restoration) count() (out Restored, changed []*store.RemovedKey) {
	for i := range r.keys {
		k := &r.keys[i]
		now := r.before(k)
		switch {
		case now.User != k.Key.User || now.Orphan != k.Key.Orphan:
			out.Returned++
		case now.IsActive && !k.Key.IsActive:
			out.Enabled++
		default:
			out.Unchanged++
			if now.Disabled == k.Key.Disabled {
				continue
			}
		}
		changed = append(changed, k)
	}
	return out, changed
}

func (r *restoration) writeKey(k *store.RemovedKey) error {
	was, now := k.Key, r.before(k)
	now.UpdatedAt = r.tx.Now()
	if err := r.tx.WriteSettled(now); err != nil {
		return err
	}
	if err := r.tx.MoveKeys(now.Workspace, was.User, now.User, 1); err != nil {
		return err
	}
	return r.record(r.tx, r.a, change{kind: audit.APIKeyUpdated, workspace: now.Workspace, target: string(now.ID),
		sentence: fmt.Sprintf("API key %s: the removal of %s was undone", quoted(now.Name), now.User),
		before:   settledFields(&was), after: settledFields(&now), note: fields{"reason": string(audit.MemberRestored)}})
}

// Restorable lists the removals in a workspace that the caller may undo, the latest first, each with the user's name.
// It is empty for a caller that may not let anybody in.
func (s *Service) Restorable(ctx context.Context, c Caller, workspace string) ([]RestorableMember, error) {
	var out []RestorableMember
	err := s.view(ctx, c, func(v *store.View, a *actor) error {
		ws, err := s.resolveWorkspace(v, a, workspace)
		if err != nil || s.need(a, account.MembersInvite) != nil || a.wholly(account.MembersInvite) != nil {
			return err
		}
		open, err := v.OpenRemovals(ws.ID)
		if err != nil {
			return err
		}
		for _, r := range open {
			if !a.owner && a.remover() != r.By {
				continue
			}
			m, err := v.LeftMember(ws.ID, r.User)
			if err != nil {
				return err
			}
			out = append(
				out, RestorableMember{Removal: r.ID, User: r.User, DisplayName: m.DisplayName, At: r.At, Until: r.Until},
			)
		}
		return nil
	})
	return out, storageFault(err)
}
