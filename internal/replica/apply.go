package replica

import (
	"maps"
	"slices"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

// applyTransaction applies changes of one revision. What keys hang on comes first and what is gone last, so that a key that is
// handed to another creator, or kept, has been so before the old creator goes: a lookup that sees the creator gone has then either
// seen the key's change or sees now that the key has changed.
func (r *Replica) applyTransaction(changes []feed.Change) {
	last := lastOfEach(changes)
	for _, phase := range [...]func(*Replica, *feed.Change){(*Replica).applyPlace, (*Replica).applyKey, (*Replica).applyGone} {
		for i := range changes {
			if last == nil || last[i] {
				phase(r, &changes[i])
			}
		}
	}
}

// object names what a change is about.
type object struct {
	kind      byte
	name, sub string
}

func about(c *feed.Change) object {
	switch {
	case c.Workspace != nil:
		return object{kind: 'w', name: string(c.Workspace.ID)}
	case c.WorkspaceGone != "":
		return object{kind: 'w', name: string(c.WorkspaceGone)}
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
	case c.ServiceKey != nil:
		return object{kind: 's', name: string(c.ServiceKey.ID)}
	case c.ServiceKeyGone != "":
		return object{kind: 's', name: string(c.ServiceKeyGone)}
	}
	return object{}
}

// lastOfEach marks each object's last change, so that nobody sees a state from the midst of a transaction; nil means all.
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

func (r *Replica) applyPlace(c *feed.Change) {
	switch {
	case c.Workspace != nil:
		r.putWorkspace(c.Revision, c.Workspace)
	case c.Role != nil:
		r.putRole(c.Revision, c.Role)
	case c.Member != nil:
		r.putMember(c.Revision, c.Member)
	}
}

func (r *Replica) applyKey(c *feed.Change) {
	switch {
	case c.Key != nil:
		r.putKey(c.Revision, c.Key)
	case c.ServiceKey != nil:
		r.putService(c.Revision, c.ServiceKey.ID, c.ServiceKey)
	}
}

func (r *Replica) applyGone(c *feed.Change) {
	switch {
	case c.WorkspaceGone != "":
		r.endWorkspace(c.Revision, c.WorkspaceGone)
	case c.RoleGone != "":
		if ro := r.role(c.RoleGone); ro.admit(c.Revision) {
			ro.state.Store(nil)
		}
	case c.MemberGone != nil:
		r.endMember(c.Revision, c.MemberGone)
	case c.KeyGone != "":
		r.endKey(c.Revision, c.KeyGone)
	case c.ServiceKeyGone != "":
		r.putService(c.Revision, c.ServiceKeyGone, nil)
	}
}

func (r *Replica) putWorkspace(revision int64, a *account.Workspace) {
	w := r.workspace(a.ID)
	if w.gone || !w.admit(revision) {
		return
	}
	w.state.Store(&workspaceState{active: a.IsActive, capped: a.Settings.PermissionMode == account.Capped})
}

// endWorkspace needs no newer revision: the id of a workspace is never used twice.
func (r *Replica) endWorkspace(revision int64, name id.Workspace) {
	w := r.workspace(name)
	if w.gone {
		return
	}
	w.version = version{known: true, revision: max(revision, w.revision)}
	w.gone = true
	w.state.Store(&workspaceState{gone: true})
	r.size.Add(-w.size)
	r.leaving = append(r.leaving, w)
	r.marks = append(r.marks, mark{revision: w.revision, workspace: name})
}

func (r *Replica) putRole(revision int64, a *account.Role) {
	w := r.workspace(a.Workspace)
	if w.gone {
		return
	}
	ro := r.role(a.ID)
	if !ro.admit(revision) {
		return
	}
	w.roles[a.ID] = ro
	held := a.Permissions
	ro.state.Store(&held)
}

func (r *Replica) putMember(revision int64, a *account.Member) {
	w := r.workspace(a.Workspace)
	if w.gone {
		return
	}
	if m := w.member(a.User); m.admit(revision) {
		m.state.Store(&memberState{role: r.role(a.Role)})
	}
}

func (r *Replica) putKey(revision int64, a *apikey.Key) {
	w := r.workspace(a.Workspace)
	if w.gone {
		return
	}
	if n := r.key(a.ID); n.admit(revision) {
		r.setKey(n, newKey(a, w, w.member(a.User)))
	}
}

func (r *Replica) endMember(revision int64, name *feed.MemberID) {
	w := r.workspace(name.Workspace)
	if w.gone {
		return
	}
	if m := w.member(name.User); m.admit(revision) {
		m.state.Store(nil)
	}
}

func (r *Replica) endKey(revision int64, name id.Key) {
	if n := r.key(name); n.admit(revision) {
		r.setKey(n, nil)
		r.marks = append(r.marks, mark{revision: revision, key: name})
	}
}

// setKey changes what a key is; nil for gone. The one store of the state is the instant of the change: new digests are named before
// it and old ones forgotten after.
func (r *Replica) setKey(n *keyNode, now *key) {
	before := n.state.Load()
	had, has := before.digests(), now.digests()
	for _, d := range has {
		if !slices.Contains(had, d) {
			r.index.insert(d, n)
		}
	}
	n.state.Store(now)
	for _, d := range had {
		if !slices.Contains(has, d) {
			r.index.remove(d, n)
		}
	}
	var home *workspace
	if now != nil {
		home = now.workspace
	}
	r.move(n, home)
}

// move puts a key into a workspace's list; nil for none.
func (r *Replica) move(n *keyNode, to *workspace) {
	if n.home == to {
		return
	}
	if from := n.home; from != nil {
		from.unlink(n)
		if !from.gone {
			r.size.Add(-1)
		}
	}
	if to != nil {
		to.link(n)
		r.size.Add(1)
	}
}

// link and unlink keep the list of a workspace's keys.
func (w *workspace) link(n *keyNode) {
	n.home, n.prev, n.next = w, nil, w.keys
	if w.keys != nil {
		w.keys.prev = n
	}
	w.keys = n
	w.size++
}

func (w *workspace) unlink(n *keyNode) {
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		w.keys = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	}
	n.home, n.prev, n.next = nil, nil, nil
	w.size--
}

// putService replaces a service key, by nil where it is gone.
func (r *Replica) putService(revision int64, name id.ServiceKey, a *account.ServiceKey) {
	n := r.operators[name]
	if n == nil {
		n = &serviceNode{}
		r.operators[name] = n
	}
	if !n.admit(revision) {
		return
	}
	next := maps.Clone(*r.services.Load())
	if n.key != nil {
		delete(next, n.key.Digest.Sum)
	}
	if n.key = a; a != nil {
		next[a.Digest.Sum] = a
	}
	r.services.Store(&next)
}

// The next four give the node of an object, a new one for an object of which nothing is known yet.

func (r *Replica) workspace(name id.Workspace) *workspace {
	w := r.workspaces[name]
	if w == nil {
		w = &workspace{id: name, members: map[id.User]*member{}, roles: map[id.Role]*role{}}
		r.workspaces[name] = w
	}
	return w
}

func (w *workspace) member(name id.User) *member {
	m := w.members[name]
	if m == nil {
		m = &member{user: name}
		w.members[name] = m
	}
	return m
}

func (r *Replica) role(name id.Role) *role {
	ro := r.roles[name]
	if ro == nil {
		ro = &role{}
		r.roles[name] = ro
	}
	return ro
}

func (r *Replica) key(name id.Key) *keyNode {
	n := r.keys[name]
	if n == nil {
		n = &keyNode{id: name}
		r.keys[name] = n
	}
	return n
}

