package dashboard

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/keyward/keyward/internal/control"
)

// refusals is a list of the latest refusals, of a key or of a workspace.
type refusals struct {
	Rows   []refused
	Of     bool   // several keys
	Only   string // the one reason that is listed, "" for all
	Hidden int    // by that

	Time string // of the bar whose refusals are listed, "" for all
	All  string // the address of all, where some are left out
}

// refused is one refusal in words, with the same question to ask again.
type refused struct {
	control.Refusal
	When    moment
	Reason  string // the code in words
	Demand  string
	Explain string // the address of the test with the same question

	WorkspaceName string // in a list of all workspaces
}

// shownRefusals is how many stand on a page.
const shownRefusals = 25

// refusals lists those that the legend of the chart leaves, and those of one bar where the visitor has clicked on it.
func (v *request) refusals(all []control.Refusal, several bool, t *traffic) refusals {
	out := refusals{Of: several}
	if only := v.query("show"); only != "" {
		out.Only = inWords(only)
	}
	from, to, clicked := v.clicked(t)
	if clicked {
		out.Time = bucketLabel(from.UnixMilli(), t.grain, true)
	}
	if clicked || out.Only != "" {
		q := v.r.URL.Query()
		q.Del("at")
		q.Del("show")
		out.All = v.r.URL.Path + "?" + q.Encode() + "#refusals"
	}
	for i := range all {
		r := &all[i]
		if clicked && (r.At.Before(from) || !r.At.Before(to)) {
			continue
		}
		if only := v.query("show"); only != "" && only != r.Code || len(out.Rows) == shownRefusals {
			out.Hidden++
			continue
		}
		one := refused{Refusal: *r, When: v.moment(r.At), Reason: inWords(r.Code)}
		q := url.Values{"permission": {strings.Join(r.All, " ")}, "ip": {r.IP}}
		one.Demand = strings.Join(r.All, ", ")
		if len(r.Any) > 0 {
			q.Set("any", strings.Join(r.Any, " "))
			any := strings.Join(r.Any, " or ")
			if one.Demand != "" {
				any = ", and " + any
			}
			one.Demand += any
		}
		one.Explain = "/keys/" + string(r.Key) + "?" + q.Encode() + "#test"
		out.Rows = append(out.Rows, one)
	}
	return out
}

// demanded counts the permissions that refused keys did not hold, the most frequent first.
func demanded(all []control.Refusal) []codeCount {
	n := map[string]int64{}
	total := int64(0)
	for i := range all {
		if all[i].Code != "INSUFFICIENT_PERMISSIONS" {
			continue
		}
		for _, name := range slices.Concat(all[i].All, all[i].Any) {
			n[name]++
			total++
		}
	}
	var out []codeCount
	for name, count := range n {
		out = append(out, codeCount{name, count, percent(100 * float64(count) / float64(total))})
	}
	slices.SortFunc(
		out, func(a, b codeCount) int { return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Code, b.Code)) },
	)
	return out[:min(len(out), 10)]
}
