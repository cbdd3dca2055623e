package store

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/clock"
)

// installation is the one row with the identity of the database, the end of its log and its latest time.
type installation struct {
	secret  []byte
	head    head
	ended   int64 // when the log's last event was written, in Unix milliseconds
	time    clock.State
	sets    int64 // how often it changed which sets of permissions are in use
	reading int64 // of the database's clock, in Unix milliseconds, where several nodes go by it
}

// head is the end of the log.
type head struct {
	seq  int64
	hash [32]byte
}

// installation reads the row, and with it the clock of a database that several nodes share, by one statement.
func (v *View) installation() (installation, error) {
	reading := "0"
	if v.db.shared != nil {
		reading = v.db.shared.Clock()
	}
	return one(
		v,
		scanInstallation,
		`SELECT secret, head_seq, head_hash, head_ms, time_mark_ms, time_ahead_ms, time_ran_ms, time_resets, sets_changes, `+
			reading+` FROM installation WHERE one = 1`,
	)
}

func scanInstallation(r Rows) (i installation, err error) {
	var hash []byte
	t := &i.time
	err = r.Scan(&i.secret, &i.head.seq, &hash, &i.ended, &t.Mark, &t.Ahead, &t.Ran, &t.Resets, &i.sets, &i.reading)
	copy(i.head.hash[:], hash)
	return i, err
}

// adopt applies the row to the clock.
func (db *DB) adopt(i *installation) {
	if db.shared != nil {
		db.clock.Learn(time.UnixMilli(i.reading))
	}
	db.clock.Adopt(i.time)
}

// install reads the installation's row, and makes it at the very first start.
func (db *DB) install(ctx context.Context) error {
	read := func(q SQL) (installation, error) {
		return (&View{ctx: ctx, q: q, db: db}).installation()
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
			_, err = q.Exec(
				ctx, `INSERT INTO installation (one, secret, head_seq, head_hash, time_mark_ms) VALUES (1, ?, 0, ?, 0)`, secret,
				make([]byte, 32),
			)
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
	db.adopt(&i)
	db.mark.Store(i.time.Mark)
	db.stats.head.Store(i.head.seq)
	return nil
}

// MarkTime keeps the present time as the mark below which the clock never falls again, also after a restart, or how
// long was run with a jump that is provisional. Every Update does the same; this is for the quiet hours.
func (db *DB) MarkTime(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var next clock.State
	err := db.write(func(q SQL) error {
		v := &View{ctx: context.Background(), q: q, db: db}
		i, err := v.installation()
		if err != nil {
			return err
		}
		db.adopt(&i)
		if next = db.clock.Step(i.time, db.clock.Now()); next == i.time {
			return errNothing
		}
		_, err = q.Exec(v.ctx, `UPDATE installation SET time_mark_ms = ?, time_ahead_ms = ?, time_ran_ms = ? WHERE one = 1`,
			next.Mark, next.Ahead, next.Ran)
		return err
	})
	if errors.Is(err, errNothing) {
		err = nil
	}
	if err == nil {
		db.took(next)
	}
	return err
}

// took notes that a state of the clock is on the disk.
func (db *DB) took(s clock.State) {
	db.clock.Took(s)
	db.mark.Store(s.Mark)
}

// TimeMark is the mark as it was read at Open or last moved; zero in a database in which nothing has happened.
func (db *DB) TimeMark() time.Time { return fromMillis(db.mark.Load()) }

// Reference is the settable clock, whatever the time of the database is.
func (db *DB) Reference() time.Time { return db.clock.Reference() }

// Time tells how the time of the database stands to the clock that it goes by: the machine's, or that of a database
// that several nodes share.
func (db *DB) Time() clock.Standing { return db.clock.Standing() }

// ResetTime has time go by the clock again from this transaction's commit on, if the mark is far ahead of it: objects
// that had ended by the mark alone are valid again. It returns the time by the clock, which is the transaction's from
// here on.
func (tx *Tx) ResetTime() time.Time {
	tx.now = tx.db.clock.Reference()
	tx.group.reset = true
	tx.touched = true
	return tx.now
}

// Ended counts what had ended by one time and not yet by an earlier one. Sessions are those of people and of
// portals, links are sign-in links and invitations.
type Ended struct{ Keys, ServiceKeys, Values, Sessions, Links int64 }

// EndedBetween counts the objects that a reset of time from one instant back to an earlier one brings back, and
// returns the first keys of them, ordered by their expiry.
func (v *View) EndedBetween(back, from time.Time, most int) (n Ended, keys []apikey.Key, err error) {
	for _, c := range []struct {
		into  *int64
		query string
	}{
		{&n.Keys, `SELECT count(*) FROM api_keys k JOIN workspaces w ON w.id = k.workspace_id AND w.deleted_ms = 0
			WHERE k.expires_ms > ? AND k.expires_ms <= ?`},
		{&n.ServiceKeys, `SELECT count(*) FROM service_keys WHERE expires_ms > ? AND expires_ms <= ?`},
		{&n.Values, `SELECT count(*) FROM key_values WHERE until_ms > ? AND until_ms <= ?`},
		{&n.Sessions, `SELECT count(*) FROM sessions WHERE expires_ms > ? AND expires_ms <= ?`},
		{&n.Links, `SELECT count(*) FROM sign_in_links WHERE expires_ms > ? AND expires_ms <= ?`},
	} {
		if *c.into, err = one(v, scanInt, c.query, millis(back), millis(from)); err != nil {
			return n, nil, err
		}
	}
	invitations, err := one(
		v, scanInt, `SELECT count(*) FROM invitations WHERE expires_ms > ? AND expires_ms <= ?`, millis(back), millis(from),
	)
	if err != nil {
		return n, nil, err
	}
	n.Links += invitations
	portals, err := one(
		v, scanInt, `SELECT count(*) FROM portal_sessions WHERE ended_ms = 0 AND expires_ms > ? AND expires_ms <= ?`,
		millis(back), millis(from),
	)
	if err != nil {
		return n, nil, err
	}
	n.Sessions += portals
	rows, err := all(v, v.scanKey, selectKeys+` JOIN workspaces w ON w.id = k.workspace_id AND w.deleted_ms = 0
		WHERE k.expires_ms > ? AND k.expires_ms <= ? ORDER BY k.expires_ms, k.id LIMIT ?`, millis(back), millis(from), most)
	for i := range rows {
		keys = append(keys, rows[i].Key)
	}
	return n, keys, err
}

// Backup is a backup of the installation that is known of.
type Backup struct {
	At    time.Time // zero for none
	Bytes int64
}

// backupNoter is a driver that keeps notes of backups beside its database, and not in it.
type backupNoter interface {
	NoteBackup(b Backup) error
	LastBackup() (Backup, error)
}

// LastBackup gives the latest one.
func (v *View) LastBackup() (Backup, error) {
	if beside, ok := v.db.driver.(backupNoter); ok {
		return beside.LastBackup()
	}
	return one(v, func(r Rows) (b Backup, err error) {
		var at int64
		err = r.Scan(&at, &b.Bytes)
		b.At = fromMillis(at)
		return b, err
	}, `SELECT backup_ms, backup_bytes FROM installation WHERE one = 1`)
}

// NoteBackup keeps when a backup was made, unless a later one is known. It works beside the servers of the database,
// and changes nothing else.
func NoteBackup(ctx context.Context, d Driver, b Backup) error {
	if beside, ok := d.(backupNoter); ok {
		return beside.NoteBackup(b)
	}
	return d.Write(ctx, func(q SQL) error {
		_, err := q.Exec(ctx, `UPDATE installation SET backup_ms = ?, backup_bytes = ? WHERE one = 1 AND backup_ms < ?`,
			millis(b.At), b.Bytes, millis(b.At))
		return err
	})
}

// Free is how much room the disk of the database has left; ok is false where that cannot be told.
func (db *DB) Free() (bytes int64, ok bool) {
	if d, can := db.driver.(interface{ Free() (int64, bool) }); can {
		return d.Free()
	}
	return 0, false
}
