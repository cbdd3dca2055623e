package replica

import (
	"maps"
	"strings"
	"sync/atomic"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/perm"
	"github.com/keyward/keyward/internal/ratelimit"
)

// workspace is shared by all that is in it.
type workspace struct {
	id    id.Workspace
	state atomic.Uint64                  // a workspaceState
	plan  atomic.Pointer[ratelimit.Plan] // where the state is planned: what all keys share

	// The writers'.
	version
	gone    bool
	members map[id.User]*member
	roles   map[id.Role]*role
	size    int64 // keys
	untold  untold
}

// workspaceState is flags, and above them a number that rises with every change, so that no state comes back. 0 is not
// known yet.
type workspaceState uint64

const (
	workspaceKnown workspaceState = 1 << iota
	workspaceGone
	workspaceActive
	workspaceCapped
	workspacePlanned
	workspaceChange
)

func (w workspaceState) exists() bool { return w&(workspaceKnown|workspaceGone) == workspaceKnown }

func (w workspaceState) fill(v *View) {
	v.WorkspaceActive = w.exists() && w&workspaceActive != 0
	v.Capped = w.exists() && w&workspaceCapped != 0
}

// change puts another state in place. For writers.
func (w *workspace) change(flags workspaceState) {
	count := workspaceState(w.state.Load())/workspaceChange + 1
	w.state.Store(uint64(count*workspaceChange | flags | workspaceKnown))
}

// role is shared by the members that have it.
type role struct {
	state atomic.Pointer[roleState] // nil: not known, or gone

	// The writers'.
	version
	id      id.Role
	place   *workspace // nil before the role itself is known
	holders int        // members whose state points here
}

type roleState struct {
	held     perm.Set
	narrowed atomic.Pointer[map[uint32]perm.Set] // of sets, by number, what is also held; copied on write, by readers
}

// maxNarrowed bounds the memory of a role, and with it the cost of one more.
const maxNarrowed = 1024

// narrow is the part of a set that the role holds, too. It allocates where the set is met for the first time.
func (s *roleState) narrow(number uint32, set perm.Set) perm.Set {
	var before map[uint32]perm.Set
	seen := s.narrowed.Load()
	if seen != nil {
		before = *seen
	}
	if part, ok := before[number]; ok {
		return part
	}
	part := set.And(s.held)
	if len(before) < maxNarrowed {
		after := make(map[uint32]perm.Set, len(before)+1)
		maps.Copy(after, before)
		after[number] = part
		s.narrowed.CompareAndSwap(seen, &after)
	}
	return part
}

// member is shared by the keys that the user made in the workspace in one period of membership.
type member struct {
	number    uint32
	user      id.User
	workspace *workspace
	state     atomic.Pointer[memberState] // nil: no member
	settled   atomic.Pointer[verdicts]    // nil: no settlement covers these keys

	// The writers'. All but the first two are the first node's, for all those of the user.
	period int64
	first  *member // nil at the first
	version
	keys        int // records that name a node of the user
	others      []*member
	settlements []*settlement
}

type memberState struct{ role *role }

// fill sets whether the member is one, and, if the workspace is capped, their permissions and the part of them that
// narrows the set with this number. Elsewhere the role is not looked at.
func (m *memberState) fill(v *View, number uint32) {
	v.CreatorPresent, v.CreatorHolds, v.Effective = m != nil, perm.Set{}, v.Permissions
	if !v.Capped {
		return
	}
	var held *roleState
	if m != nil {
		held = m.role.state.Load()
	}
	if held == nil {
		v.Effective = perm.Set{}
		return
	}
	if v.CreatorHolds = held.held; !v.Permissions.Within(held.held) {
		v.Effective = held.narrow(number, v.Permissions)
	}
}

func (r *Replica) putWorkspace(revision int64, a *account.Workspace) {
	w := r.workspace(a.ID)
	if w.gone || !w.admit(revision) {
		return
	}
	var flags workspaceState
	if a.IsActive {
		flags |= workspaceActive
	}
	if a.Settings.PermissionMode == account.Capped {
		flags |= workspaceCapped
	}
	if uuid, ok := id.Parse(string(a.ID)); ok && a.Plan.Shared != (ratelimit.Limits{}) {
		flags |= workspacePlanned
		w.plan.Store(&ratelimit.Plan{ID: uuid, Limits: a.Plan.Shared})
	}
	w.change(flags)
}

// endWorkspace needs no newer revision: the id of a workspace is never used twice.
func (r *Replica) endWorkspace(revision int64, name id.Workspace) {
	w := r.workspace(name)
	if w.gone {
		return
	}
	w.version = version{known: true, revision: max(revision, w.revision)}
	w.gone = true
	w.change(workspaceGone)
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
	w.roles[a.ID], ro.place = ro, w
	ro.state.Store(&roleState{held: a.Permissions})
}

func (r *Replica) putMember(revision int64, a *account.Member) {
	w := r.workspace(a.Workspace)
	if w.gone {
		return
	}
	if m := r.member(w, a.User); m.admit(revision) {
		r.give(m, r.role(a.Role))
	}
}

// give puts a member into a role; nil is none, for a member who has left.
func (r *Replica) give(m *member, to *role) {
	was := m.state.Load()
	if to == nil {
		m.change(nil)
	} else {
		to.holders++
		m.change(&memberState{role: to})
	}
	if was == nil {
		return
	}
	if was.role.holders--; was.role.holders == 0 && was.role.over() {
		r.left = append(r.left, leaver{revision: was.role.revision, role: was.role})
	}
}

// over tells whether the role was there, and is gone.
func (ro *role) over() bool { return ro.known && ro.state.Load() == nil }

// over tells whether the member was one, and has left.
func (m *member) over() bool { return m.known && m.state.Load() == nil }

func (r *Replica) endRole(revision int64, name id.Role) {
	if ro := r.role(name); ro.admit(revision) {
		ro.state.Store(nil)
		r.left = append(r.left, leaver{revision: revision, role: ro})
	}
}

func (r *Replica) endMember(revision int64, name *feed.MemberID) {
	w := r.workspace(name.Workspace)
	if w.gone {
		return
	}
	if m := r.member(w, name.User); m.admit(revision) {
		r.give(m, nil)
		r.left = append(r.left, leaver{revision: revision, member: m})
	}
}

// HasWorkspace tells whether there is a workspace. It waits for a writer, and is no part of a verification.
func (r *Replica) HasWorkspace(name id.Workspace) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.workspaces[name]
	return w != nil && workspaceState(w.state.Load()).exists()
}

// workspace, role and member give the node of an object, a new one for an object of which nothing is known yet.

func (r *Replica) workspace(name id.Workspace) *workspace {
	w := r.workspaces[name]
	if w == nil {
		name = id.Workspace(strings.Clone(string(name))) // it may lie in a longer text
		w = &workspace{id: name, members: map[id.User]*member{}, roles: map[id.Role]*role{}}
		r.workspaces[name] = w
	}
	return w
}

func (r *Replica) member(w *workspace, name id.User) *member {
	m := w.members[name]
	if m == nil {
		name = id.User(strings.Clone(string(name)))
		m = &member{user: name, workspace: w}
		r.members.take(m)
		w.members[name] = m
	}
	return m
}

func (r *Replica) role(name id.Role) *role {
	ro := r.roles[name]
	if ro == nil {
		name = id.Role(strings.Clone(string(name)))
		ro = &role{id: name}
		r.roles[name] = ro
	}
	return ro
}

// members leads from numbers to members. A number that was given back is given again.
type members struct {
	blocks directory[[membersInBlock]atomic.Pointer[member]]

	// The writers'.
	next uint32
	free []uint32
}

const membersInBlock = 256

// at gives a member; nil where it has gone with its workspace.
func (m *members) at(number uint32) *member {
	return m.blocks.at(number / membersInBlock)[number%membersInBlock].Load()
}

func (m *members) set(number uint32, to *member) {
	m.blocks.at(number / membersInBlock)[number%membersInBlock].Store(to)
}

// take gives a member its number.
func (m *members) take(one *member) {
	if n := len(m.free); n > 0 {
		one.number, m.free = m.free[n-1], m.free[:n-1]
	} else {
		if m.next%membersInBlock == 0 {
			m.blocks.add(new([membersInBlock]atomic.Pointer[member]))
		}
		one.number = m.next
		m.next++
	}
	m.set(one.number, one)
}

// give takes the number back: no record names it.
func (m *members) give(one *member) {
	m.set(one.number, nil)
	m.free = append(m.free, one.number)
}
