package storecopy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/store"
)

// order lists the tables so that none refers to a later one.
var order = []string{
	"installation", "workspaces", "permission_sets", "roles", "members", "settlements", "api_keys", "key_values",
	"service_keys", "idempotency",
	"events", "event_types", "event_targets", "event_turns", "day_quotas", "past_quotas", "saved_windows", "key_prefixes",
	"usage_counts", "usage_gone", "sessions", "sign_in_links",
	"refusals", "refusal_total", "removals", "removal_keys",
	"passkeys", "invitations", "answered_challenges", "signed_in",
	"portal_sessions", "portal_proofs", "key_requests",
	"webhooks", "webhook_deliveries", "webhook_levels", "webhook_lease",
	"permission_uses", "permission_counts",
	"follower_batches", "follower_days",
}

// unique names the column that no two rows of a table share, beside the primary key. Rows that are to be changed or
// removed give theirs up first, since another row may have taken it over.
var unique = map[string]string{
	"roles": "name_folded", "api_keys": "digest", "service_keys": "digest",
	"sessions": "digest", "permission_sets": "names", "passkeys": "credential", "portal_sessions": "digest",
}

// table is one that both databases have.
type table struct {
	store.Table
	key    []int // where the primary key's columns are
	unique int   // where the unique column is, -1 for none
}

// plan lists the tables of the source in order. Both databases must have the same ones.
func plan(ctx context.Context, from Source, to Target) (all []table, err error) {
	source, err := from.Layout(ctx)
	if err != nil {
		return nil, fmt.Errorf("the source: %w", err)
	}
	target, err := to.Layout(ctx)
	if err != nil {
		return nil, fmt.Errorf("the target: %w", err)
	}
	same := func(a, b store.Table) bool {
		return a.Name == b.Name && slices.Equal(a.Columns, b.Columns) && slices.Equal(a.Key, b.Key)
	}
	if !slices.EqualFunc(source, target, same) {
		return nil, fmt.Errorf(
			"the tables of the source and of the target differ: bring the source to this version first (keyward migrate)",
		)
	}
	for _, name := range order {
		i := slices.IndexFunc(source, func(t store.Table) bool { return t.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("the source has no table %s: bring it to this version first (keyward migrate)", name)
		}
		all = append(all, arrange(source[i]))
	}
	if len(all) != len(source) {
		return nil, fmt.Errorf("there are %d tables, and %d are known here", len(source), len(all))
	}
	return all, nil
}

func arrange(t store.Table) table {
	out := table{Table: t, unique: slices.Index(t.Columns, unique[t.Name])}
	for _, k := range t.Key {
		out.key = append(out.key, slices.Index(t.Columns, k))
	}
	return out
}

// row is a row's values in the order of the table's columns: nil, int64, string or []byte.
type row []any

func (t table) keyOf(r row) row {
	k := make(row, len(t.key))
	for i, at := range t.key {
		k[i] = r[at]
	}
	return k
}

// read reads rows in the order of their keys: those after one key, up to and with another, nil for no bound, and no
// more than limit where that is not 0.
func (t table) read(ctx context.Context, q store.SQL, after, upTo row, limit int) (out []row, err error) {
	query := "SELECT " + strings.Join(t.Columns, ", ") + " FROM " + t.Name + " WHERE 1 = 1"
	tuple := "(" + strings.Join(t.Key, ", ") + ")"
	var args []any
	if after != nil {
		query, args = query+" AND "+tuple+" > "+places(len(t.Key)), append(args, after...)
	}
	if upTo != nil {
		query, args = query+" AND "+tuple+" <= "+places(len(t.Key)), append(args, upTo...)
	}
	query += " ORDER BY " + strings.Join(t.Key, ", ")
	if limit > 0 {
		query, args = query+" LIMIT ?", append(args, limit)
	}
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r, into := make(row, len(t.Columns)), make([]any, len(t.Columns))
		for i := range r {
			into[i] = &r[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// arguments is how many values one statement may have: PostgreSQL takes 65,535.
const arguments = 30_000

// write puts rows in, in the place of those with the same keys.
func (t table) write(ctx context.Context, q store.SQL, rows []row) error {
	n := len(t.Columns)
	var set []string
	for _, c := range t.Columns {
		if !slices.Contains(t.Key, c) {
			set = append(set, c+" = excluded."+c)
		}
	}
	conflict := " ON CONFLICT (" + strings.Join(t.Key, ", ") + ") DO NOTHING"
	if len(set) > 0 {
		conflict = " ON CONFLICT (" + strings.Join(t.Key, ", ") + ") DO UPDATE SET " + strings.Join(set, ", ")
	}
	for part := range slices.Chunk(rows, arguments/n) {
		args := make([]any, 0, len(part)*n)
		for _, r := range part {
			args = append(args, r...)
		}
		query := "INSERT INTO " + t.Name + " (" + strings.Join(t.Columns, ", ") + ") VALUES " +
			strings.TrimSuffix(strings.Repeat(places(n)+", ", len(part)), ", ") + conflict
		if _, err := q.Exec(ctx, query, args...); err != nil {
			return err
		}
	}
	return nil
}

// release clears the unique columns of rows.
func (t table) release(ctx context.Context, q store.SQL, rows []row) error {
	if t.unique < 0 {
		return nil
	}
	for _, r := range rows {
		sum := digestOf(t.keyOf(r))
		var free any = sum[:]
		if _, text := r[t.unique].(string); text {
			free = fmt.Sprintf("moving %x", sum)
		}
		query := "UPDATE " + t.Name + " SET " + t.Columns[t.unique] + " = ? WHERE " + t.condition()
		if _, err := q.Exec(ctx, query, append([]any{free}, t.keyOf(r)...)...); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes rows by their keys.
func (t table) remove(ctx context.Context, q store.SQL, keys []row) error {
	for _, k := range keys {
		if _, err := q.Exec(ctx, "DELETE FROM "+t.Name+" WHERE "+t.condition(), k...); err != nil {
			return err
		}
	}
	return nil
}

func (t table) condition() string {
	return "(" + strings.Join(t.Key, ", ") + ") = " + places(len(t.Key))
}

func places(n int) string { return "(" + strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")" }
