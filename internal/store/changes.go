package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/feed"
	"github.com/keyward/keyward/internal/id"
)

// The change log names the objects that a transaction has touched, not their state: a reader looks at the rows
// themselves.

// ref names an object in the change log.
type ref struct {
	kind      string
	workspace id.Workspace // it is in; of a service key the first that it is bound to
	object    string
}

// The kinds of objects in the change log.
const (
	kindWorkspace  = "workspace"
	kindRole       = "role"
	kindMember     = "member"
	kindKey        = "key"
	kindServiceKey = "service_key"
	kindSettlement = "settlement"
)

func refOf(c *feed.Change) ref {
	switch {
	case c.Workspace != nil:
		return ref{kind: kindWorkspace, object: string(c.Workspace.ID)}
	case c.WorkspaceGone != "":
		return ref{kind: kindWorkspace, object: string(c.WorkspaceGone)}
	case c.Role != nil:
		return ref{kind: kindRole, workspace: c.Role.Workspace, object: string(c.Role.ID)}
	case c.RoleGone != "":
		return ref{kind: kindRole, workspace: c.In, object: string(c.RoleGone)}
	case c.Member != nil:
		return ref{kind: kindMember, workspace: c.Member.Workspace, object: string(c.Member.User)}
	case c.MemberGone != nil:
		return ref{kind: kindMember, workspace: c.MemberGone.Workspace, object: string(c.MemberGone.User)}
	case c.Key != nil:
		return ref{kind: kindKey, workspace: c.Key.Workspace, object: string(c.Key.ID)}
	case c.KeyGone != "":
		return ref{kind: kindKey, workspace: c.In, object: string(c.KeyGone)}
	case c.Settlement != nil:
		return ref{kind: kindSettlement, workspace: c.Settlement.Workspace, object: string(c.Settlement.ID)}
	case c.SettlementGone != "":
		return ref{kind: kindSettlement, object: string(c.SettlementGone)}
	case c.ServiceKey != nil:
		return ref{kind: kindServiceKey, workspace: boundTo(c.ServiceKey), object: string(c.ServiceKey.ID)}
	}
	return ref{kind: kindServiceKey, workspace: c.In, object: string(c.ServiceKeyGone)}
}

// boundTo is the first workspace that a service key is bound to, "" for one that is bound to none.
func boundTo(k *account.ServiceKey) id.Workspace {
	if len(k.Bounds.Workspaces) == 0 {
		return ""
	}
	return k.Bounds.Workspaces[0]
}

// rowsAtOnce bounds the rows of one INSERT and the ids of one SELECT.
const rowsAtOnce = 100

// appendChanges writes the group's changes into the change log, under the writers' lock, and rings for the other nodes.
func (g *group) appendChanges(ctx context.Context) error {
	if len(g.changes) == 0 {
		return nil
	}
	at := millis(g.now)
	for start := 0; start < len(g.changes); start += rowsAtOnce {
		batch := g.changes[start:min(start+rowsAtOnce, len(g.changes))]
		args := make([]any, 0, 6*len(batch))
		for i := range batch {
			r := refOf(&batch[i])
			args = append(args, batch[i].Revision, start+i, r.kind, r.workspace, r.object, at)
		}
		err := g.q.ExecDeferred(
			ctx,
			`INSERT INTO changes (revision, position, kind, workspace_id, object_id, created_ms) VALUES `+
				places("(?, ?, ?, ?, ?, ?)", len(batch)),
			args...)
		if err != nil {
			return fmt.Errorf("append to the change log: %w", err)
		}
	}
	if g.db.shared == nil {
		return nil
	}
	return g.db.shared.Notify(ctx, g.q)
}

// places repeats placeholders, with commas between.
func places(one string, n int) string { return strings.TrimSuffix(strings.Repeat(one+", ", n), ", ") }
