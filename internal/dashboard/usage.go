package dashboard

import (
	"cmp"
	"slices"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/fault"
	"github.com/keyward/keyward/internal/usage"
)

// seriesRange reads which length of time is looked at, and offers the others.
func (v *request) seriesRange() (granularity, name string, choices []choice, err error) {
	by := cmp.Or(v.query("by"), "day")
	for _, r := range ranges {
		if r.id == by {
			granularity, name = r.granularity, r.name
		}
		choices = append(choices, choice{r.name, v.link("by", r.id), r.id == by})
	}
	if granularity == "" {
		err = fault.Invalid("by", "must be hour, day or month")
	}
	return granularity, name, choices, err
}

var rangeWords = map[string]string{"Hour": "the last hour", "Day": "the last 24 hours", "Month": "the last 30 days"}

// traffic is a chart with the lengths of time to choose from.
type traffic struct {
	Chart  chart
	Ranges []choice
	Word   string // the length of time, as a sentence has it
	Seen   bool   // whether the visitor may see it at all
}

// workspaceTraffic draws the use of all keys of the workspace.
func (v *request) workspaceTraffic() (traffic, error) {
	granularity, name, choices, err := v.seriesRange()
	if err != nil {
		return traffic{}, err
	}
	t := traffic{Ranges: choices, Word: rangeWords[name]}
	if !v.may.May(account.AnalyticsRead) {
		return t, nil
	}
	s, err := v.d.Control.WorkspaceUsage(v.r.Context(), v.Caller, v.workspace(), control.AskUsage{Granularity: granularity})
	if err != nil {
		return t, err
	}
	t.Seen, t.Chart = true, draw("Verifications of all keys in "+t.Word, s)
	return t, nil
}

// keyTraffic draws the use of one key.
func (v *request) keyTraffic(k *control.Key) (traffic, error) {
	granularity, name, choices, err := v.seriesRange()
	if err != nil {
		return traffic{}, err
	}
	t := traffic{Ranges: choices, Word: rangeWords[name], Seen: true}
	s, err := v.d.Control.KeyUsage(v.r.Context(), v.Caller, string(k.ID), control.AskUsage{Granularity: granularity})
	if err == nil {
		t.Chart = draw("Verifications of this key in "+t.Word, s)
	}
	return t, err
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
func (v *request) busiest(granularity string) ([]busy, error) {
	keys, _, err := v.d.Control.ListKeys(v.r.Context(), v.Caller, control.ListKeys{Workspace: v.workspace(), Order: apikey.ByLastUse,
		Paging: control.Paging{Limit: busyAmong}})
	if err != nil {
		return nil, err
	}
	keys = slices.DeleteFunc(keys, func(k control.Key) bool { return k.LastUsedAt.IsZero() })
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = string(k.ID)
	}
	all, err := v.d.Control.KeysUsage(v.r.Context(), v.Caller, ids, control.AskUsage{Granularity: granularity})
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
	out = out[:min(len(out), busyShown)]
	for i := range out {
		out[i].Bar = percent(100 * float64(out[i].Verified+out[i].Refused) / float64(out[0].Verified+out[0].Refused))
	}
	return out, nil
}

type usageBody struct {
	Traffic traffic
	Busiest []busy
	Own     bool // the busiest are among the visitor's own keys
}

// usagePage is how often keys are used.
func (d *Dashboard) usagePage(v *request) error {
	t, err := v.workspaceTraffic()
	if err != nil {
		return err
	}
	b := usageBody{Traffic: t, Own: !v.seesAll()}
	if v.may.May(account.APIKeysRead) {
		granularity, _, _, err := v.seriesRange()
		if err != nil {
			return err
		}
		if b.Busiest, err = v.busiest(granularity); err != nil {
			return err
		}
	}
	return v.show("usage", page{Title: "Usage", Section: "usage", Wide: true, Body: b})
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
