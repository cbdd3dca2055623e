package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/logarchive"
	"github.com/keyward/keyward/internal/store"
)

const (
	retentionEvery = 10 * time.Minute      // old events are looked for
	retentionPause = 20 * time.Millisecond // left to writers between two chunks of what is removed
	setsFirst      = 15 * time.Minute      // after the start, unused sets of permissions are looked for
	setsEvery      = 6 * time.Hour
)

// keepLogSmall archives events that are older than the retention, a day at a time at least, and removes archived
// ones.
func (s *Server) keepLogSmall(ctx context.Context) {
	if s.cfg.EventsArchiveDir == "" {
		s.log.Info(
			"KEYWARD_EVENTS_KEEP removes what `keyward logs archive` has written and nothing else: KEYWARD_EVENTS_ARCHIVE_DIR has the server archive",
		)
	}
	told := ""
	for {
		err := s.archiveOld(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && err.Error() != told {
			s.log.Warn("old events were not archived, and stay in the log", "error", err.Error())
		}
		if told = ""; err != nil {
			told = err.Error()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retentionEvery):
		}
	}
}

// archiveOld archives once, and says nothing where nothing is old enough or another node was faster.
func (s *Server) archiveOld(ctx context.Context) error {
	if s.cfg.EventsArchiveDir == "" {
		return logarchive.Drop(ctx, s.db, s.elapsed, retentionPause)
	}
	before := s.clock.Floor().Add(-s.cfg.EventsKept).UTC().Truncate(24 * time.Hour)
	to, err := s.archiveFile(ctx, before)
	if err == nil {
		job := logarchive.Job{
			DB: s.db, Before: before, To: to, Event: id.Event(s.ids.Next()), Actor: "keyward serve", Elapsed: s.elapsed,
			Pause: retentionPause,
		}
		cut, err := job.Run(ctx)
		if err == nil {
			s.log.Info("old events were archived", "file", to, "from", cut.From, "to", cut.To, "sha256", cut.SHA256)
			return nil
		}
		if !errors.Is(err, store.ErrNoCut) && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err != nil && !errors.Is(err, store.ErrNoCut) {
		return err
	}
	return logarchive.Drop(ctx, s.db, s.elapsed, retentionPause) // what an archive that was stopped has left
}

// archiveFile names the file of the next archive by its range, with zeros before the numbers, so that names rise with
// them. A file that a run wrote before it was stopped is taken up again.
func (s *Server) archiveFile(ctx context.Context, before time.Time) (string, error) {
	cut, err := s.db.NextCut(ctx, before)
	if err != nil {
		return "", err
	}
	begun, err := filepath.Glob(filepath.Join(s.cfg.EventsArchiveDir, fmt.Sprintf("keyward-log-%012d-*.ndjson", cut.From)))
	if err != nil {
		return "", err
	}
	if len(begun) > 0 {
		return begun[0], nil
	}
	return filepath.Join(s.cfg.EventsArchiveDir, fmt.Sprintf("keyward-log-%012d-%012d.ndjson", cut.From, cut.To)), nil
}

// collectSets collects sets of permissions that no row has: two looks, six hours apart, take one away. One node does it
// for all.
func (s *Server) collectSets(ctx context.Context) {
	for pause := setsFirst; ; pause = setsEvery {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if s.node != nil && !s.node.First() {
			continue
		}
		switch c, err := s.db.CollectSets(ctx); {
		case err != nil && ctx.Err() == nil:
			s.log.Warn("unused sets of permissions were not collected", "error", err.Error())
		case c.Dropped > 0:
			s.log.Info("unused sets of permissions were collected", "sets", c.Dropped)
		}
	}
}
