package store

import (
	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

// inLiveWorkspace is a condition: the row's workspace is there.
const inLiveWorkspace = ` AND workspace_id IN (SELECT id FROM workspaces WHERE deleted_ms = 0)`

// touched reads the current state of objects of one kind. An object that is not found is gone.
func (v *View) touched(refs []ref) ([]feed.Change, error) {
	list, args := places("?", len(refs)), make([]any, len(refs))
	for i, r := range refs {
		args[i] = r.object
	}
	switch refs[0].kind {
	case kindWorkspace:
		found, err := all(v, scanWorkspace, selectWorkspaces+` WHERE deleted_ms = 0 AND id IN (`+list+`)`, args...)
		return merge(refs, found, func(w *account.Workspace) ref { return ref{kind: kindWorkspace, object: string(w.ID)} },
			func(w *account.Workspace) feed.Change { return feed.Change{Workspace: w} }), err
	case kindRole:
		found, err := all(v, v.scanRole, selectRoles+` WHERE id IN (`+list+`)`+inLiveWorkspace, args...)
		return merge(refs, found, func(r *account.Role) ref { return ref{kind: kindRole, object: string(r.ID)} },
			func(r *account.Role) feed.Change { return feed.Change{Role: r} }), err
	case kindMember:
		return v.touchedMembers(refs)
	case kindSettlement:
		found, err := all(v, v.scanSettlement, selectSettlements+` WHERE id IN (`+list+`)`, args...)
		return merge(refs, found, func(s *apikey.Settlement) ref { return ref{kind: kindSettlement, object: string(s.ID)} },
			func(s *apikey.Settlement) feed.Change { return feed.Change{Settlement: s} }), err
	case kindKey:
		rows, err := all(v, v.scanKey, selectKeys+` JOIN workspaces w ON w.id = k.workspace_id AND w.deleted_ms = 0
			WHERE k.id IN (`+list+`)`, args...)
		if err != nil {
			return nil, err
		}
		found, err := v.complete(rows)
		return merge(refs, found, func(k *apikey.Key) ref { return ref{kind: kindKey, object: string(k.ID)} },
			func(k *apikey.Key) feed.Change { return feed.Change{Key: k} }), err
	}
	found, err := all(v, scanServiceKey, selectServiceKeys+` WHERE id IN (`+list+`)`, args...)
	return merge(refs, found, func(k *account.ServiceKey) ref { return ref{kind: kindServiceKey, object: string(k.ID)} },
		func(k *account.ServiceKey) feed.Change { return feed.Change{ServiceKey: k} }), err
}

func (v *View) touchedMembers(refs []ref) ([]feed.Change, error) {
	var args []any
	for _, r := range refs {
		args = append(args, r.workspace, r.object)
	}
	found, err := all(v, scanMember, selectMembers+` WHERE left_ms = 0 AND (workspace_id, user_id) IN (VALUES `+
		places("(?, ?)", len(refs))+`)`+inLiveWorkspace, args...)
	return merge(refs, found, func(m *account.Member) ref {
		return ref{kind: kindMember, workspace: m.Workspace, object: string(m.User)}
	}, func(m *account.Member) feed.Change { return feed.Change{Member: m} }), err
}

// merge returns for each object either its state or that it is gone.
func merge[T any](refs []ref, found []T, name func(*T) ref, is func(*T) feed.Change) []feed.Change {
	there := make(map[ref]*T, len(found))
	for i := range found {
		there[name(&found[i])] = &found[i]
	}
	out := make([]feed.Change, len(refs))
	for i, r := range refs {
		if t := there[r.named()]; t != nil {
			out[i] = is(t)
		} else {
			out[i] = r.gone()
		}
	}
	return out
}

// named is the reference by which an object is told from others of its kind: only a member is named by its workspace.
func (r ref) named() ref {
	if r.kind != kindMember {
		r.workspace = ""
	}
	return r
}

func (r ref) gone() feed.Change {
	switch r.kind {
	case kindWorkspace:
		return feed.Change{WorkspaceGone: id.Workspace(r.object)}
	case kindRole:
		return feed.Change{RoleGone: id.Role(r.object), In: r.workspace}
	case kindMember:
		return feed.Change{MemberGone: &feed.MemberID{Workspace: r.workspace, User: id.User(r.object)}}
	case kindKey:
		return feed.Change{KeyGone: id.Key(r.object), In: r.workspace}
	case kindSettlement:
		return feed.Change{SettlementGone: id.Settlement(r.object), In: r.workspace}
	}
	return feed.Change{ServiceKeyGone: id.ServiceKey(r.object), In: r.workspace}
}
