package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/keyward/keyward"
)

type usageCmd struct {
	remote
	ID        string   `arg:"" optional:"" help:"A key's id; without it, and without --workspace, the whole installation."`
	Workspace string   `short:"w" placeholder:"ID" help:"All keys of this workspace together."`
	By        string   `enum:"minute,hour,day" default:"hour" placeholder:"LENGTH" help:"minute, hour (the default) or day."`
	From      pastFlag `placeholder:"WHEN" help:"Where it begins: a date, a time, or a span that lies back, such as 7d."`
	To        pastFlag `placeholder:"WHEN" help:"Where it ends: the same. Default: now."`

	Permissions bool `help:"By permission: which ones of the key are used, or what was demanded in the workspace, by whole days."`
	Workspaces  bool `help:"The workspaces of the installation side by side."`
}

func (usageCmd) Help() string {
	return `Draws how often was verified, and how often refused (lighter, and red where there are colours), in times of UTC.

Examples:
  keyward usage KEY_ID
  keyward usage KEY_ID --by minute         (and what is left of the key's limits)
  keyward usage -w WORKSPACE --by day --from 90d   (and what is left of its plan)
  keyward usage KEY_ID --permissions
  keyward usage --workspaces --from 7d
  keyward usage --json`
}

// Run draws the usage.
func (c *usageCmd) Run(ctx context.Context, a *app) error {
	client, err := c.client(a)
	if err != nil {
		return err
	}
	if c.Workspace != "" {
		if c.Workspace, err = workspaceID(ctx, client, c.Workspace); err != nil {
			return err
		}
	}
	now := time.Now()
	opts := keyward.UsageOptions{Granularity: keyward.Granularity(c.By), From: c.From.at(now), To: c.To.at(now)}
	switch {
	case c.Permissions && c.Workspaces:
		return usageError("--permissions and --workspaces do not go together")
	case c.Permissions:
		return c.byPermission(ctx, a, client, opts)
	case c.Workspaces:
		return c.byWorkspace(ctx, a, client, opts)
	}
	u, of, err := c.ask(ctx, client, opts)
	if err != nil {
		return err
	}
	var left *keyward.KeyLimits // of a key, or of a workspace's plan
	switch {
	case c.ID != "":
		left, err = limitsLeft(client.KeyLimits(ctx, c.ID))
	case c.Workspace != "":
		left, err = limitsLeft(client.WorkspaceLimits(ctx, c.Workspace))
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Out, struct {
			keyward.Usage
			Left *keyward.KeyLimits `json:"left,omitzero"`
		}{u, left})
	}
	drawUsage(a.Out, of, keyward.Granularity(c.By), u)
	if left != nil {
		printLeft(a.Out, left, time.Now())
	}
	return nil
}

// limitsLeft is nil where the server is of a release that cannot tell.
func limitsLeft(left keyward.KeyLimits, err error) (*keyward.KeyLimits, error) {
	var refusal *keyward.Error
	if errors.As(err, &refusal) && refusal.Status == http.StatusNotFound {
		return nil, nil
	}
	return &left, err
}

// printLeft says what is left of each limit and when it returns.
func printLeft(w io.Writer, left *keyward.KeyLimits, now time.Time) {
	for _, one := range []struct {
		name string
		w    *keyward.Window
	}{
		{"this minute", left.Limits.Minute}, {"today (UTC)", left.Limits.Day},
		{"all keys of the workspace, this minute", left.Limits.WorkspaceMinute},
		{"all keys of the workspace, today (UTC)", left.Limits.WorkspaceDay},
	} {
		if one.w == nil {
			continue
		}
		line := fmt.Sprintf("left %s: %d of %d", one.name, one.w.Remaining, one.w.Limit)
		if one.w.Remaining < one.w.Limit {
			line += fmt.Sprintf(", all back at %s", moment(&one.w.ResetAt))
		}
		fmt.Fprintln(w, line)
	}
	if left.RetryAt != nil && left.RetryAt.After(now) {
		fmt.Fprintln(w, paint(w, red, "no request is admitted before "+moment(left.RetryAt)))
	}
}

func (c *usageCmd) ask(
	ctx context.Context, client *keyward.Client, opts keyward.UsageOptions,
) (u keyward.Usage, of string, err error) {
	switch {
	case c.ID != "" && c.Workspace != "":
		return u, "", usageError("a key is in one workspace: give its id, or --workspace, not both")
	case c.ID != "":
		u, err = client.KeyUsage(ctx, c.ID, opts)
		return u, "key " + c.ID, err
	case c.Workspace != "":
		u, err = client.WorkspaceUsage(ctx, c.Workspace, opts)
		return u, "workspace " + c.Workspace, err
	}
	u, err = client.Usage(ctx, opts)
	return u, "everything", err
}

const (
	barWidth = 40
	mostBars = 60 // more are drawn as rows of small columns
)

func drawUsage(w io.Writer, of string, by keyward.Granularity, u keyward.Usage) {
	fmt.Fprintf(w, "%s\n", paint(w, bold, fmt.Sprintf("Usage of %s by %s", visible(of), by)))
	highest := int64(1)
	for _, b := range u.Series {
		highest = max(highest, b.Verified+refused(b))
	}
	if len(u.Series) <= mostBars {
		drawBars(w, by, u.Series, highest)
	} else {
		drawColumns(w, by, u.Series, highest)
	}
	fmt.Fprintf(w, "total %d%s\n", u.Total, outcomes(u.Series))
}

func refused(b keyward.UsageBucket) (n int64) {
	for _, k := range b.Denied {
		n += k
	}
	return n
}

// drawBars draws a line for each bucket: the verified requests, then the refused ones.
func drawBars(w io.Writer, by keyward.Granularity, series []keyward.UsageBucket, highest int64) {
	for _, b := range series {
		denied := refused(b)
		good, bad := barOf(b.Verified, highest), barOf(denied, highest)
		text := paint(w, green, strings.Repeat("█", good)) + paint(w, red, strings.Repeat("░", bad))
		line := fmt.Sprintf("%s  %s%s", startOf(by, b.Start), text, strings.Repeat(" ", max(barWidth+1-good-bad, 0)))
		if b.Verified+denied > 0 {
			line += fmt.Sprintf(" %d", b.Verified)
		}
		if denied > 0 {
			line += fmt.Sprintf(", %d refused", denied)
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

// barOf is a bar's length; a number above zero is visible.
func barOf(n, highest int64) int {
	if n == 0 {
		return 0
	}
	return max(int(n*barWidth/highest), 1)
}

// rowOf is how many columns stand in a row: an hour of minutes, a day of hours, a month of days.
var rowOf = map[keyward.Granularity]int{
	keyward.GranularityMinute: 60, keyward.GranularityHour: 24, keyward.GranularityDay: 30,
}

var columns = []rune(" ▁▂▃▄▅▆▇█")

// drawColumns draws rows of small columns, as high as the counts.
func drawColumns(w io.Writer, by keyward.Granularity, series []keyward.UsageBucket, highest int64) {
	for row := range slices.Chunk(series, rowOf[by]) {
		var drawn strings.Builder
		var sum int64
		for _, b := range row {
			n := b.Verified + refused(b)
			sum += n
			c := string(columns[(n*int64(len(columns)-1)+highest-1)/highest])
			if refused(b) > b.Verified {
				c = paint(w, red, c)
			}
			drawn.WriteString(c)
		}
		fmt.Fprintf(
			w, "%s  %s%s  %d\n", startOf(by, row[0].Start), drawn.String(), strings.Repeat(" ", rowOf[by]-len(row)), sum,
		)
	}
}

func startOf(by keyward.Granularity, t time.Time) string {
	if by == keyward.GranularityDay {
		return t.UTC().Format(time.DateOnly)
	}
	return t.UTC().Format("01-02 15:04")
}

// outcomes lists how often each code occurred.
func outcomes(series []keyward.UsageBucket) string {
	sums := map[string]int64{}
	for _, b := range series {
		sums[string(keyward.VerdictValid)] += b.Verified
		for code, n := range b.Denied {
			sums[string(code)] += n
		}
	}
	out := ""
	for _, code := range slices.Sorted(maps.Keys(sums)) {
		if sums[code] > 0 {
			out += fmt.Sprintf("  %s %d", visible(code), sums[code])
		}
	}
	return out
}
