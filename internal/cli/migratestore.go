package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/keyward/keyward/internal/config"
	"github.com/keyward/keyward/internal/database"
	"github.com/keyward/keyward/internal/store/postgres"
	"github.com/keyward/keyward/internal/store/sqlite"
	"github.com/keyward/keyward/internal/storecopy"
)

type migrateStoreCmd struct {
	From  string `required:"" placeholder:"URL" help:"The database that is left: sqlite:FILE."`
	To    string `required:"" placeholder:"URL" help:"The one that is filled: postgres://USER@HOST/DATABASE. The password comes from PGPASSWORD or PGPASSFILE."`
	Abort bool   `help:"Give up a move that was broken off, so that changes are taken again."`
	JSON  bool   `help:"Print JSON."`
}

func (migrateStoreCmd) Help() string {
	return `Works while a server runs on the file. That goes on verifying all the time, and takes changes while everything is copied. Then the file
is frozen, for as long as it takes to copy what came in between and to compare every row: changes are answered 503 meanwhile. At the
end the counts and a SHA-256 over the rows of each table are printed, which were computed on both sides.

Where it fails or is interrupted before that, the file takes changes again and nothing is lost. Where the process was killed while
the file was frozen, run it again, or with --abort. What was copied is kept, and only the rest is done. The target must be an empty
database, or hold the beginnings of the same move; no server starts on it before everything is there.

Once it is complete: start the nodes on PostgreSQL with the other settings as they were (pepper, prefix, catalogue), lead the traffic
to them, and stop the old server. It verifies until then by what it has in memory, takes no changes, and is not told of theirs: a key
that is revoked at the new nodes is good at the old server until that is stopped.

Example:
  PGPASSWORD=… keyward migrate-store --from sqlite:/var/lib/keyward/keyward.db --to postgres://keyward@db.example.com/keyward`
}

// Run moves everything, or gives it up.
func (c *migrateStoreCmd) Run(ctx context.Context, a *app) (err error) {
	from, to, err := c.settings()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM) // the file is to take changes again
	defer stop()
	context.AfterFunc(ctx, stop)
	held, err := sqlite.Lock(from.Database + ".move")
	if errors.Is(err, sqlite.ErrLocked) {
		return errors.New("another migrate-store is at work on this file")
	}
	if err != nil {
		return err
	}
	defer held.Close()
	source, err := sqlite.Open(from.Database, sqlite.Options{})
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := postgres.Open(
		ctx, to.Postgres.Reveal(), postgres.Options{Connections: 2, PasswordFile: to.DatabasePasswordFile},
	)
	if err != nil {
		return fmt.Errorf("%s: %w", to.Database, err)
	}
	defer target.Close()
	if c.Abort {
		return c.abort(ctx, a, source, target)
	}
	return c.move(ctx, a, source, target, to.Database)
}

// settings reads the two URLs.
func (c *migrateStoreCmd) settings() (from, to config.Config, err error) {
	if from, err = loadWith(map[string]string{"database-url": c.From}); err != nil {
		return from, to, err
	}
	if to, err = loadWith(map[string]string{"database-url": c.To}); err != nil {
		return from, to, err
	}
	switch {
	case database.OnServer(&from):
		err = usageError(
			"--from: want sqlite:FILE: only a file is moved, between PostgreSQL servers use pg_dump and pg_restore",
		)
	case !database.OnServer(&to):
		err = usageError("--to: want postgres://USER@HOST/DATABASE: a file is moved by copying it, see keyward backup")
	}
	return from, to, err
}

func (c *migrateStoreCmd) abort(ctx context.Context, a *app, source *sqlite.Driver, target *postgres.Driver) error {
	m, err := source.Moving(ctx)
	if err != nil {
		return err
	}
	if err := storecopy.Abort(ctx, source, target); err != nil {
		return err
	}
	if m.To == "" {
		_, err = fmt.Fprintln(a.Out, "the file was not frozen")
		return err
	}
	_, err = fmt.Fprintln(a.Out, "the file takes changes again; drop the target, or move again later")
	return err
}

func (c *migrateStoreCmd) move(
	ctx context.Context, a *app, source *sqlite.Driver, target *postgres.Driver, to string,
) error {
	m, err := source.Moving(ctx)
	if err == nil && m.Gone {
		err = fmt.Errorf("%s was moved to %s already", c.From, m.To)
	}
	if err != nil {
		return err
	}
	bar := &bar{out: a.Err, watched: isTerminal(a.Err)}
	r, err := storecopy.Run(
		ctx, source, target, storecopy.Options{To: to, Now: time.Now, Progress: bar.show, Frozen: bar.frozen},
	)
	bar.end()
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, moved(r, to))
	}
	if !r.Resumed {
		t := newTable("TABLE", "ROWS", "SHA-256")
		var rows int64
		for _, n := range r.Tables {
			t.row(n.Table, fmt.Sprint(n.Rows), fmt.Sprintf("%x", n.Digest))
			rows += n.Rows
		}
		t.print(a.Out)
		fmt.Fprintf(
			a.Out, "\n%d rows are the same in both; no change was taken for %s\n", rows, r.Frozen.Round(time.Millisecond),
		)
	}
	fmt.Fprintf(
		a.Out, "everything is in %s now: start nodes on it, lead the traffic there, and stop the server on the file\n", to,
	)
	return nil
}

// movedJSON is a report for programs.
type movedJSON struct {
	Target         string           `json:"target"`
	Tables         []movedTableJSON `json:"tables"`
	FrozenSeconds  float64          `json:"frozenSeconds"`
	CompleteBefore bool             `json:"completeBefore"`
}

type movedTableJSON struct {
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"`
}

func moved(r storecopy.Report, to string) movedJSON {
	out := movedJSON{Target: to, Tables: []movedTableJSON{}, FrozenSeconds: r.Frozen.Seconds(), CompleteBefore: r.Resumed}
	for _, n := range r.Tables {
		out.Tables = append(out.Tables, movedTableJSON{n.Table, n.Rows, fmt.Sprintf("%x", n.Digest)})
	}
	return out
}

// bar shows the progress of a move: on a terminal as a bar, else a line for each walk through the tables.
type bar struct {
	out     io.Writer
	watched bool
	walk    int
	shown   time.Time
}

const (
	moveBarWidth = 30
	barEvery     = 100 * time.Millisecond
)

func (b *bar) show(p storecopy.Progress) {
	what := "copying"
	if p.Walk > 1 {
		what = "comparing"
	}
	if !b.watched {
		if p.Walk != b.walk {
			b.walk = p.Walk
			fmt.Fprintf(b.out, "%s %d rows\n", what, p.All)
		}
		return
	}
	now := time.Now()
	if now.Sub(b.shown) < barEvery && p.Done < p.All {
		return
	}
	b.shown = now
	share := 1.0
	if p.All > 0 {
		share = min(1, float64(p.Done)/float64(p.All))
	}
	full := int(share * moveBarWidth)
	fmt.Fprintf(
		b.out, "\r\x1b[K%-9s [%s%s] %3.0f %%  %s  %d written", what, strings.Repeat("=", full),
		strings.Repeat(" ", moveBarWidth-full), share*100, p.Table, p.Difference,
	)
}

func (b *bar) frozen(now bool) {
	b.end()
	if now {
		fmt.Fprintln(b.out, "the file is frozen: verifications go on, changes are answered 503")
	} else {
		fmt.Fprintln(b.out, "the file takes changes again")
	}
}

// end leaves the bar's line.
func (b *bar) end() {
	if b.watched && !b.shown.IsZero() {
		fmt.Fprintln(b.out)
		b.shown = time.Time{}
	}
}
