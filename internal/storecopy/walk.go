package storecopy

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"

	"github.com/keyward/keyward/internal/store"
)

// batch is how many rows are compared, and written, at once.
const batch = 1000

// walk makes the target equal to the source at one moment. Over a frozen source it reads its own writes again: at its
// end each row is known to be the same.
func (m *mover) walk(ctx context.Context) (counts []Count, err error) {
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
		return m.counted(ctx, counts)
	})
	return counts, err
}

// counted compares the target with the counts of the source, at the end of a walk over a frozen one.
func (m *mover) counted(ctx context.Context, counts []Count) error {
	if !m.frozen {
		return nil
	}
	return m.to.Read(ctx, func(q store.SQL) error {
		for i, t := range m.tables {
			n, err := count(ctx, q, t)
			if err == nil && n != counts[i].Rows {
				err = fmt.Errorf("the table %s has %d rows and should have %d: %w", t.Name, n, counts[i].Rows, errOthers)
			}
			if err != nil {
				return fmt.Errorf("the target: %w", err)
			}
		}
		return nil
	})
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

// clear removes rows that the source no longer has.
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
	rows         int64
	ours, theirs hash.Hash // of all rows of the source, and of those of the target
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
		if err := w.bring(ctx, page, after, upTo); err != nil {
			return fmt.Errorf("the target: %w", err)
		}
		if upTo == nil {
			return nil
		}
		after = upTo
	}
}

// errOthers says that the target differs from the rows written to it.
var errOthers = errors.New("it does not keep what is written to it: somebody else writes there")

// bring makes a stretch of the target equal to the source's.
func (w *walker) bring(ctx context.Context, page []row, after, upTo row) error {
	look := func() (d difference, err error) {
		err = w.to.Read(ctx, func(q store.SQL) error {
			there, err := w.read(ctx, q, after, upTo, 0)
			d = w.compare(page, there)
			return err
		})
		return d, err
	}
	d, err := look()
	if err != nil {
		return err
	}
	for _, r := range d.gone {
		w.surplus = append(w.surplus, w.keyOf(r))
	}
	w.tell(len(page), d)
	if d.rows() > 0 {
		err := w.to.Write(ctx, func(q store.SQL) error {
			if err := w.release(ctx, q, append(d.changed, d.gone...)); err != nil {
				return err
			}
			return w.write(ctx, q, append(d.missing, d.changed...))
		})
		if err != nil || !w.frozen {
			return err
		}
		before := len(d.gone)
		if d, err = look(); err == nil && (len(d.missing)+len(d.changed) > 0 || len(d.gone) != before) {
			err = errOthers
		}
		if err != nil {
			return err
		}
	}
	for _, r := range page {
		sum := digestOf(r)
		w.ours.Write(sum[:])
	}
	w.theirs.Write(d.same)
	return nil
}

func (w *walker) tell(page int, d difference) {
	w.rows += int64(page)
	w.progress.Difference += int64(d.rows())
	w.progress.Rows += int64(page)
	w.progress.Done += int64(page)
	if w.opt.Progress != nil {
		w.opt.Progress(*w.progress)
	}
}

// difference describes two unequal stretches of the same keys.
type difference struct {
	missing, changed, gone []row  // as the source has them; gone as the target has
	same                   []byte // the digests of the other rows, as the target has them
}

func (d *difference) rows() int { return len(d.missing) + len(d.changed) + len(d.gone) }

func (w *walker) compare(page, there []row) (d difference) {
	at := 0
	for _, r := range page {
		for at < len(there) && w.compareKeys(there[at], r) < 0 {
			d.gone, at = append(d.gone, there[at]), at+1
		}
		if at == len(there) || w.compareKeys(there[at], r) > 0 {
			d.missing = append(d.missing, r)
			continue
		}
		if sum := digestOf(there[at]); sum == digestOf(r) {
			d.same = append(d.same, sum[:]...)
		} else {
			d.changed = append(d.changed, r)
		}
		at++
	}
	d.gone = append(d.gone, there[at:]...)
	return d
}

// count is the table's line of the report.
func (w *walker) count() (c Count, err error) {
	c = Count{Table: w.Name, Rows: w.rows}
	w.ours.Sum(c.Digest[:0])
	if w.frozen && !bytes.Equal(c.Digest[:], w.theirs.Sum(nil)) {
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
