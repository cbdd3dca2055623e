package replica

import (
	"sync/atomic"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
)

// workspace is shared by all that is in it.
type workspace struct {
	id    id.Workspace
	state atomic.Pointer[workspaceState] // nil: not known yet

	// The writers'.
	version
	gone    bool
	members map[id.User]*member
	roles   map[id.Role]*role
	keys    *keyNode // the first of a list
	size    int64    // of that list
}

type workspaceState struct {
	gone   bool
	active bool
	capped bool
}

func (w *workspaceState) exists() bool { return w != nil && !w.gone }

func (w *workspaceState) fill(v *View) {
	v.WorkspaceActive = w.exists() && w.active
	v.Capped = w.exists() && w.capped
}

// role is shared by the members that have it.
type role struct {
	state atomic.Pointer[perm.Set] // nil: not known, or gone

	// The writers'.
	version
}

// member is shared by the keys that the user made in the workspace.
type member struct {
	user  id.User
	state atomic.Pointer[memberState] // nil: no member

	// The writers'.
	version
}

type memberState struct{ role *role }

func (m *memberState) fill(v *View) {
	v.CreatorPresent, v.CreatorHolds = m != nil, perm.Set{}
	if m == nil {
		return
	}
	if held := m.role.state.Load(); held != nil {
		v.CreatorHolds = *held
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

func (r *Replica) endRole(revision int64, name id.Role) {
	if ro := r.role(name); ro.admit(revision) {
		ro.state.Store(nil)
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

// workspace, role and member give the node of an object, a new one for an object of which nothing is known yet.

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
