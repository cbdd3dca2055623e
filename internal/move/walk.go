package move

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"

	"github.com/keyward/keyward/internal/store"
)

// batch is how many rows are compared, and written, at once.
const batch = 1000

// walk makes the target what the source is at one moment, and tells how many rows it had to write or remove.
func (m *mover) walk(ctx context.Context) (counts []Count, written int64, err error) {
	m.walks++
	err = m.from.Read(ctx, func(q store.SQL) error {
		p := Progress{Walk: m.walks, Frozen: m.frozen}
		sizes := make([]int64, len(m.tables))
		for i, t := range m.tables {
			if sizes[i], err = count(ctx, q, t); err != nil {
				return fmt.Errorf("the source's table %s: %w", t.Name, err)
			}
			p.All += sizes[i]
		}
		surplus := make([][]row, len(m.tables))
		for i, t := range m.tables {
			p.Table, p.Rows, p.Of = t.Name, 0, sizes[i]
			w := &walker{mover: m, table: t, source: q, progress: &p, ours: sha256.New(), theirs: sha256.New()}
			if err := w.run(ctx); err != nil {
				return fmt.Errorf("the table %s: %w", t.Name, err)
			}
			c, err := w.count()
			if err != nil {
				return err
			}
			counts, surplus[i] = append(counts, c), w.surplus
		}
		for i, t := range slices.Backward(m.tables) { // what refers goes before what is referred to
			if err := m.clear(ctx, t, surplus[i]); err != nil {
				return fmt.Errorf("the table %s: %w", t.Name, err)
			}
		}
		written = p.Difference
		return nil
	})
	return counts, written, err
}

func count(ctx context.Context, q store.SQL, t table) (n int64, err error) {
	rows, err := q.Query(ctx, "SELECT count(*) FROM "+t.Name)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	if rows.Next() {
		err = rows.Scan(&n)
	}
	return n, err
}

// clear removes what the source has no more.
func (m *mover) clear(ctx context.Context, t table, keys []row) error {
	for part := range slices.Chunk(keys, batch) {
		err := m.to.Write(ctx, func(q store.SQL) error { return t.remove(ctx, q, part) })
		if err != nil {
			return err
		}
	}
	return nil
}

// walker goes through one table.
type walker struct {
	*mover
	table
	source   store.SQL
	progress *Progress

	surplus      []row // keys of rows that only the target has
	differences  int64
	rows         int64
	ours, theirs hash.Hash // of all rows of the source, and of the target as it was found
}

func (w *walker) run(ctx context.Context) error {
	var after row
	for {
		page, err := w.read(ctx, w.source, after, nil, batch)
		if err != nil {
			return fmt.Errorf("the source: %w", err)
		}
		var upTo row
		if len(page) == batch {
			upTo = w.keyOf(page[batch-1])
		}
		var there []row
		err = w.to.Read(ctx, func(q store.SQL) error {
			there, err = w.read(ctx, q, after, upTo, 0)
			return err
		})
		if err == nil {
			err = w.compare(ctx, page, there)
		}
		if err != nil {
			return fmt.Errorf("the target: %w", err)
		}
		if upTo == nil {
			return nil
		}
		after = upTo
	}
}

// compare writes what differs between two stretches of the same keys.
func (w *walker) compare(ctx context.Context, page, there []row) error {
	var missing, changed, gone []row
	at := 0
	for _, r := range page {
		for at < len(there) && w.compareKeys(there[at], r) < 0 {
			gone, at = append(gone, there[at]), at+1
		}
		sum := digestOf(r)
		w.ours.Write(sum[:])
		if at == len(there) || w.compareKeys(there[at], r) > 0 {
			missing = append(missing, r)
			continue
		}
		if digestOf(there[at]) != sum {
			changed = append(changed, r)
		}
		at++
	}
	gone = append(gone, there[at:]...)
	for _, r := range there {
		sum := digestOf(r)
		w.theirs.Write(sum[:])
	}
	for _, r := range gone {
		w.surplus = append(w.surplus, w.keyOf(r))
	}
	n := int64(len(missing) + len(changed) + len(gone))
	w.differences += n
	w.rows += int64(len(page))
	w.progress.Difference += n
	w.progress.Rows += int64(len(page))
	w.progress.Done += int64(len(page))
	if w.opt.Progress != nil {
		w.opt.Progress(*w.progress)
	}
	if n == 0 {
		return nil
	}
	return w.to.Write(ctx, func(q store.SQL) error {
		if err := w.release(ctx, q, append(changed, gone...)); err != nil {
			return err
		}
		return w.write(ctx, q, append(missing, changed...))
	})
}

// count is the table's line of the report. Where nothing differed, the two digests must not either.
func (w *walker) count() (c Count, err error) {
	c = Count{Table: w.Name, Rows: w.rows}
	w.ours.Sum(c.Digest[:0])
	if w.differences == 0 && !bytes.Equal(c.Digest[:], w.theirs.Sum(nil)) {
		err = fmt.Errorf("the table %s: every row is the same, and the digests are not", w.Name)
	}
	return c, err
}

// compareKeys has both databases' order: numbers by their size, texts and bytes by their bytes.
func (t table) compareKeys(a, b row) int {
	for _, at := range t.key {
		var c int
		switch x := a[at].(type) {
		case int64:
			y, _ := b[at].(int64)
			c = cmp.Compare(x, y)
		case string:
			y, _ := b[at].(string)
			c = cmp.Compare(x, y)
		case []byte:
			y, _ := b[at].([]byte)
			c = bytes.Compare(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// digestOf covers each value with its kind and its length.
func digestOf(r row) [sha256.Size]byte {
	var b []byte
	for _, v := range r {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
		case string:
			b = append(binary.BigEndian.AppendUint32(append(b, 's'), uint32(len(v))), v...)
		case []byte:
			b = append(binary.BigEndian.AppendUint32(append(b, 'b'), uint32(len(v))), v...)
		default:
			b = fmt.Appendf(b, "?%T:%v", v, v)
		}
	}
	return sha256.Sum256(b)
}
