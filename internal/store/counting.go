package store

import "context"

// Counting is a View that can also count: the use of quotas, the number of questions about a key, and its last use.
// These are no changes of state, so they leave no event and are not in the feed; and no other row can be written
// through it. It is valid within its function only, and not safe for concurrent use.
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
