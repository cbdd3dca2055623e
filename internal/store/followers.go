package store

import (
	"context"
	"time"

	"github.com/keyward/keyward/internal/id"
)

// Follower is a process without a database that follows this one, as it said of itself when it joined.
type Follower struct {
	Key         id.ServiceKey // by which it asks
	Incarnation string        // of this process; another one at every start
	Name        string
	Version     string
	Limit       time.Duration // how old its copy may be before it fences itself
}

// Followers lists the followers that have joined and were not dropped. A database that several nodes share keeps none:
// there a node that ends without a word is itself waited for.
func (db *DB) Followers(ctx context.Context) (list []Follower, err error) {
	if db.shared != nil {
		return nil, nil
	}
	err = db.View(ctx, func(v *View) error {
		list, err = all(v, func(r Rows) (f Follower, err error) {
			var limit int64
			err = r.Scan(&f.Key, &f.Incarnation, &f.Name, &f.Version, &limit)
			f.Limit = time.Duration(limit) * time.Millisecond
			return f, err
		}, `SELECT service_key_id, incarnation, name, version, limit_ms FROM followers ORDER BY service_key_id, incarnation`)
		return err
	})
	return list, err
}

// PutFollower notes, durably, that a follower has joined.
func (db *DB) PutFollower(ctx context.Context, f Follower) error {
	if db.shared != nil {
		return nil
	}
	return db.Count(ctx, func(c *Counting) error {
		_, err := c.exec(
			`INSERT INTO followers (service_key_id, incarnation, name, version, limit_ms, joined_ms) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (service_key_id, incarnation) DO UPDATE SET limit_ms = excluded.limit_ms`,
			f.Key,
			f.Incarnation,
			f.Name,
			f.Version,
			f.Limit.Milliseconds(),
			millis(c.now),
		)
		return err
	})
}

// DropFollower forgets a follower that has left, or has fenced itself.
func (db *DB) DropFollower(ctx context.Context, key id.ServiceKey, incarnation string) error {
	if db.shared != nil {
		return nil
	}
	return db.Count(ctx, func(c *Counting) error {
		_, err := c.exec(`DELETE FROM followers WHERE service_key_id = ? AND incarnation = ?`, key, incarnation)
		return err
	})
}
