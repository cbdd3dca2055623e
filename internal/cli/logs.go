package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/keyward/keyward"
)

type logsCmd struct {
	Show   logsShow   `cmd:"" default:"withargs" help:"Show the log, newest first."`
	Verify logsVerify `cmd:"" help:"Check in a database file that nobody changed the log."`

	Archive logsArchive `cmd:"" help:"Move the oldest events out of a database into a file."`
}

func (logsCmd) Help() string {
	return `Examples:
  keyward logs -w WORKSPACE --type api_key.created --from 7d
  keyward logs --follow
  keyward logs --format ndjson --limit 0 > log.ndjson
  keyward logs verify --database-url sqlite:/var/lib/keyward/keyward.db`
}

type logsShow struct {
	remote
	inWorkspace
	Type   string   `api:"eventType" placeholder:"NOUN.VERBED" help:"Only this kind of event, such as api_key.created."`
	Actor  string   `api:"actorId" placeholder:"ID" help:"Only what this user or service key did."`
	Search string   `placeholder:"TEXT" help:"Only events with this in them."`
	From   pastFlag `placeholder:"WHEN" help:"Not before: a date, a time, or a span that lies back, such as 7d."`
	To     pastFlag `placeholder:"WHEN" help:"Before: the same."`
	Limit  int      `default:"100" placeholder:"N" help:"Show at most so many; 0 shows all."`
	Format string   `enum:"table,json,ndjson,csv" default:"table" placeholder:"FORMAT" help:"table, json, ndjson or csv."`
	Follow bool     `short:"f" help:"Go on showing what happens, oldest first, until Ctrl-C. With the formats table and ndjson."`
}

// Run shows the log.
func (c *logsShow) Run(ctx context.Context, a *app) error {
	client, err := c.mayEnter(ctx, a, &c.remote)
	if err != nil {
		return err
	}
	opts := c.options(time.Now())
	if c.JSON && c.Format == "table" {
		c.Format = "json"
	}
	switch {
	case c.Follow && (c.Format == "csv" || c.Format == "json"):
		return usageError("--follow goes with the formats table and ndjson")
	case c.Follow:
		return c.follow(ctx, a, client, opts)
	case c.Format == "csv" || c.Format == "ndjson":
		return c.export(ctx, a, client, opts)
	case c.Format == "json":
		c.JSON = true
	}
	opts.Limit = 0
	return show(a, &c.remote, listing{c.Limit}, client.AllLogs(ctx, opts),
		[]string{"TIME", "TYPE", "ACTOR", "WHAT"}, func(e keyward.LogEntry) []string {
			return []string{moment(&e.CreatedAt), e.EventType, e.ActorID, e.EventDescription}
		})
}

func (c *logsShow) options(now time.Time) keyward.ListLogsOptions {
	return keyward.ListLogsOptions{
		WorkspaceID: c.Workspace, Search: c.Search, EventType: c.Type, ActorID: c.Actor, Limit: c.Limit,
		From: c.From.at(now), To: c.To.at(now),
	}
}

func (c *logsShow) export(ctx context.Context, a *app, client *keyward.Client, opts keyward.ListLogsOptions) error {
	r, err := client.ExportLogs(ctx, opts, keyward.ExportFormat(c.Format))
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(a.Out, r)
	return err
}

// followEvery is how often the server is asked for news.
const followEvery = time.Second

// follow shows the newest events, oldest first, and then new ones.
func (c *logsShow) follow(ctx context.Context, a *app, client *keyward.Client, opts keyward.ListLogsOptions) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	opts.Limit = 0
	begin, _, err := gather(client.AllLogs(ctx, opts), max(c.Limit, 1))
	if err != nil {
		return err
	}
	slices.Reverse(begin)
	seen := tail{print: func(e keyward.LogEntry) error { return c.printEvent(a.Out, e) }}
	if err := seen.take(begin); err != nil {
		return err
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		at := opts
		at.SortOrder = keyward.Ascending
		if !seen.last.IsZero() {
			at.From = seen.last
		}
		news, _, err := gather(client.AllLogs(ctx, at), 0)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := seen.take(news); err != nil {
			return err
		}
	}
}

// tail remembers the events of the last instant that was shown, since others of the same millisecond may follow.
type tail struct {
	print func(keyward.LogEntry) error
	last  time.Time
	ids   []string
}

func (t *tail) take(events []keyward.LogEntry) error {
	for _, e := range events {
		if slices.Contains(t.ids, e.ID) || e.CreatedAt.Before(t.last) {
			continue
		}
		if e.CreatedAt.After(t.last) {
			t.last, t.ids = e.CreatedAt, nil
		}
		t.ids = append(t.ids, e.ID)
		if err := t.print(e); err != nil {
			return err
		}
	}
	return nil
}

func (c *logsShow) printEvent(w io.Writer, e keyward.LogEntry) error {
	if c.Format == "ndjson" {
		return json.NewEncoder(w).Encode(e)
	}
	_, err := fmt.Fprintf(
		w, "%s  %s  %s  %s\n", moment(&e.CreatedAt), paint(w, bold, visible(e.EventType)), visible(e.ActorID),
		visible(e.EventDescription),
	)
	return err
}
