package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/keyward/keyward/internal/store"
)

// A statement that waits is done before the next one, at the latest before the commit, and its error is not lost.
func TestAStatementThatWaitsIsDoneInItsPlace(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := open(t, migrated(t))
	t.Cleanup(func() { _ = d.Close() })
	count := func(q store.SQL) (n int64) {
		t.Helper()
		rows, err := q.Query(ctx, `SELECT count(*) FROM usage_gone`)
		if err != nil || !rows.Next() || rows.Scan(&n) != nil {
			t.Fatalf("count: %v", err)
		}
		return n
	}
	insert := func(q store.SQL, s string) error {
		return q.ExecDeferred(ctx, `INSERT INTO usage_gone (subject) VALUES (?)`, s)
	}
	err := d.Write(ctx, func(q store.SQL) error {
		if err := errors.Join(insert(q, "a"), insert(q, "b")); err != nil {
			return err
		}
		if n := count(q); n != 2 {
			t.Errorf("%d rows within, want 2", n)
		}
		return insert(q, "c") // the commit is the next one
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, fn := range map[string]func(store.SQL) error{
		"told by the next one": func(q store.SQL) error {
			if err := errors.Join(insert(q, "d"), insert(q, "a")); err != nil {
				t.Errorf("already: %v", err)
			}
			_, err := q.Query(ctx, `SELECT 1`)
			return err
		},
		"told by the commit": func(q store.SQL) error { return errors.Join(insert(q, "d"), insert(q, "a")) },
		"a savepoint does not hide it": func(q store.SQL) error {
			if err := errors.Join(q.ExecDeferred(ctx, `SAVEPOINT s`), insert(q, "a")); err != nil {
				t.Errorf("already: %v", err)
			}
			_, err := q.Exec(ctx, `RELEASE s`)
			return err
		},
	} {
		if err := d.Write(ctx, fn); !errors.Is(err, store.ErrDuplicate) {
			t.Errorf("%s: %v, want ErrDuplicate", name, err)
		}
	}
	broken := errors.New("broken")
	if err := d.Write(ctx, func(q store.SQL) error { return errors.Join(insert(q, "e"), broken) }); !errors.Is(
		err, broken,
	) {
		t.Error(err)
	}
	err = d.Read(ctx, func(q store.SQL) error {
		if n := count(q); n != 3 {
			t.Errorf("%d rows at the end, want 3", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// The caller of a deferred statement has been told that all is well. So after its failure nothing goes on in its
// transaction: a return to a savepoint, which might be an earlier caller's, would take back changes that were
// acknowledged to it.
func TestAfterAStatementThatWaitedAndFailedNothingGoesOn(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	d := open(t, migrated(t))
	t.Cleanup(func() { _ = d.Close() })
	insert := func(q store.SQL, s string) error {
		return q.ExecDeferred(ctx, `INSERT INTO usage_gone (subject) VALUES (?)`, s)
	}
	err := d.Write(ctx, func(q store.SQL) error {
		if err := errors.Join(q.ExecDeferred(ctx, "SAVEPOINT s"), insert(q, "a"), insert(q, "a"),
			q.ExecDeferred(ctx, "RELEASE s"), q.ExecDeferred(ctx, "SAVEPOINT s")); err != nil {
			t.Errorf("already: %v", err)
		}
		if _, err := q.Query(ctx, "SELECT 1"); !errors.Is(err, store.ErrDuplicate) {
			t.Errorf("the next one: %v", err)
		}
		if _, err := q.Exec(ctx, "ROLLBACK TO s"); !errors.Is(err, store.ErrDuplicate) {
			t.Errorf("a return to a savepoint that was never made: %v", err)
		}
		return nil
	})
	if !errors.Is(err, store.ErrDuplicate) {
		t.Errorf("the commit: %v", err)
	}
	// A statement's own error is its own.
	err = d.Write(ctx, func(q store.SQL) error {
		if err := errors.Join(insert(q, "b"), q.ExecDeferred(ctx, "SAVEPOINT s"), insert(q, "c")); err != nil {
			t.Errorf("already: %v", err)
		}
		if _, err := q.Exec(ctx, `INSERT INTO usage_gone (subject) VALUES ('b')`); !errors.Is(err, store.ErrDuplicate) {
			t.Errorf("the same again: %v", err)
		}
		_, err := q.Exec(ctx, "ROLLBACK TO s")
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := d.Read(ctx, func(q store.SQL) error {
		rows, err := q.Query(ctx, `SELECT string_agg(subject, ' ') FROM usage_gone`)
		var all string
		if err != nil || !rows.Next() || rows.Scan(&all) != nil || all != "b" {
			t.Errorf("%q is there, want b (%v)", all, err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
