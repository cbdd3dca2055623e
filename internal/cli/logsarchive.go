package cli

import (
	"bufio"
	"context"
	"crypto/rand"
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
	"github.com/keyward/keyward/internal/store/sqlite"
)

type logsArchive struct {
	databaseFlags
	Before string `required:"" placeholder:"WHEN" help:"Archive events before: a date, a time, or a span that lies back, such as 90d."`
	To     string `required:"" type:"path" placeholder:"FILE" help:"The archive's file. It must not be there, unless an earlier run that was stopped wrote it."`
}

func (logsArchive) Help() string {
	return `Writes the oldest events to a file and takes them out of the log. Each file follows on the one before by its hash. The event log.archived
keeps the range, the last hash and the SHA-256 of the file: keyward logs verify --archive FILE checks the log together with its archives.
Keep every file. A run that was stopped is repeated with the same file.

A SQLite file must not be served meanwhile: stop the server first. On PostgreSQL the nodes go on. Events of the present day (UTC), the last
event, and what a live node has not seen stay in the log.

Example:
  keyward logs archive --before 90d --to /var/backups/keyward-log-0001.ndjson`
}

// Run writes the archive, records it, and removes what it holds.
func (c *logsArchive) Run(ctx context.Context, a *app) error {
	before, err := past(c.Before, time.Now())
	if err != nil {
		return err
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	d, err := connect(ctx, cfg.Database, cfg, sqlite.Options{Lock: true})
	if err != nil {
		return err
	}
	if at, newest, err := d.Version(ctx); err != nil || at < newest {
		if err == nil {
			err = fmt.Errorf("the database has version %d and this program wants %d: keyward migrate, or start a server", at, newest)
		}
		return errors.Join(err, d.Close())
	}
	db, err := openStore(ctx, d, cfg)
	if err != nil {
		return err
	}
	return errors.Join(c.archive(ctx, a, db, before), db.Close())
}

func (c *logsArchive) archive(ctx context.Context, a *app, db *database, before time.Time) error {
	cut, err := readArchive(c.To, nil)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if cut, err = c.write(ctx, db, before); err != nil {
			return err
		}
	case err != nil:
		return fmt.Errorf("%s: %w", c.To, err)
	}
	last, err := db.LastCut(ctx)
	if err != nil {
		return err
	}
	if last != cut {
		ids := id.NewGenerator(time.Now, rand.Reader)
		_, err = db.Update(ctx, func(tx *store.Tx) error {
			return tx.Cut(cut, audit.Event{ID: id.Event(ids.Next()), ActorID: "keyward logs archive",
				Description: fmt.Sprintf("events %d to %d archived by command", cut.From, cut.To)})
		})
		if err != nil {
			return fmt.Errorf("nothing was removed: %w", err)
		}
	}
	for more := true; more; {
		if more, err = db.DropArchived(ctx); err != nil {
			return fmt.Errorf("%s is whole, and some of its events are still in the log: run the command again: %w", c.To, err)
		}
	}
	_, err = fmt.Fprintf(a.Out, "%s: events %d to %d, SHA-256 %s\n", c.To, cut.From, cut.To, cut.SHA256)
	return err
}

// write makes the file whole under another name first, so that a file of the right name is never a part of an archive.
func (c *logsArchive) write(ctx context.Context, db *database, before time.Time) (audit.Cut, error) {
	cut, err := db.NextCut(ctx, before)
	if err != nil {
		return cut, err
	}
	f, err := os.CreateTemp(filepath.Dir(c.To), "."+filepath.Base(c.To)+".*") // for its owner alone
	if err != nil {
		return cut, err
	}
	defer os.Remove(f.Name())
	w := bufio.NewWriter(f)
	err = writeEvents(ctx, db, w, cut)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return cut, err
	}
	if err := os.Link(f.Name(), c.To); err != nil { // and not a rename, which would replace a file that came meanwhile
		return cut, err
	}
	if err := syncDir(c.To); err != nil {
		return cut, err
	}
	return readArchive(c.To, nil) // what is on the disk counts
}

// writeEvents writes a segment and walks the chain meanwhile: a log that was changed is not archived.
func writeEvents(ctx context.Context, db *database, w io.Writer, cut audit.Cut) error {
	if err := audit.WriteSegmentHeader(w, cut); err != nil {
		return err
	}
	var before [32]byte
	if _, err := hex.Decode(before[:], []byte(cut.Before)); err != nil {
		return err
	}
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
			e := &events[i]
			if e.Seq != after+1 || e.Chain(before) != e.Hash {
				return fmt.Errorf("%w: event %d is missing or was changed", store.ErrChain, after+1)
			}
			if err := audit.WriteSegmentEvent(w, e, before); err != nil {
				return err
			}
			before = e.Hash
			after = e.Seq
		}
	}
	return nil
}

// readArchive checks a file by itself and gives its range with the SHA-256 of all its bytes.
func readArchive(path string, each func(*audit.Event) error) (audit.Cut, error) {
	f, err := os.Open(path)
	if err != nil {
		return audit.Cut{}, err
	}
	defer f.Close()
	sum := sha256.New()
	cut, err := audit.ReadSegment(io.TeeReader(f, sum), each)
	cut.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return cut, err
}

// verifyArchives checks that archives follow on each other, from the first event to where the log begins, each as the log tells of it.
func verifyArchives(paths []string, log []audit.Cut) (events int64, err error) {
	told := make(map[audit.Cut]bool)
	last := audit.Cut{Last: audit.Hex([32]byte{})}
	for _, cut := range log {
		told[cut] = true
		last = cut
	}
	var cuts []audit.Cut
	end := audit.Cut{Last: audit.Hex([32]byte{})}
	for _, path := range paths {
		cut, err := readArchive(path, func(e *audit.Event) error {
			if e.Type != audit.LogArchived {
				return nil
			}
			c, err := audit.CutOf(e)
			told[c] = true
			return err
		})
		if err == nil && (cut.From != end.To+1 || cut.Before != end.Last) {
			err = fmt.Errorf("it begins with event %d, and event %d follows: name all archives, the oldest first", cut.From, end.To+1)
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		end = cut
		cuts = append(cuts, cut)
		events += cut.To - cut.From + 1
	}
	for i, cut := range cuts {
		if !told[cut] {
			return 0, fmt.Errorf("%s: %w: no event of the log tells of these bytes", paths[i], audit.ErrSegment)
		}
	}
	if end != last {
		return 0, fmt.Errorf("the archives end with event %d, and the log begins after event %d: name all archives", end.To, last.To)
	}
	return events, nil
}
