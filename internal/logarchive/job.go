// Package logarchive owns the files that hold what was taken out of the log: how one is written whole, checked and
// recorded before its events are removed, and how the files are checked together with the log. It does not own the form
// of a file (audit), nor what may be cut (store).
package logarchive

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

// Job takes the oldest events out of a log and into a file.
type Job struct {
	DB     *store.DB
	Before time.Time // events that are not older stay
	To     string    // the file; one that an earlier run wrote is used as it is
	Event  id.Event  // of the event that records it
	Actor  string
	// Holds tells whether the journal that is kept for restores holds an event; events from the first that it does not
	// hold on stay. nil is for no such journal.
	Holds func(id.Event) bool
	// Elapsed is a clock that rises, by which the removal is measured.
	Elapsed func() time.Duration
	// Pause is left to other writers between two chunks of the removal.
	Pause time.Duration
}

// Run writes the file, records it, and removes what it holds. It may be run again with the same file where it was
// stopped. store.ErrNoCut says that there is nothing to archive, or that another process archived it meanwhile.
func (j *Job) Run(ctx context.Context) (audit.Cut, error) {
	cut, err := Read(j.To, nil)
	wrote := errors.Is(err, os.ErrNotExist)
	if wrote {
		cut, err = j.write(ctx)
	}
	if err != nil {
		return cut, fmt.Errorf("%s: %w", j.To, err)
	}
	if err := j.record(ctx, cut); err != nil {
		if wrote && errors.Is(err, store.ErrNoCut) {
			err = errors.Join(err, os.Remove(j.To))
		}
		return cut, fmt.Errorf("nothing was removed: %w", err)
	}
	if err := Drop(ctx, j.DB, j.Elapsed, j.Pause); err != nil {
		return cut, fmt.Errorf("%s is whole, and some of its events are still in the log: run it again: %w", j.To, err)
	}
	return cut, nil
}

// record has the log tell of the archive, unless it does.
func (j *Job) record(ctx context.Context, cut audit.Cut) error {
	last, err := j.DB.LastCut(ctx)
	if err != nil || last == cut {
		return err
	}
	_, err = j.DB.Update(ctx, func(tx *store.Tx) error {
		return tx.Cut(
			cut,
			audit.Event{ID: j.Event, ActorID: j.Actor, Description: fmt.Sprintf("events %d to %d archived", cut.From, cut.To)},
		)
	})
	return err
}

// Drop removes what archives hold, chunk by chunk.
func Drop(ctx context.Context, db *store.DB, elapsed func() time.Duration, pause time.Duration) error {
	for {
		more, err := db.DropArchived(ctx, elapsed)
		if err != nil || !more {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// write makes the file whole under another name first, so that a file of the right name is never a part of an archive.
func (j *Job) write(ctx context.Context) (audit.Cut, error) {
	cut, err := j.next(ctx)
	if err != nil {
		return cut, err
	}
	f, err := os.CreateTemp(filepath.Dir(j.To), "."+filepath.Base(j.To)+".*") // for its owner alone
	if err != nil {
		return cut, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	w := bufio.NewWriter(f)
	err = writeEvents(ctx, j.DB, w, cut)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return cut, err
	}
	if err := os.Link(f.Name(), j.To); err != nil { // and not a rename, which would replace a file that came meanwhile
		return cut, err
	}
	if err := syncFolder(j.To); err != nil {
		return cut, err
	}
	return Read(j.To, nil) // what is on the disk counts
}

// syncFolder brings a file's name to the disk.
func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// next is the range to archive, up to what the journal holds.
func (j *Job) next(ctx context.Context) (audit.Cut, error) {
	cut, err := j.DB.NextCut(ctx, j.Before)
	if err != nil || j.Holds == nil {
		return cut, err
	}
	held := cut
	held.To, held.Last = cut.From-1, ""
	err = walk(ctx, j.DB, cut, func(e *audit.Event) error {
		if !j.Holds(e.ID) {
			return errEnough
		}
		held.To, held.Last = e.Seq, audit.Hex(e.Hash)
		return nil
	})
	if held.To < held.From && (err == nil || errors.Is(err, errEnough)) {
		return held, fmt.Errorf("%w: the journal does not hold event %d", store.ErrNoCut, cut.From)
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return held, err
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// walk gives the events of a cut, oldest first, page by page.
func walk(ctx context.Context, db *store.DB, cut audit.Cut, each func(*audit.Event) error) error {
	const page = 1000
	for after := cut.From - 1; after < cut.To; {
		var events []audit.Event
		err := db.View(ctx, func(v *store.View) (err error) {
			events, err = v.RangeOf(cut, after, page)
			return err
		})
		if err == nil && len(events) == 0 {
			err = fmt.Errorf("%w: event %d is missing", store.ErrChain, after+1)
		}
		if err != nil {
			return err
		}
		for i := range events {
			if err := each(&events[i]); err != nil {
				return err
			}
			after = events[i].Seq
		}
	}
	return nil
}

// writeEvents writes a segment and walks the chain meanwhile: a log that was changed is not archived.
func writeEvents(ctx context.Context, db *store.DB, w io.Writer, cut audit.Cut) error {
	if err := audit.WriteSegmentHeader(w, cut); err != nil {
		return err
	}
	var before [32]byte
	if _, err := hex.Decode(before[:], []byte(cut.Before)); err != nil {
		return err
	}
	next := cut.From
	return walk(ctx, db, cut, func(e *audit.Event) error {
		if e.Seq != next || e.Chain(before) != e.Hash {
			return fmt.Errorf("%w: event %d is missing or was changed", store.ErrChain, next)
		}
		err := audit.WriteSegmentEvent(w, e, before)
		before = e.Hash
		next++
		return err
	})
}

// Read checks a file by itself and gives its range with the SHA-256 of all its bytes; each is called with every event
// and may be nil.
func Read(path string, each func(*audit.Event) error) (audit.Cut, error) {
	f, err := os.Open(path)
	if err != nil {
		return audit.Cut{}, err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	cut, err := audit.ReadSegment(io.TeeReader(f, sum), each)
	cut.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return cut, err
}
