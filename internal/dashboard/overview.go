package dashboard

import (
	"time"

	"github.com/keyward/keyward/internal/account"
	"github.com/keyward/keyward/internal/apikey"
	"github.com/keyward/keyward/internal/control"
	"github.com/keyward/keyward/internal/ratelimit"
	"github.com/keyward/keyward/internal/verify"
)

type overviewBody struct {
	Standings control.Standings
	Stats     []stats
	Own       bool   // the keys that are counted and listed are the visitor's own
	Unseen    string // what there is to say of the others
	Sees      bool   // keys at all
	Traffic   traffic
	Busiest   []busy
	Attention []attention
	Active    bool // the workspace
}

// stats are figures of the same things: one's own keys and the whole traffic never stand in one row.
type stats struct {
	Title string // "" where there is one row
	Stats []stat
}

// stat is one figure at a glance, and where its list is.
type stat struct{ Name, Value, Text, Link, Tone string }

// attention is a key that needs a look, and the reason.
type attention struct {
	keyRow
	Why  string
	Tone string
	Can  keyActions
	Act  string // the action that lies nearest: rotate, edit, disable or delete
}

// overview is the workspace at a glance.
func (d *Dashboard) overview(v *request) error {
	b := overviewBody{Sees: v.may.May(account.APIKeysRead), Active: v.may.Workspace.IsActive}
	var err error
	if b.Traffic, err = v.workspaceTraffic(); err != nil {
		return err
	}
	if b.Sees {
		if b.Standings, err = d.Control.KeyStandings(v.r.Context(), v.Caller, v.workspace()); err != nil {
			return err
		}
		if b.Busiest, err = v.busiest(control.AskUsage{Granularity: "hour"}); err != nil {
			return err
		}
		b.Busiest = b.Busiest[:min(len(b.Busiest), busyShown)]
		if b.Attention, err = v.attention(b.Standings, b.Busiest); err != nil {
			return err
		}
	}
	if b.Own = b.Sees && !v.seesAll(); b.Own {
		b.Unseen = v.unseen(b.Standings.Others)
	}
	b.Stats = v.stats(&b)
	return v.show(page{Title: "Overview", Section: "overview", Wide: true, Body: b})
}

func (v *request) stats(b *overviewBody) []stats {
	const most = control.MostCounted
	var keys, asked []stat
	if b.Sees {
		s := b.Standings
		active := s.Total - s.Disabled - s.Expired
		word := number(active)
		if s.Disabled >= most || s.Expired >= most {
			word = "at most " + word
		}
		tone := func(n int64, t string) string {
			if n == 0 {
				return ""
			}
			return t
		}
		keys = append(keys,
			stat{"Active keys", word, "of " + number(s.Total), "/keys?view=active", ""},
			stat{"Expiring", counted(s.Expiring, most), "within 14 days", "/keys?view=expiring", tone(s.Expiring, "warn")},
			stat{"Unused", counted(s.Unused, most), "for 90 days", "/keys?view=unused", tone(s.Unused, "warn")})
	}
	if b.Traffic.Seen {
		c := b.Traffic.Chart
		share := "nothing was asked"
		if n := c.Verified + c.Refused; n > 0 {
			share = percentWord(c.Refused, n) + " of " + number(n)
		}
		tone := ""
		if c.Refused > 0 {
			tone = "bad"
		}
		asked = append(asked, stat{"Verified", short(c.Verified), "in " + b.Traffic.Word, "/usage", ""},
			stat{"Refused", short(c.Refused), share, "/usage", tone})
	}
	if !b.Own || asked == nil {
		return []stats{{Stats: append(keys, asked...)}}
	}
	return []stats{{"Your keys", keys}, {"All keys of " + v.may.Workspace.Name, asked}}
}

func percentWord(n, of int64) string {
	switch p := 100 * float64(n) / float64(of); {
	case n == 0:
		return "none"
	case p < 1:
		return "less than 1 %"
	default:
		return number(int64(p+.5)) + " %"
	}
}

const attendEach = 4 // keys of each kind

// attention gathers the keys that need a look: those that expire, unused ones, those about to run out, those of a
// creator who has gone.
func (v *request) attention(s control.Standings, busiest []busy) ([]attention, error) {
	var out []attention
	for _, one := range []struct {
		n        int64
		standing apikey.Standing
		order    apikey.Order
		why      func(*control.Key) string
		act      string
	}{
		{s.Expiring, apikey.Expiring, apikey.ByExpiry,
			func(k *control.Key) string { return "Expires " + relative(k.ExpiresAt.Sub(v.now)) }, "edit"},
		{s.Orphans, apikey.Orphaned, apikey.NewestFirst,
			func(k *control.Key) string { return "Its creator " + string(k.User) + " has left" }, "rotate"},
		{s.Unused, apikey.Unused, apikey.ByLeastUse, v.whyIdle, "disable"},
	} {
		if one.n == 0 {
			continue
		}
		keys, _, err := v.d.Control.ListKeys(
			v.r.Context(),
			v.Caller,
			control.ListKeys{Workspace: v.workspace(), Standing: one.standing,
				Order: one.order, Paging: control.Paging{Limit: attendEach}},
		)
		if err != nil {
			return nil, err
		}
		for i := range keys {
			out = append(out, attention{v.row(keys[i]), one.why(&keys[i]), "warn", v.actions(&keys[i]), one.act})
		}
	}
	for i := range busiest {
		if why := v.nearQuota(&busiest[i].Key); why != "" {
			out = append(out, attention{busiest[i].keyRow, why, "bad", v.actions(&busiest[i].Key), "edit"})
		}
	}
	return out, nil
}

func (v *request) whyIdle(k *control.Key) string {
	if k.LastUsedAt.IsZero() {
		return "Never used, made " + relative(k.CreatedAt.Sub(v.now))
	}
	return "Last used " + relative(k.LastUsedAt.Sub(v.now))
}

// nearQuota says how much of a limit is left where that is little.
func (v *request) nearQuota(k *control.Key) string {
	s, ok := v.limitsNow(k)
	if !ok {
		return ""
	}
	if w := s.Day; w.Limit > 0 && w.Remaining*10 <= w.Limit {
		return "Only " + number(w.Remaining) + " of " + number(w.Limit) + " requests are left today"
	}
	if w := s.WorkspaceDay; w.Limit > 0 && w.Remaining*10 <= w.Limit {
		return "Only " + number(w.Remaining) + " of the workspace's " + number(w.Limit) + " requests are left today"
	}
	return ""
}

// limitsNow asks how a key's limits stand, and spends nothing.
func (v *request) limitsNow(k *control.Key) (ratelimit.Status, bool) {
	if k.Limits == (ratelimit.Limits{}) && v.may.Workspace.Plan.Shared == (ratelimit.Limits{}) {
		return ratelimit.Status{}, false
	}
	var verdict verify.Verdict
	v.d.Engine.Simulate(k.Value.Digest.Sum, verify.Question{}, &verdict)
	return v.d.Engine.LimitStatus(&verdict)
}

// meter is one limit as it stands.
type meter struct {
	Name, Text, Share string
	Hot               bool
}

// meters are the limits of a key, and of its workspace's plan, that are counted.
func (v *request) meters(k *control.Key) []meter {
	s, ok := v.limitsNow(k)
	if !ok {
		return nil
	}
	return v.metersOf(&s)
}

// planMeters are the limits that all keys of the workspace share.
func (v *request) planMeters() []meter {
	ws := v.may.Workspace
	s, ok := v.d.Engine.PlanStatus(ws.ID, ws.Plan.Shared)
	if !ok {
		return nil
	}
	return v.metersOf(&s)
}

func (v *request) metersOf(s *ratelimit.Status) (out []meter) {
	for _, one := range []struct {
		name string
		w    ratelimit.Window
	}{{"This minute", s.Minute}, {"Today (UTC)", s.Day},
		{"All keys, this minute", s.WorkspaceMinute}, {"All keys, today (UTC)", s.WorkspaceDay}} {
		if one.w.Limit == 0 {
			continue
		}
		used := one.w.Limit - one.w.Remaining
		m := meter{
			Name: one.name, Text: number(used) + " of " + number(one.w.Limit),
			Share: percent(100 * float64(used) / float64(one.w.Limit)), Hot: one.w.Remaining*10 <= one.w.Limit,
		}
		if used > 0 && one.w.ResetAt > 0 {
			m.Text += ", free again " + relative(time.UnixMilli(one.w.ResetAt).Sub(v.now))
		}
		out = append(out, m)
	}
	return out
}
