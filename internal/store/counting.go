package store

import "context"

// Counting is a View that can also count: what is used of a quota, how often a key was asked about, and when it was last used.
// Nothing of that is a change of state that somebody made, so it leaves no event and is not in the feed; and nothing but that can
// be written through it. It is valid within its function only, and not safe for concurrent use.
type Counting struct {
	*View
	tx *Tx
}

// Count is Update for counters: durable when it returns, in the same commits, and without an event.
func (db *DB) Count(ctx context.Context, fn func(*Counting) error) error {
	_, err := db.Update(ctx, func(tx *Tx) error { return fn(&Counting{View: tx.View, tx: tx}) })
	return err
}

// exec runs a statement that counts, and answers the number of rows it touched.
func (c *Counting) exec(query string, args ...any) (int64, error) {
	n, err := c.tx.q.Exec(c.tx.ctx, query, args...)
	c.tx.counted = c.tx.counted || n > 0
	return n, err
}
