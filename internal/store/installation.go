package store

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// installation is the one row that says who this database is, where its log ends and how late it has been.
type installation struct {
	secret []byte
	head   head
	mark   time.Time
}

// head is the end of the log.
type head struct {
	seq  int64
	hash [32]byte
}

const selectInstallation = `SELECT secret, head_seq, head_hash, time_mark_ms FROM installation WHERE one = 1`

func scanInstallation(r Rows) (i installation, err error) {
	var hash []byte
	var mark int64
	err = r.Scan(&i.secret, &i.head.seq, &hash, &mark)
	copy(i.head.hash[:], hash)
	i.mark = fromMillis(mark)
	return i, err
}

// install reads the installation's row, and makes it at the very first start.
func (db *DB) install(ctx context.Context) error {
	read := func(q SQL) (installation, error) {
		return one(&View{ctx: ctx, q: q, db: db}, scanInstallation, selectInstallation)
	}
	var i installation
	err := db.driver.Read(ctx, func(q SQL) (err error) {
		i, err = read(q)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		err = db.write(func(q SQL) (err error) {
			if i, err = read(q); !errors.Is(err, ErrNotFound) { // another node was faster
				return err
			}
			secret := make([]byte, 32)
			_, _ = rand.Read(secret) // never fails
			_, err = q.Exec(ctx, `INSERT INTO installation (one, secret, head_seq, head_hash, time_mark_ms) VALUES (1, ?, 0, ?, 0)`,
				secret, make([]byte, 32))
			if err == nil {
				i, err = read(q)
			}
			return err
		})
	}
	if err != nil {
		return err
	}
	db.secret = i.secret
	db.clock.Advance(i.mark)
	db.mark.Store(millis(i.mark))
	db.stats.head.Store(i.head.seq)
	return nil
}

// MarkTime keeps the present time as the mark below which the clock never falls again, also after a restart. Every Update does
// the same; this is for the quiet hours.
func (db *DB) MarkTime(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := db.clock.Now()
	err := db.write(func(q SQL) error {
		_, err := q.Exec(context.Background(), `UPDATE installation SET time_mark_ms = ? WHERE time_mark_ms < ?`, millis(now), millis(now))
		return err
	})
	if err == nil {
		db.marked(now)
	}
	return err
}

// marked notes that the mark is on the disk. Of two that do so at once the later one counts.
func (db *DB) marked(now time.Time) {
	for {
		old := db.mark.Load()
		if millis(now) <= old || db.mark.CompareAndSwap(old, millis(now)) {
			return
		}
	}
}

// TimeMark is the mark as it was read at Open or last moved; zero in a database in which nothing has happened.
func (db *DB) TimeMark() time.Time { return fromMillis(db.mark.Load()) }
