package store

import (
	"fmt"
	"strings"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/usage"
)

// WorkspaceCount counts the workspaces, up to most.
func (v *View) WorkspaceCount(most int) (int64, error) {
	return one(v, scanInt, `SELECT count(*) FROM (SELECT 1 FROM workspaces WHERE deleted_ms = 0 LIMIT ?) w`, most)
}

// KeysWithoutExpiry counts enabled keys of all workspaces that never expire, up to most. It goes by the index of the
// keys' ends, one workspace after the other.
func (v *View) KeysWithoutExpiry(most int) (int64, error) {
	return one(v, scanInt, `SELECT count(*) FROM (SELECT 1 FROM workspaces w JOIN api_keys k ON k.workspace_id = w.id
		AND `+expiry+` = 9223372036854775807 WHERE w.deleted_ms = 0 AND k.is_active = 1 LIMIT ?) k`, most)
}

// WorkspaceTotal is how much a workspace was used.
type WorkspaceTotal struct {
	Workspace account.Workspace
	Counts    usage.Counts
}

// WorkspaceTotals sums the usage of the latest workspaces over a span, those that were not used too. It costs a seek
// for each.
func (v *View) WorkspaceTotals(s usage.Span, most int) ([]WorkspaceTotal, error) {
	found, err := all(v, scanWorkspace, selectWorkspaces+` WHERE deleted_ms = 0 ORDER BY id DESC LIMIT ?`, most)
	if err != nil {
		return nil, err
	}
	out, at := make([]WorkspaceTotal, len(found)), make(map[id.Workspace]int, len(found))
	for i := range found {
		out[i].Workspace = found[i]
		at[found[i].ID] = i
	}
	var sums []string
	for c := range usage.Codes {
		sums = append(sums, "CAST(sum(u."+c.Column()+") AS BIGINT)")
	}
	type total struct {
		of id.Workspace
		n  usage.Counts
	}
	err = each(v, func(r Rows) (t total, err error) {
		into := []any{&t.of}
		for i := range t.n {
			into = append(into, &t.n[i])
		}
		err = r.Scan(into...)
		return t, err
	}, func(t total) error {
		if i, known := at[t.of]; known {
			out[i].Counts.Add(&t.n)
		}
		return nil
	}, `SELECT u.subject, `+strings.Join(sums, ", ")+` FROM (SELECT id FROM workspaces WHERE deleted_ms = 0 ORDER BY id DESC LIMIT ?) w
		JOIN usage_counts u ON u.subject = w.id AND u.grain = ? AND u.start_ms >= ? AND u.start_ms < ? GROUP BY u.subject`,
		most, int64(s.Grain), s.From, s.To)
	if err != nil {
		return nil, fmt.Errorf("sum the usage of workspaces: %w", err)
	}
	return out, nil
}
