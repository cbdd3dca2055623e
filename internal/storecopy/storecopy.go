// Package storecopy owns the move of an installation from one database to another while a server works on the first:
// the order of its steps, and the way in which the rows of both are made equal and compared. It does not own the
// meaning of rows (store), nor closing a database to writers or opening it to servers (its drivers).
//
// The move knows one operation: go through both databases in the order of their keys and make the second equal to the
// first. The first time it copies everything, while the server goes on writing. Then the first database is frozen,
// and only the rows written meanwhile are left: the second time every row is compared, and every written row is read
// again. A move that was broken off is resumed by doing the same again.
package storecopy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/store"
)

// Source is the database that is left.
type Source interface {
	store.Driver
	Layout(ctx context.Context) ([]store.Table, error)
	// Freeze refuses every change from then on, in whichever process, until Thaw.
	Freeze(ctx context.Context, to string) error
	Thaw(ctx context.Context) error
	// Leave makes it final.
	Leave(ctx context.Context) error
}

// Target is the database that is filled.
type Target interface {
	store.Driver
	Layout(ctx context.Context) ([]store.Table, error)
	// Claim keeps servers out until Complete, and refuses a database that holds anything but this move's beginnings.
	Claim(ctx context.Context, move string, secret []byte) (complete bool, err error)
	Complete(ctx context.Context) error
	// Holds tells whether it is complete and holds the installation with this secret.
	Holds(ctx context.Context, secret []byte) (bool, error)
}

// Options are the parameters of a move beside its two databases. To and Now must be given.
type Options struct {
	To       string           // the target as people may read it
	Now      func() time.Time // the wall clock
	Progress func(Progress)   // is called now and then
	Frozen   func(bool)       // is called when the source has been frozen, and thawed
}

// Progress is how far a walk is.
type Progress struct {
	Walk       int // from 1
	Frozen     bool
	Table      string
	Rows, Of   int64 // of the table
	Done, All  int64 // of all tables
	Difference int64 // rows that were written so far
}

// Report is the result of the last walk.
type Report struct {
	Tables  []Count
	Resumed bool          // the move had been completed before; nothing was compared now
	Frozen  time.Duration // how long no change was taken
}

// Count is one table: how many rows, and a SHA-256 over all of them in the order of their keys, which was computed on
// either side.
type Count struct {
	Table  string
	Rows   int64
	Digest [sha256.Size]byte
}

// ErrUnclear says that it is unknown whether the target has been opened: the source stays frozen.
var ErrUnclear = errors.New("it is not known whether the move is complete: run it again")

// Run moves everything. An error leaves the source working, also one that an earlier Run died over and left frozen,
// wherever the target has said that it is not complete. ErrUnclear and the death of the process leave it frozen, until
// another Run or Abort.
func Run(ctx context.Context, from Source, to Target, o Options) (r Report, err error) {
	m := &mover{from: from, to: to, opt: o}
	if m.secret, err = secret(ctx, from); err != nil {
		return r, fmt.Errorf("the source: %w", err)
	}
	if err := to.Migrate(ctx, o.Now()); err != nil {
		return r, fmt.Errorf("the target: %w", err)
	}
	complete, err := to.Claim(ctx, name(m.secret), m.secret)
	if err != nil {
		return r, fmt.Errorf("the target: %w", err)
	}
	if complete {
		return Report{Resumed: true}, from.Leave(ctx)
	}
	defer func() {
		if err == nil || m.opened || errors.Is(err, ErrUnclear) {
			return
		}
		if thaw := from.Thaw(context.WithoutCancel(ctx)); thaw != nil {
			err = errors.Join(err, fmt.Errorf("the source could not be opened again: %w", thaw))
		} else if m.frozen {
			m.froze(false)
		}
	}()
	if m.tables, err = plan(ctx, from, to); err != nil {
		return r, err
	}
	if _, err = m.walk(ctx); err != nil {
		return r, err
	}
	return m.finish(ctx)
}

// Abort opens the source again, unless the target is complete: then the source is the past.
func Abort(ctx context.Context, from Source, to Target) error {
	s, err := secret(ctx, from)
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	complete, err := to.Holds(ctx, s)
	if err != nil {
		return fmt.Errorf("the target must be asked whether the move is complete: %w", err)
	}
	if complete {
		return errors.New("the move is complete, and servers may have written to the target since")
	}
	return from.Thaw(ctx)
}

type mover struct {
	from   Source
	to     Target
	opt    Options
	secret []byte
	tables []table
	walks  int
	frozen bool
	opened bool // the target is
}

// finish freezes the source, writes the rest, compares, and opens the target.
func (m *mover) finish(ctx context.Context) (r Report, err error) {
	if err := m.from.Freeze(ctx, m.opt.To); err != nil {
		return r, fmt.Errorf("freeze the source: %w", err)
	}
	m.froze(true)
	began := m.opt.Now()
	defer func() { r.Frozen = m.opt.Now().Sub(began) }()
	if r.Tables, err = m.walk(ctx); err != nil {
		return r, err
	}
	return r, m.open(ctx)
}

func (m *mover) froze(now bool) {
	m.frozen = now
	if m.opt.Frozen != nil {
		m.opt.Frozen(now)
	}
}

// open is the moment of the move: before, only the source counts, and after it only the target.
func (m *mover) open(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if err := m.to.Complete(ctx); err != nil {
		complete, asked := m.to.Holds(ctx, m.secret)
		switch {
		case asked != nil:
			return fmt.Errorf("%w (%w)", ErrUnclear, err)
		case !complete:
			return fmt.Errorf("open the target: %w", err)
		}
	}
	m.opened = true
	return m.from.Leave(ctx)
}

// secret reads the identity of the source.
func secret(ctx context.Context, from Source) (s []byte, err error) {
	err = from.Read(ctx, func(q store.SQL) error {
		rows, err := q.Query(ctx, `SELECT secret FROM installation`)
		if err != nil {
			return err
		}
		defer rows.Close()
		if !rows.Next() {
			return errors.Join(
				rows.Err(), errors.New("there is nothing in it yet: start the first server on the target instead"),
			)
		}
		return rows.Scan(&s)
	})
	return s, err
}

// name is the same for every try to move this installation, and tells nothing of the secret.
func name(secret []byte) string {
	sum := sha256.Sum256(append([]byte("keyward move "), secret...))
	return "move " + hex.EncodeToString(sum[:8])
}
