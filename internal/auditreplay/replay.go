package auditreplay

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/text"
)

// ErrNewer says that an event is of a newer program, and that nothing was repeated: the event might have taken
// something away.
var ErrNewer = errors.New("the journal is of a newer program than this: restore with that one")

// Result counts the entries by outcome.
type Result struct {
	Repeated int
	Left     int          // of what is younger than the backup, and what gives nothing and takes nothing
	Owners   []id.User    // who left as the last owner that the restored database has, and stay
	Webhooks []id.Webhook // that were on in the backup, and are off
}

// replay repeats events on a restored database. Its keys have the values that they had when the backup was made; so a
// key that was rotated afterwards stops for good, because the backup holds an old value of it alone.
type replay struct {
	tx        *store.Tx
	catalogue *perm.Catalogue
	ids       *id.Generator
	stopped   map[id.Key]bool
	paused    map[id.Key]bool       // worked in the backup, and was disabled since
	off       map[id.Workspace]bool // the same of workspaces
	Result
}

// Repeat brings a restored database to the state after the entries, in one transaction, except for the values of
// keys, which no log holds. Afterwards no key may do more than it could after the last entry.
func Repeat(ctx context.Context, db *store.DB, c *perm.Catalogue, entries []Entry) (Result, error) {
	var out Result
	if len(entries) == 0 {
		return out, nil
	}
	_, err := db.Update(ctx, func(tx *store.Tx) error {
		r := &replay{tx: tx, catalogue: c, ids: id.NewGenerator(tx.Now, rand.Reader), stopped: make(map[id.Key]bool),
			paused: make(map[id.Key]bool), off: make(map[id.Workspace]bool)}
		if err := tx.DeleteInvitations(); err != nil { // which of them were followed since stands in no event
			return err
		}
		if err := tx.DeleteRemovals(); err != nil { // a key that was disabled once more since stands in no event
			return err
		}
		if err := tx.ForgetPortals(); err != nil { // one that ended as its time came has no event
			return err
		}
		if err := tx.ForgetKeyRequests(); err != nil { // one that ended as its time came has no event
			return err
		}
		for i := range entries {
			if err := r.repeat(&entries[i]); err != nil {
				return fmt.Errorf("repeat event %s (%s): %w", entries[i].ID, entries[i].EventType, err)
			}
		}
		r.Webhooks = slices.DeleteFunc(r.Webhooks, func(w id.Webhook) bool {
			_, err := tx.Webhook(w)
			return errors.Is(err, store.ErrNotFound) // deleted later
		})
		out = r.Result
		return nil
	})
	return out, err
}

// verbs hold the function that repeats each type of event; nil marks an event that takes nothing away and cannot be
// given back.
var verbs = map[audit.Type]func(r *replay, e *Entry) error{
	audit.WorkspaceCreated: nil, // its keys are younger than the backup, and unknown
	audit.WorkspaceUpdated: (*replay).updateWorkspace,
	audit.WorkspaceDeleted: func(r *replay,
		e *Entry) error {
		return r.tx.DeleteWorkspace(id.Workspace(e.Metadata.Target))
	},
	audit.MemberAdded:    (*replay).putMember,
	audit.MemberUpdated:  (*replay).putMember,
	audit.MemberRemoved:  (*replay).removeMember,
	audit.MemberRestored: (*replay).putMember, // the events of the keys are events of their own
	audit.RoleCreated:    (*replay).putRole,
	audit.RoleUpdated:    (*replay).putRole,
	audit.RoleDeleted: func(r *replay,
		e *Entry) error {
		return r.tx.DeleteRole(e.workspace(), id.Role(e.Metadata.Target))
	},
	audit.APIKeyCreated:     nil, // its value is unknown
	audit.APIKeyUpdated:     (*replay).updateKey,
	audit.APIKeyDeleted:     func(r *replay, e *Entry) error { return r.tx.DeleteKey(id.Key(e.Metadata.Target)) },
	audit.APIKeyRotated:     (*replay).endKey,
	audit.APIKeyRevoked:     (*replay).updateKey,
	audit.ServiceKeyCreated: nil, // its value is unknown
	audit.ServiceKeyUpdated: nil, // a second digest comes again with the next use
	audit.ServiceKeyDeleted: func(r *replay,
		e *Entry) error {
		return r.tx.DeleteServiceKey(id.ServiceKey(e.Metadata.Target))
	},
	audit.SessionStarted:    nil,
	audit.SessionEnded:      func(r *replay, e *Entry) error { return r.tx.DeleteSession(id.Session(e.Metadata.Target)) },
	audit.SignInLinkCreated: nil,
	audit.LogArchived:       nil, // what it took out of the log is in an archive
	audit.PasskeyAdded:      nil, // its public key is in no log
	audit.PasskeyRemoved:    func(r *replay, e *Entry) error { return r.tx.DeletePasskey(id.Passkey(e.Metadata.Target)) },
	audit.PasskeyRefused:    nil,
	audit.MemberInvited:     nil, // invitations do not outlive a restore
	audit.MemberSignInReset: nil, // what ended has events of its own

	audit.APIKeyRequested: nil, // requests do not outlive a restore
	audit.APIKeyDeclined:  nil,

	audit.PortalSessionCreated: nil, // portal sessions do not outlive a restore
	audit.PortalSessionStarted: nil,
	audit.PortalSessionEnded:   nil,

	audit.WebhookCreated:  nil, // its secret is unknown
	audit.WebhookUpdated:  (*replay).updateWebhook,
	audit.WebhookDeleted:  func(r *replay, e *Entry) error { return r.tx.DeleteWebhook(id.Webhook(e.Metadata.Target)) },
	audit.WebhookRotated:  (*replay).stopWebhook, // the backup has its old secret
	audit.WebhookDisabled: (*replay).stopWebhook,
	audit.WebhookTested:   nil,
	audit.WebhookReplayed: nil,

	audit.TimeReset: nil, // it is about the clock of a machine, not about what anybody may do
}

// Knows tells whether events of a type can be repeated, or take nothing away.
func Knows(t audit.Type) bool {
	_, known := verbs[t]
	return known
}

func (r *replay) repeat(e *Entry) error {
	verb, known := verbs[e.EventType]
	switch {
	case !known:
		return fmt.Errorf("%w: events of this type are not known", ErrNewer)
	case verb == nil:
		r.Left++
		return nil
	}
	err := r.tx.Savepoint(func() error {
		if err := verb(r, e); err != nil {
			return err
		}
		return r.record(e)
	})
	switch {
	case errors.Is(err, store.ErrNotFound) || errors.Is(err, errStays): // younger than the backup, or said elsewhere
		r.Left++
		return nil
	case err != nil:
		return err
	}
	r.Repeated++
	return nil
}

// updateKey brings a key to the fields that it had after the event. A key that is disabled in the backup stays
// disabled: enabling is a grant, and a journal gives none. A key that the journal has disabled is enabled again as
// the journal says, unless it was rotated meanwhile.
func (r *replay) updateKey(e *Entry) error {
	was, err := r.tx.WrittenKey(id.Key(e.Metadata.Target)) // what a settlement made of it is an event of its own
	if err != nil {
		return err
	}
	k := was
	if err := keySetters.apply(r, &k, e.Metadata.After); err != nil {
		return err
	}
	_, told := e.Metadata.After["disabledBy"]
	switch {
	case k.IsActive && !was.IsActive && (!r.paused[k.ID] || r.stopped[k.ID] || was.Revoked):
		k.IsActive = false
		k.Disabled = was.Disabled
	case k.IsActive:
		delete(r.paused, k.ID)
	case was.IsActive:
		r.paused[k.ID] = true
		if !told { // what an event does not tell counts as by the greater right
			k.Disabled = apikey.Mark{At: e.CreatedAt, Right: true}
		}
	}
	k.UpdatedAt = r.tx.Now()
	return r.tx.UpdateKey(k)
}

// endKey ends a key of which the backup has an old value alone.
func (r *replay) endKey(e *Entry) error {
	k, err := r.tx.WrittenKey(id.Key(e.Metadata.Target))
	if err != nil {
		return err
	}
	if err := keySetters.apply(r, &k, e.Metadata.After); err != nil {
		return err
	}
	r.stopped[k.ID] = true
	k.Disable(apikey.Mark{At: e.CreatedAt, Right: true})
	k.UpdatedAt = r.tx.Now()
	return r.tx.UpdateKey(k)
}

// updateWorkspace is updateKey for a workspace.
func (r *replay) updateWorkspace(e *Entry) error {
	was, err := r.tx.Workspace(id.Workspace(e.Metadata.Target))
	if err != nil {
		return err
	}
	w := was
	if err := workspaceSetters.apply(r, &w, e.Metadata.After); err != nil {
		return err
	}
	_, told := e.Metadata.After["switchedOffBy"]
	switch {
	case w.IsActive && !was.IsActive && !r.off[w.ID]:
		w.IsActive = false
		w.Off = was.Off
	case w.IsActive:
		delete(r.off, w.ID)
	case was.IsActive:
		r.off[w.ID] = true
		if !told {
			w.Off = account.SwitchedOff{At: e.CreatedAt, Operator: true}
		}
	}
	w.UpdatedAt = r.tx.Now()
	return r.tx.PutWorkspace(w)
}

// putMember adds a member or changes one, and names another owner of the workspace where its owner was made less.
func (r *replay) putMember(e *Entry) error {
	ws, user := e.workspace(), id.User(e.Metadata.Target)
	if _, err := r.tx.Workspace(ws); err != nil {
		return err
	}
	m, err := r.tx.Member(ws, user)
	if errors.Is(err, store.ErrNotFound) && e.EventType != audit.MemberUpdated {
		m, err = account.Member{Workspace: ws, User: user, CreatedAt: r.tx.Now()}, nil
	}
	if err != nil {
		return err
	}
	if err := memberSetters.apply(r, &m, e.Metadata.After); err != nil {
		return err
	}
	m.UpdatedAt = r.tx.Now()
	// and not ErrNotFound, which would leave the member the role of before
	if _, err := r.tx.Role(ws, m.Role); err != nil {
		return fmt.Errorf("the role %s is not known: %v", m.Role, err)
	}
	if err := r.tx.PutMember(m); err != nil {
		return err
	}
	return r.passOwnership(ws, user)
}

// errStays says that a member stays because the workspace would have no owner.
var errStays = errors.New("the last owner stays")

// removeMember takes a member out. The events of their keys are events of their own; a key whose event the journal does
// not reach any more is as the removal decided all the same.
func (r *replay) removeMember(e *Entry) error {
	ws, user := e.workspace(), id.User(e.Metadata.Target)
	m, err := r.tx.Member(ws, user)
	if err != nil {
		return err
	}
	owner, err := r.tx.SystemRole(ws, account.Owner)
	if err != nil {
		return err
	}
	if m.Role == owner.ID && owner.MemberCount <= 1 {
		r.Owners = append(r.Owners, user)
		return errStays
	}
	if err := r.settle(e, ws, user); err != nil {
		return err
	}
	if err := r.tx.RemoveMember(ws, user); err != nil {
		return err
	}
	return r.passOwnership(ws, user)
}

// settle decides about the keys of a member who leaves as the removal did. The rows are written when a server runs.
func (r *replay) settle(e *Entry, ws id.Workspace, user id.User) error {
	n := &e.Metadata.Note
	d := apikey.Settlement{ID: id.Settlement(r.ids.Next()), Workspace: ws, User: user, Kind: n.Settlement, At: e.CreatedAt}
	switch n.Settlement {
	case "":
		return nil
	case apikey.Stop, apikey.Keep:
	case apikey.Transfer:
		if !n.Bounded { // by what the log does not hold: what has not gone over before the journal ends stops
			d.Heir, d.Ceiling = n.Heir, r.catalogue.Known(n.Permissions)
		}
	default:
		return fmt.Errorf("%w: what became of the keys, %q, is not known", ErrNewer, n.Settlement)
	}
	if err := r.tx.Settle(&d, `{"actor":"restore","credential":{"type":"restore"}}`); err != nil {
		return err
	}
	if err := r.exempt(n.Overridden, ws); err != nil {
		return err
	}
	return r.tx.NarrowHeirs(ws)
}

// exempt begins the next period of keys that a removal has settled otherwise than the rest: their own events, which
// come first, say how.
func (r *replay) exempt(keys []id.Key, ws id.Workspace) error {
	for _, name := range keys {
		k, err := r.tx.WrittenKey(name)
		if errors.Is(err, store.ErrNotFound) {
			continue // deleted, or younger than the backup
		}
		if err != nil {
			return err
		}
		if k.Workspace != ws {
			continue
		}
		if err := r.tx.WriteSettled(k); err != nil {
			return err
		}
	}
	return nil
}

// passOwnership makes an owner the named owner of a workspace.
func (r *replay) passOwnership(ws id.Workspace, user id.User) error {
	w, err := r.tx.Workspace(ws)
	if err != nil || w.OwnerID != user {
		return err
	}
	owner, err := r.tx.SystemRole(ws, account.Owner)
	if err != nil {
		return err
	}
	if m, err := r.tx.Member(ws, user); err == nil && m.Role == owner.ID {
		return nil
	}
	rest, err := r.tx.MembersWithRole(ws, owner.ID, 1)
	if err != nil || len(rest) == 0 {
		return err
	}
	w.OwnerID = rest[0].User
	w.UpdatedAt = r.tx.Now()
	return r.tx.PutWorkspace(w)
}

func (r *replay) putRole(e *Entry) error {
	ws, name := e.workspace(), id.Role(e.Metadata.Target)
	role, err := r.tx.Role(ws, name)
	if errors.Is(err, store.ErrNotFound) && e.EventType == audit.RoleCreated {
		role, err = account.Role{ID: name, Workspace: ws, CreatedAt: r.tx.Now()}, nil
	}
	if err != nil {
		return err
	}
	if err := roleSetters.apply(r, &role, e.Metadata.After); err != nil {
		return err
	}
	role.UpdatedAt = r.tx.Now()
	return r.tx.PutRole(role, text.Fold(role.Name))
}

// record writes the event of a repeated one, with the same fields: a later restore has the same to repeat.
func (r *replay) record(e *Entry) error {
	told := e.Metadata.Note
	told.Event = e.ID
	metadata := map[string]any{
		"credential": map[string]string{"type": "restore"}, "target": e.Metadata.Target, "note": told,
	}
	if len(e.Metadata.Before) > 0 {
		metadata["before"] = e.Metadata.Before
	}
	if len(e.Metadata.After) > 0 {
		metadata["after"] = e.Metadata.After
	}
	raw, err := json.Marshal(metadata)
	if err != nil {
		return err
	}
	return r.tx.Record(
		audit.Event{ID: id.Event(r.ids.Next()), Workspace: e.workspace(), Type: e.EventType, Target: e.Metadata.Target,
			Description: "repeated by a restore, from the journal", ActorID: "restore", Metadata: string(raw)},
	)
}
