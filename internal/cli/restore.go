package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/auditreplay"
	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/sqlite"
)

type restoreCmd struct {
	databaseFlags
	File    string   `arg:"" type:"existingfile" help:"The backup. It stays as it is, and so does its log of changes, FILE-wal, where there is one."`
	Journal []string `type:"existingfile" sep:"none" placeholder:"FILE" help:"An export of the log (keyward logs --format ndjson --limit 0) or an archive: what came after the backup is repeated. Repeat it for each."`
	Force   bool     `help:"Move a database that is there aside, instead of refusing."`
	Confirm bool     `help:"Say that you know what happened after the backup. Without it nothing is changed."`
}

func (restoreCmd) Help() string {
	return `The server must be stopped. The backup, with its FILE-wal where it has one, is copied into a private place and checked there (that it is
whole, its pages, the log's chain of hashes, the peppers), brought up to this version, and put in place; a database that is there is
refused, or with --force moved aside. A link at the target is not followed.

A backup knows nothing of what came after it: keys that were revoked since then are good again, and keys that were made since then
are unknown. So the time of its last event is printed, and nothing is changed without --confirm.

With --journal, an export of the log that was made later than the backup, everything that came in between is repeated: what happened to
keys (deleted, revoked, disabled, kept, transferred, other limits, expiries, networks and permissions), members, roles, workspaces,
service keys and sessions. No key can do more afterwards than it could at the end of the journal. The values of keys are in no log: keys
that were made since are unknown, and keys that were rotated since are disabled. A journal that does not reach back to the backup, of
which a line is missing or edited, or that a newer program has written, is refused. Export the log regularly, for this.

Example:
  keyward logs --format ndjson --limit 0 > log.ndjson            every hour
  keyward restore backup.db --force              says what it would do
  keyward restore backup.db --force --confirm --journal log.ndjson`
}

// Run puts the backup in place.
func (c *restoreCmd) Run(ctx context.Context, a *app) (err error) {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	err = fileOnly(
		cfg,
		"restore it with pg_restore while no server runs; the copies of servers that run are loaded anew once they see it",
	)
	if err != nil {
		return err
	}
	target, err := c.vacant(cfg.Database)
	if err != nil {
		return err
	}
	if same, err := sameFile(c.File, target); err != nil || same {
		return errors.Join(err, fmt.Errorf("%s is the database itself: name a backup", c.File))
	}
	held, err := sqlite.Lock(target)
	if err != nil {
		return err
	}
	defer held.Close()
	place, err := os.MkdirTemp(filepath.Dir(target), ".keyward-restore-") // its owner's alone, and on the same file system
	if err != nil {
		return err
	}
	defer os.RemoveAll(place)
	copied, last, err := c.examine(ctx, a, place, cfg)
	if err != nil {
		return fmt.Errorf("%s cannot be restored: %w", c.File, err)
	}
	if !c.Confirm && len(c.Journal) > 0 {
		return fmt.Errorf("nothing was changed: what happened after the end of the journal is not known; " +
			"add --confirm if you know what happened since then")
	}
	if !c.Confirm {
		return fmt.Errorf(
			"nothing was changed: keys revoked after %s are good again in this backup, and keys made since then unknown; "+
				"add --confirm if you know what happened since then",
			last,
		)
	}
	return c.place(a, copied, target, cfg.Database)
}

// sameFile tells whether two paths lead to one file.
func sameFile(a, b string) (bool, error) {
	one, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	other, err := os.Stat(b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return os.SameFile(one, other), err
}

// vacant refuses to replace a database unless told to, and a target that leads elsewhere in any case.
func (c *restoreCmd) vacant(target string) (real string, err error) {
	if info, err := os.Lstat(target); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return "", fmt.Errorf(
			"%s is a link, which a restore does not follow: name the file itself, or remove the link", target,
		)
	}
	if real, err = sqlite.Place(target); err != nil {
		return "", err
	}
	for _, part := range []string{"", "-wal"} {
		info, err := os.Lstat(target + part)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return "", err
		case !info.Mode().IsRegular():
			return "", fmt.Errorf("%s is not a regular file: move it away", target+part)
		case info.Size() > 0 && !c.Force:
			return "", fmt.Errorf("there is a database at %s: --force moves it aside", target)
		}
	}
	return real, nil
}

// examine makes the copy and checks it, brings it up to this version, describes its content, and repeats the journal
// on it.
func (c *restoreCmd) examine(
	ctx context.Context, a *app, place string, cfg config.Config,
) (copied, last string, err error) {
	db, copied, events, err := unpack(ctx, c.File, place, cfg)
	if err != nil {
		return "", "", err
	}
	defer func() {
		if err = errors.Join(err, db.Close()); err == nil {
			err = folded(copied)
		}
	}()
	newest, err := db.lastEvent(ctx)
	if err != nil {
		return "", "", err
	}
	last = newest.CreatedAt.UTC().Format(time.RFC3339)
	facts(a.Out, "backup", c.File, "events", fmt.Sprint(events), "last event", last)
	if len(c.Journal) == 0 {
		return copied, last, nil
	}
	return copied, last, c.repeat(ctx, a, db, newest, cfg)
}

// repeat repeats the journal.
func (c *restoreCmd) repeat(ctx context.Context, a *app, db *opened, newest audit.Event, cfg config.Config) error {
	all, err := readJournals(c.Journal)
	if err != nil {
		return err
	}
	named := strings.Join(c.Journal, ", ")
	known, err := db.eventIDs(ctx)
	if err != nil {
		return err
	}
	later, err := auditreplay.After(all, newest, func(e id.Event) bool { return known[e] })
	if err != nil {
		return fmt.Errorf("the journal %s: %w", named, err)
	}
	catalogue, err := catalogueOf(cfg)
	if err != nil {
		return err
	}
	r, err := auditreplay.Repeat(ctx, db.DB, catalogue, later.Entries)
	if err != nil {
		return fmt.Errorf("the journal %s: %w", named, err)
	}
	facts(a.Out, "journal", named, "repeated", fmt.Sprint(r.Repeated), "left", fmt.Sprint(r.Left))
	if n := len(later.Entries); n > 0 {
		facts(a.Out, "journal ends", instantOf(later.Entries[n-1].CreatedAt))
	}
	if later.Elsewhere > 0 {
		facts(a.Out, "of a history that an earlier restore ended", fmt.Sprint(later.Elsewhere))
	}
	if !later.Proven {
		fmt.Fprintln(a.Err, "The journal's lines have no numbers (it is of an earlier release, or of a part of the log): whether a "+
			"line is missing from it cannot be seen.")
	}
	if len(r.Owners) > 0 {
		facts(a.Out, "owners who left and are back", listOf(r.Owners))
	}
	if len(r.Webhooks) > 0 {
		facts(a.Out, "webhooks that are off now", listOf(r.Webhooks))
	}
	return nil
}

// listOf writes ids with blanks between them.
func listOf[T ~string](ids []T) string {
	words := make([]string, len(ids))
	for i, name := range ids {
		words[i] = string(name)
	}
	return strings.Join(words, " ")
}

// readJournals reads exports and archives of the log as one journal, oldest first.
func readJournals(paths []string) ([]auditreplay.Entry, error) {
	var parts []auditreplay.File
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		parts = append(parts, auditreplay.File{Name: path, Reader: f})
	}
	all, err := auditreplay.Read(parts...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(paths, ", "), err)
	}
	return all, nil
}

// eventIDs lists the events of a database.
func (d *opened) eventIDs(ctx context.Context) (map[id.Event]bool, error) {
	const page = 5000
	known := make(map[id.Event]bool)
	err := d.View(ctx, func(v *store.View) error {
		for after := int64(0); ; {
			events, err := v.Logs(store.LogFilter{All: true, Ascending: true, AfterSeq: after, Limit: page})
			if err != nil || len(events) == 0 {
				return err
			}
			for i := range events {
				known[events[i].ID] = true
			}
			after = events[len(events)-1].Seq
		}
	})
	return known, err
}

// unpack copies a backup into a private place, and opens and checks it there. An error names the backup, not the copy.
func unpack(
	ctx context.Context, file, place string, cfg config.Config,
) (db *opened, copied string, events int64, err error) {
	if place, err = filepath.EvalSymlinks(place); err != nil {
		return nil, "", 0, err
	}
	defer func() {
		if err != nil {
			err = ofSource{err, sqlite.CopyIn(place), file}
		}
	}()
	if copied, err = sqlite.CopyWhole(file, place); err != nil {
		return nil, "", 0, err
	}
	d, err := sqlite.Open(copied, sqlite.Options{})
	if err != nil {
		return nil, "", 0, err
	}
	at, _, err := d.Version(ctx)
	if err == nil && at == 0 {
		err = errors.New("it is no database of Keyward: name a file that keyward backup has written")
	}
	if err == nil {
		err = d.Check(ctx)
	}
	if err != nil {
		return nil, "", 0, errors.Join(err, d.Close())
	}
	if db, err = openStore(ctx, d, cfg); err != nil {
		return nil, "", 0, err
	}
	if events, err = db.VerifyLog(ctx); err == nil {
		err = db.knowsPeppers(ctx, cfg)
	}
	if err != nil {
		return nil, "", 0, errors.Join(err, db.Close())
	}
	return db, copied, events, nil
}

// ofSource is an error about a private copy that names the source in its place.
type ofSource struct {
	error
	copied, source string
}

// Error is the error's text.
func (e ofSource) Error() string { return strings.ReplaceAll(e.error.Error(), e.copied, e.source) }

// Unwrap gives the error itself.
func (e ofSource) Unwrap() error { return e.error }

// knowsPeppers refuses a database with keys that would never be recognised.
func (d *opened) knowsPeppers(ctx context.Context, cfg config.Config) error {
	strange, err := d.strangePeppers(ctx, cfg)
	if err == nil && len(strange) > 0 {
		err = fmt.Errorf(
			"it holds keys under peppers that are not configured (%v): set KEYWARD_PEPPER and KEYWARD_PEPPER_PREVIOUS", strange,
		)
	}
	return err
}

// folded makes sure that the one file is all there is of a database.
func folded(path string) error {
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return errors.New("its log of changes could not be folded into it: is the disk full?")
	}
	return nil
}

// place moves the present files aside, the log before the database, and the copy in.
func (c *restoreCmd) place(a *app, copied, target, shown string) error {
	aside := target + ".replaced-" + time.Now().UTC().Format("20060102T150405Z")
	moved := false
	for _, part := range []string{"-shm", "-wal", ""} {
		switch err := os.Rename(target+part, aside+part); {
		case err == nil:
			moved = true
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	if moved {
		facts(a.Out, "moved aside", shown+strings.TrimPrefix(aside, target))
	}
	if err := os.Rename(copied, target); err != nil {
		return err
	}
	facts(a.Out, "restored", shown)
	return syncDir(target)
}

// syncDir brings a renaming to the disk.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
