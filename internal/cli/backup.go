package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/database"
	"github.com/keyward/keyward/internal/store"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/sqlite"
)

type backupCmd struct {
	databaseFlags
	File   string `arg:"" optional:"" type:"path" help:"Where to; it must not be there yet."`
	Record bool   `help:"Make no backup, and have Keyward know that one was made now by other means. A FILE gives its size."`
	Verify bool   `help:"Try out a backup that is there instead: restore it into a temporary place, check it, and compare every key."`
}

func (backupCmd) Help() string {
	return `Works beside a running server and stops nobody. The file holds names, addresses and the log, and neither the value of any key nor
the pepper: keep that apart.

With --verify a backup is tried out: it is restored into a temporary place, its pages, its chain of hashes and its peppers are checked, and
every key is compared with what the log says of it. Where the database is at hand, too, it is said how many keys a restore would bring
back, widen or forget. Ends with status 1 where the backup is not whole.

Example:
  keyward backup /var/backups/keyward-$(date +%F).db --database-url sqlite:/var/lib/keyward/keyward.db
  keyward backup --verify /var/backups/keyward-2026-11-29.db

A PostgreSQL database is backed up with PostgreSQL's own tools: pg_dump, or pg_basebackup and the archive of the write-ahead log. Say
--record after each, and keyward status and the dashboard know of it:
  pg_dump -Fc -f keyward.dump "$URL" && keyward backup --record keyward.dump`
}

// Run copies the database.
func (c *backupCmd) Run(ctx context.Context, a *app) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if c.Record {
		return c.record(ctx, a, &cfg)
	}
	instead := postgres.ErrBackup.Error()
	if c.Verify {
		instead = "try a dump of it by pg_restore into another database, and look at that with keyward doctor --database-url"
	}
	if err := fileOnly(cfg, instead); err != nil {
		return err
	}
	if c.File == "" {
		return usageError("FILE is missing: where the backup is to be written")
	}
	if c.Verify {
		return c.verify(ctx, a, cfg)
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
	if err := store.NoteBackup(ctx, d, store.Backup{At: time.Now(), Bytes: info.Size()}); err != nil {
		fmt.Fprintf(a.Err, "keyward: the backup is whole, and could not be noted in the database: %s\n", oneLine(err))
	}
	_, err = fmt.Fprintf(a.Out, "%s: %d bytes\n", c.File, info.Size())
	return err
}

// record notes a backup that another program has made.
func (c *backupCmd) record(ctx context.Context, a *app, cfg *config.Config) error {
	if c.Verify {
		return usageError("--record and --verify do not go together")
	}
	made := store.Backup{At: time.Now()}
	if c.File != "" {
		info, err := os.Stat(c.File)
		if err != nil {
			return err
		}
		made.Bytes = info.Size()
	}
	d, err := database.OpenCurrent(ctx, cfg, database.Options{Connections: few})
	if err != nil {
		return err
	}
	defer d.Close()
	if err := store.NoteBackup(ctx, d, made); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.Out, "A backup is noted.")
	return err
}
