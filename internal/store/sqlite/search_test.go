package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyward/keyward/internal/store"
)

// Every way of searching finds the texts that contain the term in Unicode's lower case.
func TestASearchFindsWhatTheLowerCaseHolds(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "keyward.db"))
	defer d.Close()
	kept := [][2]string{
		{"Nightly", "report"}, {"100%", "a_b"}, {`back\slash`, ""}, {"Größe ÄÖÜ", "kw_live_Ab…yz"}, {"DİREKT", "İ"},
		{"ΣΑΣ", "Ǆ"}, {"", ""}, {"it's", "'"}, {"[a-z]*", "?"},
	}
	sought := []string{
		"night", "report", "yr", "%", "0%", "_", "a_b", "axb", `\`, `k\s`, "größe", "ö", "gr", "b…y", "di", "i", "rekt",
		"direkt", "i̇", "σας", "σασ", "ǆ", "'", "*", "?", "[a", "a-z", "", "x",
	}
	found := 0
	for _, text := range sought {
		condition, args := d.Contains(text, "one", "two")
		err := d.Read(context.Background(), func(q store.SQL) error {
			for _, k := range kept {
				rows := texts(
					t,
					q,
					1,
					"SELECT 'yes' FROM (SELECT ? AS one, ? AS two) WHERE "+condition,
					append([]any{k[0], k[1]}, args...)...)
				want := strings.Contains(strings.ToLower(k[0]), text) || strings.Contains(strings.ToLower(k[1]), text)
				if got := len(rows) == 1; got != want {
					t.Errorf("%q in %q: %v", text, k, got)
				}
				if want {
					found++
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(fmt.Errorf("%q: %w", text, err))
		}
	}
	if found < len(sought) {
		t.Errorf("%d found", found)
	}
}

// A preview of a removal counts a member's keys in the index: reading the rows of very many takes long.
func TestT104KeysAreCountedByKindFromTheIndexAlone(t *testing.T) {
	t.Parallel()
	d := open(t, filepath.Join(t.TempDir(), "keyward.db"))
	db := start(t, d)
	defer db.Close()
	const kinds = `SELECT set_id, is_active, is_revoked, is_orphan, period, count(*) FROM api_keys WHERE workspace_id = 'w' AND user_id = 'u'
		GROUP BY set_id, is_active, is_revoked, is_orphan, period`
	err := d.Read(t.Context(), func(q store.SQL) error {
		rows, err := q.Query(t.Context(), "EXPLAIN QUERY PLAN "+kinds)
		if err != nil {
			return err
		}
		defer rows.Close()
		var id, parent, unused int
		var plan string
		if !rows.Next() {
			return errors.New("there is no plan")
		}
		if err := rows.Scan(&id, &parent, &unused, &plan); err != nil {
			return err
		}
		if !strings.Contains(plan, "COVERING INDEX api_keys_user") {
			t.Errorf("the plan is %q", plan)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
