package cli

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/audit"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/store"
)

type timeCmd struct {
	Reset timeReset `cmd:"" help:"Release what a wrong clock left behind: time goes by the clock again."`
}

type timeReset struct {
	databaseFlags
	Yes bool `help:"Do not ask."`
}

func (timeReset) Help() string {
	return `Time never runs backwards: where a clock was far ahead for an hour or more, every key that had expired by it stays expired after the
clock is right again, and time goes on from there. This command sets it back to the clock: first look that the clock is right. It says
which keys it would bring back, asks, and leaves an event in the log (time.reset).

A SQLite file must not be served meanwhile: stop the server first. On PostgreSQL the clock is the database's, and the nodes hear of it.

Example:
  keyward time reset`
}

// shownKeys is how many keys that would come back are listed.
const shownKeys = 20

// Run shows the effects of a reset, asks, and does it.
func (c *timeReset) Run(ctx context.Context, a *app) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	db, err := open(ctx, cfg, true)
	if err != nil {
		return err
	}
	return errors.Join(c.reset(ctx, a, db), db.Close())
}

func (c *timeReset) reset(ctx context.Context, a *app, db *opened) error {
	behind := db.Time().Behind
	if behind == 0 {
		fmt.Fprintln(a.Out, "Time goes by the clock already: nothing is changed.")
		return nil
	}
	to := db.Reference()
	var from time.Time
	var n store.Ended
	var keys []apikey.Key
	err := db.View(ctx, func(v *store.View) (err error) {
		from = v.Now()
		n, keys, err = v.EndedBetween(to, from, shownKeys)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(
		a.Out, "The time of the database is %s, and the clock says %s: look that the clock is right.\n", instantOf(from),
		instantOf(to),
	)
	fmt.Fprintf(
		a.Out, "A reset brings back what had expired in between: %d API keys and %d service keys.\n", n.Keys, n.ServiceKeys,
	)
	c.show(a, n, keys)
	if !c.Yes && !agreed(a) {
		fmt.Fprintln(a.Out, "Nothing was changed.")
		return status(exitFailure)
	}
	_, err = db.Update(ctx, func(tx *store.Tx) error {
		was := tx.Now()
		return recordReset(tx, was, tx.ResetTime(), n)
	})
	if err == nil {
		fmt.Fprintf(a.Out, "Time goes by the clock again; it was %s ahead.\n", behind.Round(time.Second))
	}
	return err
}

func (c *timeReset) show(a *app, n store.Ended, keys []apikey.Key) {
	if len(keys) == 0 {
		return
	}
	t := newTable("KEY", "NAME", "WORKSPACE", "EXPIRES")
	for i := range keys {
		t.row(string(keys[i].ID), keys[i].Name, string(keys[i].Workspace), instantOf(keys[i].ExpiresAt))
	}
	t.print(a.Out)
	if more := n.Keys - int64(len(keys)); more > 0 {
		fmt.Fprintf(a.Out, "… and %d more\n", more)
	}
}

func instantOf(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// agreed asks on the terminal, or reads the answer from standard input. No answer is no.
func agreed(a *app) bool {
	fmt.Fprint(a.Out, "Reset? Type yes: ")
	line, _ := bufio.NewReader(a.In).ReadString('\n')
	return strings.TrimSpace(line) == "yes"
}

// recordReset writes the event of a reset, which is the first of the time that goes by the clock again.
func recordReset(tx *store.Tx, was, is time.Time, n store.Ended) error {
	type at struct {
		Time string `json:"time"`
	}
	metadata, err := json.Marshal(struct {
		Credential map[string]string `json:"credential"`
		Before     at                `json:"before"`
		After      at                `json:"after"`
		Note       map[string]int64  `json:"note"`
	}{map[string]string{"type": "command"}, at{instantOf(was)}, at{instantOf(is)},
		map[string]int64{"apiKeysBack": n.Keys, "serviceKeysBack": n.ServiceKeys}})
	if err != nil {
		return err
	}
	ids := id.NewGenerator(tx.Now, rand.Reader)
	return tx.Record(audit.Event{ID: id.Event(ids.Next()), Type: audit.TimeReset, ActorID: "keyward time reset",
		Description: fmt.Sprintf("time set back from %s to %s by command", instantOf(was), instantOf(is)),
		Metadata:    string(metadata)})
}
