package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/logarchive"
)

type logsArchive struct {
	databaseFlags
	Before  pastFlag `required:"" placeholder:"WHEN" help:"Archive events before: a date, a time, or a span that lies back, such as 90d."`
	Journal []string `type:"existingfile" sep:"none" placeholder:"FILE" help:"An export of the log that you keep for restores: events that it does not hold stay. Repeat it for each."`
	To      string   `required:"" type:"path" placeholder:"FILE" help:"The archive's file. It must not be there, unless an earlier run that was stopped wrote it."`
}

func (logsArchive) Help() string {
	return `Writes the oldest events to a file and takes them out of the log. Each file follows on the one before by its hash. The event log.archived
keeps the range, the last hash and the SHA-256 of the file: keyward logs verify --archive FILE checks the log together with its archives.
Keep every file. A run that was stopped is repeated with the same file.

A SQLite file must not be served meanwhile: stop the server first. On PostgreSQL the nodes go on. Events of the present day (UTC), the last
event, what a live node has not seen, and what is not queued for a webhook that is on stay in the log.

Example:
  keyward logs archive --before 90d --to /var/backups/keyward-log-0001.ndjson`
}

// Run writes the archive, records it, and removes its events.
func (c *logsArchive) Run(ctx context.Context, a *app) error {
	if c.Before == "" {
		return usageError("--before WHEN is missing: a date, a time, or a span that lies back, such as 90d")
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	db, err := open(ctx, cfg, true)
	if err != nil {
		return err
	}
	return errors.Join(c.archive(ctx, a, db, c.Before.at(time.Now())), db.Close())
}

func (c *logsArchive) archive(ctx context.Context, a *app, db *opened, before time.Time) error {
	job := logarchive.Job{DB: db.DB, Before: before, To: c.To, Actor: "keyward logs archive", Pause: archivePause,
		Event: id.Event(id.NewGenerator(time.Now, rand.Reader).Next())}
	began := time.Now()
	job.Elapsed = func() time.Duration { return time.Since(began) }
	if len(c.Journal) > 0 {
		kept, err := readJournals(c.Journal)
		if err != nil {
			return err
		}
		held := make(map[id.Event]bool, len(kept))
		for i := range kept {
			held[kept[i].ID] = true
		}
		job.Holds = func(e id.Event) bool { return held[e] }
	}
	cut, err := job.Run(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.Out, "%s: events %d to %d, SHA-256 %s\n", c.To, cut.From, cut.To, cut.SHA256)
	return err
}

// archivePause is the time for the server's writers between two chunks of the removal.
const archivePause = 10 * time.Millisecond
