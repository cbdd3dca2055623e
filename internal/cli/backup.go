package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/sqlite"
)

type backupCmd struct {
	databaseFlags
	File string `arg:"" type:"path" help:"Where to; it must not be there yet."`
}

func (backupCmd) Help() string {
	return `Works beside a running server and stops nobody. The file holds names, addresses and the log, and neither the value of any key nor
the pepper: keep that apart.

Example:
  keyward backup /var/backups/keyward-$(date +%F).db --database-url sqlite:/var/lib/keyward/keyward.db

A PostgreSQL database is backed up with PostgreSQL's own tools: pg_dump, or pg_basebackup and the archive of the write-ahead log.`
}

// Run copies the database.
func (c *backupCmd) Run(ctx context.Context, a *app) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if err := fileOnly(cfg, postgres.ErrBackup.Error()); err != nil {
		return err
	}
	d, err := sqlite.Open(cfg.Database, sqlite.Options{})
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Backup(ctx, c.File); err != nil {
		return err
	}
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.Out, "%s: %d bytes\n", c.File, info.Size())
	return err
}

type restoreCmd struct {
	databaseFlags
	File    string `arg:"" type:"existingfile" help:"The backup. It stays as it is."`
	Journal string `type:"existingfile" placeholder:"FILE" help:"An export of the log (keyward logs --format ndjson --limit 0): what it takes away after the backup is taken away again."`
	Force   bool   `help:"Move a database that is there aside, instead of refusing."`
	Confirm bool   `help:"Say that you know what happened after the backup. Without it nothing is changed."`
}

func (restoreCmd) Help() string {
	return `The server must be stopped. The backup is checked (its pages, the log's chain of hashes, the peppers), brought up to this version, and
put in place; a database that is there is refused, or with --force moved aside.

A backup knows nothing of what came after it: keys that were revoked since then are good again, and keys that were made since then
are unknown. So the time of its last event is printed, and nothing is changed without --confirm.

With --journal, an export of the log that was made later than the backup, what was taken away in between is taken away again: keys
that were deleted, revoked, disabled or rotated (whose old values end), members who left, workspaces and service keys. Keys that were
enabled again work again. Nothing is given, and narrower roles and limits are not repeated: the count of events that are left is
printed. Export the log regularly, for this.

Example:
  keyward logs --format ndjson --limit 0 > log.ndjson            every hour
  keyward restore backup.db --force              says what it would do
  keyward restore backup.db --force --confirm`
}

// Run puts the backup in place.
func (c *restoreCmd) Run(ctx context.Context, a *app) (err error) {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	err = fileOnly(cfg, "restore it with pg_restore while no server runs; the copies of servers that run are loaded anew once they see it")
	if err != nil {
		return err
	}
	target := cfg.Database
	if err := c.vacant(target); err != nil {
		return err
	}
	held, err := sqlite.Lock(target)
	if errors.Is(err, sqlite.ErrLocked) {
		return fmt.Errorf("%w: stop the server first", err)
	}
	if err != nil {
		return err
	}
	defer held.Close()
	copied := target + ".restoring"
	removeDatabase(copied)
	defer removeDatabase(copied)
	if err := copyFile(copied, c.File); err != nil {
		return err
	}
	last, err := c.examine(ctx, a, copied, cfg)
	if err != nil {
		return fmt.Errorf("%s cannot be restored: %w", c.File, err)
	}
	if !c.Confirm && c.Journal != "" {
		return fmt.Errorf("nothing was changed: what happened after the end of the journal is not known; " +
			"add --confirm if you know what happened since then")
	}
	if !c.Confirm {
		return fmt.Errorf("nothing was changed: keys revoked after %s are good again in this backup, and keys made since then unknown; "+
			"add --confirm if you know what happened since then", last)
	}
	return c.place(a, copied, target)
}

// vacant refuses to replace a database unless told to.
func (c *restoreCmd) vacant(target string) error {
	info, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Size() > 0 && !c.Force:
		return fmt.Errorf("there is a database at %s: --force moves it aside", target)
	}
	return nil
}

// examine checks the copy, brings it up to this version, says what is in it, and repeats the journal on it.
func (c *restoreCmd) examine(ctx context.Context, a *app, copied string, cfg config.Config) (last string, err error) {
	d, err := sqlite.Open(copied, sqlite.Options{})
	if err != nil {
		return "", err
	}
	at, _, err := d.Version(ctx)
	if err == nil && at == 0 {
		err = errors.New("it is no database of Keyward")
	}
	if err == nil {
		err = d.Check(ctx)
	}
	if err != nil {
		return "", errors.Join(err, d.Close())
	}
	db, err := openStore(ctx, d, cfg)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	events, err := db.VerifyLog(ctx)
	if err != nil {
		return "", err
	}
	newest, _, err := db.lastEvent(ctx)
	if err != nil {
		return "", err
	}
	strange, err := db.strangePeppers(ctx, cfg)
	if err != nil {
		return "", err
	}
	if len(strange) > 0 {
		return "", fmt.Errorf("it holds keys under peppers that are not configured (%v): set KEYWARD_PEPPER and KEYWARD_PEPPER_PREVIOUS", strange)
	}
	last = newest.CreatedAt.UTC().Format(time.RFC3339)
	facts(a.Out, "backup", c.File, "events", fmt.Sprint(events), "last event", last)
	if c.Journal == "" {
		return last, nil
	}
	j, err := db.repeat(ctx, c.Journal, newest.CreatedAt)
	if err != nil {
		return "", err
	}
	facts(a.Out, "journal", c.Journal, "repeated", fmt.Sprint(j.repeated), "left", fmt.Sprint(j.left))
	if len(j.owners) > 0 {
		facts(a.Out, "owners who left and are back", strings.Join(j.owners, " "))
	}
	return last, nil
}

// place moves what is there aside and the copy in.
func (c *restoreCmd) place(a *app, copied, target string) error {
	if _, err := os.Stat(target); err == nil {
		aside := target + ".replaced-" + time.Now().UTC().Format("20060102T150405Z")
		for _, part := range []string{"", "-wal", "-shm"} {
			if err := os.Rename(target+part, aside+part); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		facts(a.Out, "moved aside", aside)
	}
	if err := os.Rename(copied, target); err != nil {
		return err
	}
	facts(a.Out, "restored", target)
	return syncDir(target)
}

// copyFile copies to a new file that only its owner can read, down to the disk.
func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// removeDatabase removes a file with what SQLite puts beside it.
func removeDatabase(path string) {
	for _, part := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(path + part)
	}
}

// syncDir brings a renaming to the disk.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
