package replica

import "github.com/keyward/keyward/internal/feed"

// A node, or a record, stands for one object for as long as anything is known of it, and also for one that is only
// referred to yet, or that is gone. Its version says which.
type version struct {
	known    bool
	revision int64
}

// admits tells whether a change of this revision is news. The initial load may be repeated, so 0 wins over 0.
func (v version) admits(revision int64) bool {
	return !v.known || revision > v.revision || revision == 0 && v.revision == 0
}

// admit is admits that notes the revision.
func (v *version) admit(revision int64) bool {
	if !v.admits(revision) {
		return false
	}
	*v = version{known: true, revision: revision}
	return true
}

// applyTransaction applies changes of one revision. Objects that keys depend on come first and deletions last, so
// that a key that goes to another creator, or is kept, has changed before the old creator goes: a lookup that sees
// the creator gone has then either seen the key's change or sees now that the key has changed.
func (r *Replica) applyTransaction(changes []feed.Change) {
	last := lastOfEach(changes)
	for phase := rooms; phase <= gone; phase++ {
		for i := range changes {
			if last == nil || last[i] {
				r.applyOne(phase, &changes[i])
			}
		}
	}
}

// The phases, in order.
const (
	rooms = iota // workspaces and roles
	people
	decisions // settlements: they stand when the membership ends, and when the first of the keys follows
	credentials
	gone
)

func (r *Replica) applyOne(phase int, c *feed.Change) {
	switch {
	case phase == rooms && c.Workspace != nil:
		r.putWorkspace(c.Revision, c.Workspace)
	case phase == rooms && c.Role != nil:
		r.putRole(c.Revision, c.Role)
	case phase == people && c.Member != nil:
		r.putMember(c.Revision, c.Member)
	case phase == decisions && c.Settlement != nil:
		r.putSettlement(c.Revision, c.Settlement)
	case phase == credentials && c.Key != nil:
		var p packed
		if p.pack(c.Key) {
			r.putKey(c.Revision, &p)
		}
	case phase == credentials && c.ServiceKey != nil:
		r.putService(c.Revision, c.ServiceKey.ID, c.ServiceKey)
	case phase == gone:
		r.applyGone(c)
	}
}

func (r *Replica) applyGone(c *feed.Change) {
	switch {
	case c.WorkspaceGone != "":
		r.endWorkspace(c.Revision, c.WorkspaceGone)
	case c.RoleGone != "":
		r.endRole(c.Revision, c.RoleGone)
	case c.MemberGone != nil:
		r.endMember(c.Revision, c.MemberGone)
	case c.KeyGone != "":
		r.endKey(c.Revision, c.KeyGone)
	case c.ServiceKeyGone != "":
		r.putService(c.Revision, c.ServiceKeyGone, nil)
	}
}

// object names the subject of a change. The end of a workspace is an object of its own: nothing else in the
// transaction undoes it.
type object struct {
	kind      byte
	name, sub string
}

func about(c *feed.Change) object {
	switch {
	case c.Workspace != nil:
		return object{kind: 'w', name: string(c.Workspace.ID)}
	case c.WorkspaceGone != "":
		return object{kind: 'W', name: string(c.WorkspaceGone)}
	case c.Role != nil:
		return object{kind: 'r', name: string(c.Role.ID)}
	case c.RoleGone != "":
		return object{kind: 'r', name: string(c.RoleGone)}
	case c.Member != nil:
		return object{kind: 'm', name: string(c.Member.Workspace), sub: string(c.Member.User)}
	case c.MemberGone != nil:
		return object{kind: 'm', name: string(c.MemberGone.Workspace), sub: string(c.MemberGone.User)}
	case c.Key != nil:
		return object{kind: 'k', name: string(c.Key.ID)}
	case c.KeyGone != "":
		return object{kind: 'k', name: string(c.KeyGone)}
	case c.Settlement != nil:
		return object{kind: 'd', name: string(c.Settlement.ID)}
	case c.SettlementGone != "":
		return object{kind: 'd', name: string(c.SettlementGone)}
	case c.ServiceKey != nil:
		return object{kind: 's', name: string(c.ServiceKey.ID)}
	case c.ServiceKeyGone != "":
		return object{kind: 's', name: string(c.ServiceKeyGone)}
	}
	return object{}
}

// lastOfEach marks each object's last change, so that no reader sees a state from the midst of a transaction; nil
// means all.
func lastOfEach(changes []feed.Change) []bool {
	if len(changes) == 1 || changes[0].Revision == 0 {
		return nil
	}
	at := make(map[object]int, len(changes))
	for i := range changes {
		at[about(&changes[i])] = i
	}
	last := make([]bool, len(changes))
	for _, i := range at {
		last[i] = true
	}
	return last
}
