package dashboard

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/id"
	"github.com/keyward/keyward/internal/text"
	"github.com/keyward/keyward/internal/usage"
)

// ranges are the lengths of time that can be looked at; "own" is from one day to another.
var ranges = []struct {
	id, name, word, granularity string
	length                      time.Duration // 0 is the usual one of the granularity
}{
	{"hour", "1 h", "the last hour", "minute", 0},
	{"day", "24 h", "the last 24 hours", "hour", 0},
	{"week", "7 d", "the last 7 days", "hour", 7 * 24 * time.Hour},
	{"month", "30 d", "the last 30 days", "day", 0},
	{"own", "Own", "these days", "", 0},
}

// seriesRange reads which length of time is looked at, and offers the others.
func (v *request) seriesRange() (t traffic, ask control.AskUsage, err error) {
	by, known := cmp.Or(v.query("by"), "day"), false
	for _, r := range ranges {
		if r.id == by {
			known = true
			t.Word, ask.Granularity = r.word, r.granularity
			if r.length > 0 {
				ask.From = v.now.Add(-r.length)
			}
		}
		t.Ranges = append(t.Ranges, choice{r.name, v.link("by", r.id), r.id == by})
	}
	if !known {
		return t, ask, fault.Invalid("by", "must be hour, day, week, month or own")
	}
	if by == "own" {
		err = v.ownRange(&t, &ask)
	}
	return t, ask, err
}

// ownRange reads the two days; without them it is the last week.
func (v *request) ownRange(t *traffic, ask *control.AskUsage) error {
	today := v.now.UTC()
	t.Own, t.From, t.To = true, cmp.Or(v.query("from"), today.AddDate(0, 0, -6).Format(time.DateOnly)), cmp.Or(
		v.query("to"), today.Format(time.DateOnly),
	)
	var err error
	if ask.From, err = day("from", t.From, 0); err != nil {
		return err
	}
	if ask.To, err = day("to", t.To, 1); err != nil {
		return err
	}
	if ask.To.After(v.now) {
		ask.To = time.Time{}
	}
	ask.Granularity = "hour"
	if v.now.Sub(ask.From) > 8*24*time.Hour {
		ask.Granularity = "day"
	}
	return nil
}

// traffic is a chart with the lengths of time to choose from.
type traffic struct {
	Chart  chart
	Ranges []choice
	Word   string // the length of time, as a sentence has it
	Seen   bool   // whether the visitor may see it at all

	Own      bool // from one day to another
	From, To string
	Hidden   [][]string // what else the address says

	grain usage.Grain
}

// workspaceTraffic draws the use of all keys of the workspace.
func (v *request) workspaceTraffic() (traffic, error) {
	t, ask, err := v.seriesRange()
	if err != nil {
		return traffic{}, err
	}
	if !v.may.May(account.AnalyticsRead) {
		return t, nil
	}
	s, err := v.d.Control.WorkspaceUsage(v.r.Context(), v.Caller, v.workspace(), ask)
	if err != nil {
		return t, err
	}
	t.Seen = true
	v.draw(&t, "Verifications of all keys in ", s)
	return t, nil
}

// keyTraffic draws the use of one key.
func (v *request) keyTraffic(k *control.Key) (traffic, error) {
	t, ask, err := v.seriesRange()
	if err != nil {
		return traffic{}, err
	}
	t.Seen = true
	s, err := v.d.Control.KeyUsage(v.r.Context(), v.Caller, string(k.ID), ask)
	if err == nil {
		v.draw(&t, "Verifications of this key in ", s)
	}
	return t, err
}

// draw draws a series with a legend that filters it.
func (v *request) draw(t *traffic, about string, s *usage.Series) {
	only := v.query("show")
	known := false
	for code := range usage.Codes {
		known = known || code.String() == only
	}
	if !known {
		only = ""
	}
	t.grain = s.Grain
	t.Chart = draw(about+t.Word, only, s)
	for i := range t.Chart.Legend {
		one := &t.Chart.Legend[i]
		if one.On {
			one.Link = v.keep("show", "")
		} else {
			one.Link = v.keep("show", one.Link)
		}
	}
	for i := range t.Ranges {
		t.Ranges[i].Link = v.keep("by", ranges[i].id)
	}
	v.leadToRefusals(&t.Chart)
	for _, name := range []string{"tab", "show"} {
		if value := v.query(name); value != "" {
			t.Hidden = append(t.Hidden, []string{name, value})
		}
	}
}

// mostLinked is how many bars lead to a list: more would make the page too large, and are too narrow to hit.
const mostLinked = 200

// leadToRefusals makes a bar lead to the refusals of its time, and each part of it to those with its outcome.
func (v *request) leadToRefusals(c *chart) {
	page := v.r.URL.Path
	if page == "/" {
		page = "/usage"
	}
	q := v.r.URL.Query()
	for _, gone := range []string{"permission", "any", "ip", "at", "show"} {
		q.Del(gone)
	}
	for i := range c.Slots {
		s := &c.Slots[i]
		if s.Refused == 0 || len(c.Slots) > mostLinked {
			for j := range s.Parts {
				s.Parts[j].Link = ""
			}
			continue
		}
		to := func(show string) string {
			q.Set("at", time.UnixMilli(s.at).UTC().Format(atForm))
			q.Del("show")
			if show != "" {
				q.Set("show", show)
			}
			return page + "?" + q.Encode() + "#refusals"
		}
		s.Link = to(c.Only)
		for j := range s.Parts {
			s.Parts[j].Link = to(s.Parts[j].Link)
		}
	}
}

// atForm is how an address has the beginning of a bar.
const atForm = "2006-01-02T15:04"

// clicked tells which bar the visitor has clicked on; ok is false for none.
func (v *request) clicked(t *traffic) (from, to time.Time, ok bool) {
	at, err := time.ParseInLocation(atForm, v.query("at"), time.UTC)
	if err != nil {
		return from, to, false
	}
	return at, at.Add(t.grain.Length()), true
}

// keep is the address of this page with one thing of it changed, "" for left out.
func (v *request) keep(name, value string) string {
	q := v.r.URL.Query()
	for _, gone := range []string{name, "permission", "any", "ip"} {
		q.Del(gone)
	}
	if name == "by" { // a moment of another chart
		q.Del("at")
	}
	if value != "" {
		q.Set(name, value)
	}
	return "?" + q.Encode()
}

// busy is a key with its recent use.
type busy struct {
	keyRow
	Verified, Refused int64
	Bar               string
}

const (
	busyAmong = 100 // of the keys that were used last
	busyShown = 8
)

// busiest finds the keys with the most verifications in a span, among those that were used last.
func (v *request) busiest(ask control.AskUsage) ([]busy, error) {
	keys, _, err := v.d.Control.ListKeys(
		v.r.Context(),
		v.Caller,
		control.ListKeys{Workspace: v.workspace(), Order: apikey.ByLastUse,
			Paging: control.Paging{Limit: busyAmong}},
	)
	if err != nil {
		return nil, err
	}
	keys = slices.DeleteFunc(keys, func(k control.Key) bool { return k.LastUsedAt.IsZero() })
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = string(k.ID)
	}
	all, err := v.d.Control.KeysUsage(v.r.Context(), v.Caller, ids, ask)
	if err != nil {
		return nil, err
	}
	var out []busy
	for _, k := range keys {
		if s := all[string(k.ID)]; s != nil {
			total := s.Total()
			if n := total.Total(); n > 0 {
				out = append(out, busy{keyRow: v.row(k), Verified: total[usage.Verified], Refused: n - total[usage.Verified]})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b busy) int { return cmp.Compare(b.Verified+b.Refused, a.Verified+a.Refused) })
	for i := range out {
		out[i].Bar = percent(100 * float64(out[i].Verified+out[i].Refused) / float64(out[0].Verified+out[0].Refused))
	}
	return out, nil
}

type usageBody struct {
	Traffic traffic
	Plan    []meter // the limits that all keys share
	Busiest []busy
	Own     bool // the busiest are among the visitor's own keys

	Refusals refusals
	Demanded []codeCount // permissions that were lacking, by the latest refusals
	People   []usedBy
	Export   string

	Permissions []demandedUse
	ExportByP   string
}

// usedBy is the use of one person's keys, among those that were used last.
type usedBy struct {
	person
	Verified, Refused int64
	Bar               string
}

// byPerson sums the use of keys by their owners, the most first.
func byPerson(keys []busy) (out []usedBy) {
	at := map[id.User]int{}
	for i := range keys {
		k := &keys[i]
		n, known := at[k.User]
		if !known {
			n = len(out)
			at[k.User] = n
			out = append(out, usedBy{person: member(k.User, k.Creator.DisplayName)})
		}
		out[n].Verified += k.Verified
		out[n].Refused += k.Refused
	}
	slices.SortStableFunc(out, func(a, b usedBy) int { return cmp.Compare(b.Verified+b.Refused, a.Verified+a.Refused) })
	for i := range out {
		out[i].Bar = percent(100 * float64(out[i].Verified+out[i].Refused) / float64(out[0].Verified+out[0].Refused))
	}
	return out[:min(len(out), busyShown)]
}

// exportUsage gives the use of all keys as a file.
func (d *Dashboard) exportUsage(v *request) error {
	_, ask, err := v.seriesRange()
	if err != nil {
		return err
	}
	if v.query("of") == "permissions" {
		out, err := v.exportPermissions(ask)
		if err != nil {
			return err
		}
		v.sendCSV("keyward-permissions.csv", out)
		return nil
	}
	s, err := d.Control.WorkspaceUsage(v.r.Context(), v.Caller, v.workspace(), ask)
	if err != nil {
		return err
	}
	head := []string{"start"}
	for code := range usage.Codes {
		head = append(head, code.String())
	}
	out := text.Record(head...)
	for i := range s.Buckets {
		line := []string{time.UnixMilli(s.Buckets[i].Start).UTC().Format(time.RFC3339)}
		for code := range usage.Codes {
			line = append(line, strconv.FormatInt(s.Buckets[i].Counts[code], 10))
		}
		out += text.Record(line...)
	}
	v.sendCSV("keyward-usage.csv", out)
	return nil
}

func (v *request) sendCSV(name, content string) {
	h := v.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = v.w.Write([]byte(content)) // a visitor who has gone needs no answer
}

// usagePage is how often keys are used.
func (d *Dashboard) usagePage(v *request) error {
	t, err := v.workspaceTraffic()
	if err != nil {
		return err
	}
	b := usageBody{Traffic: t, Plan: v.planMeters(), Own: !v.seesAll(), Export: v.keep("show", "")}
	if v.may.May(account.APIKeysRead) {
		_, ask, err := v.seriesRange()
		if err != nil {
			return err
		}
		if b.Busiest, err = v.busiest(ask); err != nil {
			return err
		}
		b.People = byPerson(b.Busiest)
		b.Busiest = b.Busiest[:min(len(b.Busiest), busyShown)]
	}
	if t.Seen {
		_, ask, err := v.seriesRange()
		if err != nil {
			return err
		}
		if b.Permissions, err = v.byPermission(ask); err != nil {
			return err
		}
		b.ExportByP = v.keep("of", "permissions")
	}
	if v.may.May(account.WorkspaceLogsRead) {
		all, err := d.Control.WorkspaceRefusals(v.r.Context(), v.Caller, v.workspace(), 0)
		if err != nil {
			return err
		}
		b.Demanded = demanded(all)
		b.Refusals = v.refusals(all, true, &b.Traffic)
	}
	return v.show(page{Title: "Usage", Section: "usage", Wide: true, Styles: []string{"people.css"}, Body: b})
}

// sparks draws the last thirty days of each key of a page.
func (v *request) sparks(rows []keyRow) error {
	ids := make([]string, len(rows))
	for i, k := range rows {
		ids[i] = string(k.ID)
	}
	all, err := v.d.Control.KeysUsage(v.r.Context(), v.Caller, ids, control.AskUsage{Granularity: "day"})
	if err != nil {
		return err
	}
	for i := range rows {
		if s := all[ids[i]]; s != nil {
			rows[i].Spark = drawSpark(s)
		}
	}
	return nil
}
